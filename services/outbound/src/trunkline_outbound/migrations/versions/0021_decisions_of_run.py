"""The decision log of a whole run is read newest first.

Revision ID: 0021
Revises: 0020
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_UP = "CREATE INDEX decisions_of_run ON decisions (run_id, position)"


def upgrade() -> None:
    """Add the index; deferrals wait while it is built, calls do not."""
    op.execute(_UP)


def downgrade() -> None:
    """An index may stay."""
