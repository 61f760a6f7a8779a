"""Forecasts of runs: what was foreseen last, and how far a draft's audience has been counted.

Revision ID: 0050
Revises: 0021
"""

from alembic import op

revision = "0050"
down_revision = "0021"
branch_labels = None
depends_on = None

_UP = """
ALTER TABLE runs
    ADD COLUMN forecast jsonb,
    ADD COLUMN forecast_at timestamptz;

CREATE TABLE run_forecasts (
    run_id         text COLLATE "C" PRIMARY KEY REFERENCES runs,
    business_id    text COLLATE "C" NOT NULL,
    asked          bigint NOT NULL DEFAULT 1,
    answered       bigint NOT NULL DEFAULT 0,
    asked_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    after_position integer NOT NULL DEFAULT 0,
    after_contact  text COLLATE "C" NOT NULL DEFAULT '',
    tally          jsonb NOT NULL DEFAULT '{}',
    counted_at     timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 70);
CREATE INDEX run_forecasts_open ON run_forecasts (counted_at) WHERE answered < asked;
"""


def upgrade() -> None:
    """Add what forecasts need; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """Columns may stay: an older version does not read them."""
