"""Controls: a step for every change of a run's state, and what a cancel answered.

Revision ID: 0010
Revises: 0002
"""

from alembic import op

revision = "0010"
down_revision = "0002"
branch_labels = None
depends_on = None

_UP = """
ALTER TABLE runs
    ADD COLUMN step bigint NOT NULL DEFAULT 0,
    ADD COLUMN receipt jsonb,
    ADD COLUMN hang_up boolean NOT NULL DEFAULT false,
    ADD COLUMN ends_as text NOT NULL DEFAULT 'cancelled'
        CHECK (ends_as IN ('cancelled', 'failed')),
    ADD COLUMN stop_seq bigint;
ALTER TABLE calls ADD COLUMN hang_up_asked_at timestamptz;
"""


def upgrade() -> None:
    """Add what controls need; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """Columns may stay: an older version does not read them."""
