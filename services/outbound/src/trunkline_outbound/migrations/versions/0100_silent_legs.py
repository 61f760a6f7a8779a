"""A leg that its provider never explained is given up.

Revision ID: 0100
Revises: 0092
"""

from alembic import op

revision = "0100"
down_revision = "0092"
branch_labels = None
depends_on = None

_UP = """
ALTER TABLE legs ADD COLUMN unknown_at timestamptz;
DROP INDEX legs_to_ask;
CREATE INDEX legs_to_ask ON legs (poll_at) WHERE ended_at IS NULL AND unknown_at IS NULL;
"""


def upgrade() -> None:
    """Add the column; a running version asks about what was given up no more than before."""
    op.execute(_UP)


def downgrade() -> None:
    """It may stay: an older version does not read it."""
