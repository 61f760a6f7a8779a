"""Controls of runs: who asked for what, when, and what came of it.

Revision ID: 0010
Revises: 0003
"""

from alembic import op

revision = "0010"
down_revision = "0003"
branch_labels = None
depends_on = None

_UP = """
ALTER TABLE runs
    ADD COLUMN step bigint NOT NULL DEFAULT 0,
    ADD COLUMN start_at timestamptz,
    DROP CONSTRAINT runs_state_check;
ALTER TABLE runs ADD CONSTRAINT runs_state_check CHECK (state IN ('draft', 'scheduled', 'starting',
    'running', 'paused', 'cancelling', 'cancelled', 'completed', 'failed', 'rejected')) NOT VALID;
ALTER TABLE runs VALIDATE CONSTRAINT runs_state_check;

CREATE TABLE run_controls (
    id             text COLLATE "C" PRIMARY KEY,
    business_id    text COLLATE "C" NOT NULL,
    run_id         text COLLATE "C" NOT NULL REFERENCES runs,
    control        text NOT NULL CHECK (control IN ('start', 'pause', 'resume', 'cancel', 'edit')),
    asked          jsonb NOT NULL DEFAULT '{}',
    asked_by       text NOT NULL,
    asked_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    state          text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'refused')),
    answer         jsonb,
    reason         text,
    answered_at    timestamptz,
    correlation_id text NOT NULL
);
CREATE INDEX run_controls_of_run ON run_controls (business_id, run_id, id);
"""


def upgrade() -> None:
    """Add what controls need; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """Columns may stay: an older version does not read them."""
