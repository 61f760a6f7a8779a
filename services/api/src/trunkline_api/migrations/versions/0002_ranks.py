"""A fact of a higher rank corrects a lower one: what ended has the rank of its outcome."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# The ranks of `domain/states.py` on the day of this version. A process of the version before gives
# an end rank 4 and a turn the default: both are corrected by what comes, and correct nothing.
_RANKS = """
ALTER TABLE run_contacts ADD COLUMN rank smallint NOT NULL DEFAULT 10;

UPDATE run_contacts
   SET rank = CASE state WHEN 'unknown' THEN 0 WHEN 'skipped' THEN 1 WHEN 'cancelled' THEN 2
              ELSE 10 + coalesce(array_position(ARRAY['accepted', 'sent', 'canceled', 'failed',
                   'no_answer', 'busy', 'answered', 'machine', 'delivered', 'read'], outcome), 0)
              END;

UPDATE calls
   SET rank = 10 + coalesce(array_position(ARRAY['accepted', 'sent', 'canceled', 'failed',
                   'no_answer', 'busy', 'answered', 'machine', 'delivered', 'read'], outcome), 0)
 WHERE state = 'ended';
"""


def upgrade() -> None:
    """Rank what is there."""
    op.execute(_RANKS)


def downgrade() -> None:
    """The version before reads the ranks as they are."""
    op.execute("ALTER TABLE run_contacts DROP COLUMN rank;")
