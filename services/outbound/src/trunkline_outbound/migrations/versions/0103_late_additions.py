"""An addition keeps when its last piece came, and whether its silence was told.

Revision ID: 0103
Revises: 0102
"""

from alembic import op

revision = "0103"
down_revision = "0102"
branch_labels = None
depends_on = None

_UP = """
ALTER TABLE additions
    ADD COLUMN moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN alarmed_at timestamptz;
CREATE INDEX additions_by_silence ON additions (moved_at) WHERE ended_at IS NULL;
"""


def upgrade() -> None:
    """Add the columns; a running version does not see them."""
    op.execute(_UP)


def downgrade() -> None:
    """They may stay: an older version does not read them."""
