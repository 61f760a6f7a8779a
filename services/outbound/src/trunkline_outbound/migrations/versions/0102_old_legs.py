"""Calls without a run are found by their age, so that they can be forgotten.

Revision ID: 0102
Revises: 0101
"""

from alembic import op

revision = "0102"
down_revision = "0101"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index; a running version does not see it."""
    op.execute("CREATE INDEX legs_by_age ON legs (began_at)")


def downgrade() -> None:
    """Take it away."""
    op.execute("DROP INDEX legs_by_age")
