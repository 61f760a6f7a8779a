"""Controls are numbered, and contacts are added to runs that go on.

Revision ID: 0052
Revises: 0040
"""

from alembic import op

revision = "0052"
down_revision = "0040"
branch_labels = None
depends_on = None

_UP = """
ALTER TABLE runs
    ADD COLUMN controls bigint NOT NULL DEFAULT 0,
    ADD COLUMN policy_step bigint NOT NULL DEFAULT 0;
ALTER TABLE run_controls ADD COLUMN number bigint;

CREATE TABLE addition_feeds (
    control_id     text COLLATE "C" PRIMARY KEY REFERENCES run_controls,
    run_id         text COLLATE "C" NOT NULL,
    business_id    text COLLATE "C" NOT NULL,
    list_id        text COLLATE "C" NOT NULL,
    after_position integer NOT NULL DEFAULT 0,
    pieces         integer NOT NULL DEFAULT 0,
    correlation_id text NOT NULL,
    traceparent    text,
    fed_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at      timestamptz
);
CREATE INDEX addition_feeds_open ON addition_feeds (fed_at) WHERE closed_at IS NULL;
"""


def upgrade() -> None:
    """Add what they need; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """Columns may stay: an older version does not read them."""
