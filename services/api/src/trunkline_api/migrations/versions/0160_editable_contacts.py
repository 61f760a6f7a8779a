"""Contacts have versions and tags, and can be deleted.

Revision ID: 0160
Revises: 0100
"""

from __future__ import annotations

from alembic import op

revision = "0160"
down_revision = "0100"
branch_labels = None
depends_on = None

# A deletion looks for one contact on every list, and so does the foreign key of the lists. Runs
# that go on are few, whatever a business's history is.
_UP = """
ALTER TABLE contacts
    ADD COLUMN version    integer NOT NULL DEFAULT 1,
    ADD COLUMN tags       text[] NOT NULL DEFAULT '{}',
    ADD COLUMN updated_at timestamptz;
CREATE INDEX audience_members_of_contact ON audience_members (contact_id);
CREATE INDEX runs_going_on ON runs (business_id)
    WHERE state NOT IN ('draft', 'cancelled', 'completed', 'failed', 'rejected');
"""


def upgrade() -> None:
    """Add what they need; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """All of it may stay: an older version does not read it."""
