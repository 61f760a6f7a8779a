"""Days off of businesses, and a version for their settings.

Revision ID: 0012
Revises: 0010
"""

from alembic import op

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None

_UP = """
ALTER TABLE businesses
    ADD COLUMN holidays date[] NOT NULL DEFAULT '{}',
    ADD COLUMN version bigint NOT NULL DEFAULT 0;
"""


def upgrade() -> None:
    """Add the settings; a running version does not see them."""
    op.execute(_UP)


def downgrade() -> None:
    """Columns may stay: an older version does not read them."""
