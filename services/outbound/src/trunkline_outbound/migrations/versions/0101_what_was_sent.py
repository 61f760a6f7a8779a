"""An attempt keeps how long its call may last, as its provider is told.

Revision ID: 0101
Revises: 0100
"""

from alembic import op

revision = "0101"
down_revision = "0100"
branch_labels = None
depends_on = None

_UP = "ALTER TABLE attempts ADD COLUMN lasts integer"


def upgrade() -> None:
    """Add the column; what a running version writes without it lasts as its run says."""
    op.execute(_UP)


def downgrade() -> None:
    """It may stay: an older version does not read it."""
