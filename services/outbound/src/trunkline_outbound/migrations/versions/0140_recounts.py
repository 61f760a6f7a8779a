"""Runs whose jobs a late word changed after they had ended: they are counted again.

Revision ID: 0140
Revises: 0120
"""

from alembic import op

revision = "0140"
down_revision = "0120"
branch_labels = None
depends_on = None

# A row for each run that a late word ever came to; `number` of them, `counted` as far as told.
_UP = """
CREATE TABLE recounts (
    run_id  text COLLATE "C" PRIMARY KEY,
    number  bigint NOT NULL DEFAULT 1,
    counted bigint NOT NULL DEFAULT 0,
    due_at  timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 70);
CREATE INDEX recounts_due ON recounts (due_at) WHERE number > counted;
"""


def upgrade() -> None:
    """Add the table; what changed before stays as it was told."""
    op.execute(_UP)


def downgrade() -> None:
    """The table may stay: an older version does not read it."""
