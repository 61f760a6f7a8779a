"""Children of runs: who their parent is, and how far their audience has been gathered.

Revision ID: 0051
Revises: 0060
"""

from alembic import op

revision = "0051"
down_revision = "0060"
branch_labels = None
depends_on = None

_UP = """
ALTER TABLE runs
    ADD COLUMN parent_id text COLLATE "C" REFERENCES runs,
    ADD COLUMN rerun_key text COLLATE "C",
    ADD COLUMN rerun jsonb,
    ADD COLUMN preparing boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX runs_rerun_key ON runs (parent_id, rerun_key) WHERE parent_id IS NOT NULL;
CREATE INDEX runs_of_parent ON runs (parent_id, id) WHERE parent_id IS NOT NULL;

ALTER TABLE run_controls DROP CONSTRAINT run_controls_control_check;
ALTER TABLE run_controls ADD CONSTRAINT run_controls_control_check CHECK (control IN ('start',
    'pause', 'resume', 'cancel', 'edit', 'rerun', 'add')) NOT VALID;
ALTER TABLE run_controls VALIDATE CONSTRAINT run_controls_control_check;

CREATE TABLE rerun_builds (
    run_id         text COLLATE "C" PRIMARY KEY REFERENCES runs,
    business_id    text COLLATE "C" NOT NULL,
    parent_id      text COLLATE "C" NOT NULL,
    control_id     text COLLATE "C" NOT NULL,
    outcomes       text[] NOT NULL,
    after_seq      bigint NOT NULL DEFAULT 0,
    listed_at      timestamptz,
    starts         boolean NOT NULL,
    start_at       timestamptz,
    asked_by       text NOT NULL,
    correlation_id text NOT NULL,
    built_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at      timestamptz
) WITH (fillfactor = 70);
CREATE INDEX rerun_builds_open ON rerun_builds (built_at) WHERE closed_at IS NULL;
"""


def upgrade() -> None:
    """Add what children need; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """Columns may stay: an older version does not read them."""
