"""Everybody is who was committed when a run was started: contacts and feeds say when that was."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Defaults of a second statement, so that no row is rewritten: who is there already has no mark, and
# was committed before any feed that has a snapshot. They also mark what a process of the version
# before inserts.
_SNAPSHOTS = """
ALTER TABLE contacts ADD COLUMN added_by xid8;
ALTER TABLE contacts ALTER COLUMN added_by SET DEFAULT pg_current_xact_id();
ALTER TABLE audience_feeds ADD COLUMN snapshot pg_snapshot;
ALTER TABLE audience_feeds ALTER COLUMN snapshot SET DEFAULT pg_current_snapshot();
"""


def upgrade() -> None:
    """Mark from now on."""
    op.execute(_SNAPSHOTS)


def downgrade() -> None:
    """The version before tells the time of a contact by its clock alone."""
    op.execute("ALTER TABLE contacts DROP COLUMN added_by;")
    op.execute("ALTER TABLE audience_feeds DROP COLUMN snapshot;")
