"""Calls are found by their job, for attempt policies by outcome.

Revision ID: 0013
Revises: 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index; a running version does not miss it."""
    op.execute("CREATE INDEX calls_of_job ON calls (run_id, seq)")


def downgrade() -> None:
    """The index may stay."""
