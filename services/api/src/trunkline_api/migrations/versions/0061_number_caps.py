"""What each number of a channel may do.

Revision ID: 0061
Revises: 0070
"""

from alembic import op

revision = "0061"
down_revision = "0070"
branch_labels = None
depends_on = None

_UP = "ALTER TABLE channels ADD COLUMN per_number jsonb"


def upgrade() -> None:
    """Add the column; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """A column may stay: an older version does not read it."""
