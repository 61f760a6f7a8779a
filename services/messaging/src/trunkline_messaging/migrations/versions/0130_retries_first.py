"""Retries of a broadcast are found before its first passes.

Revision ID: 0130
Revises: 0060
"""

from alembic import op

revision = "0130"
down_revision = "0060"
branch_labels = None
depends_on = None

# Few rows: only what was tried before and is to be tried again.
_UP = """
CREATE INDEX messages_again ON messages (channel_id, due_at)
    WHERE state IN ('queued', 'waiting') AND lane = 1 AND number > 0;
"""


def upgrade() -> None:
    """Add the index; an older version picks by the one that stays."""
    op.execute(_UP)


def downgrade() -> None:
    """The index may stay: an older version does not ask for it."""
