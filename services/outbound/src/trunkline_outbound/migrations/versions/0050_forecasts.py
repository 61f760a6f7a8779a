"""Forecasts: which runs are being counted, and how far.

Revision ID: 0050
Revises: 0022
"""

from alembic import op

revision = "0050"
down_revision = "0022"
branch_labels = None
depends_on = None

_UP = """
CREATE TABLE forecasts (
    run_id      text COLLATE "C" PRIMARY KEY REFERENCES runs,
    business_id text COLLATE "C" NOT NULL,
    asked       bigint NOT NULL,
    after_seq   bigint NOT NULL DEFAULT 0,
    tally       jsonb NOT NULL DEFAULT '{}',
    counted_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    told_at     timestamptz
) WITH (fillfactor = 70);
CREATE INDEX forecasts_open ON forecasts (counted_at) WHERE told_at IS NULL;
"""


def upgrade() -> None:
    """Add the table; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """The table may stay: an older version does not read it."""
