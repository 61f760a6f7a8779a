"""A run knows how its contacts had ended when it last resumed.

Revision ID: 0061
Revises: 0090
"""

from alembic import op

revision = "0061"
down_revision = "0090"
branch_labels = None
depends_on = None

_UP = "ALTER TABLE runs ADD COLUMN ended_before jsonb NOT NULL DEFAULT '{}'"


def upgrade() -> None:
    """Add the column; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """A column may stay."""
