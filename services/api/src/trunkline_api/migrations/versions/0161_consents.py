"""What contacts agreed to and took back, with who says so.

Revision ID: 0161
Revises: 0160
"""

from __future__ import annotations

from alembic import op

revision = "0161"
down_revision = "0160"
branch_labels = None
depends_on = None

# The unique constraint is what foreign keys of a business's own rows point at; it takes the place
# of the index on the same columns.
_UP = """
ALTER TABLE contacts ADD CONSTRAINT contacts_of_one_business UNIQUE (business_id, id);
DROP INDEX contacts_of_business;

CREATE TABLE contact_consents (
    business_id    text COLLATE "C" NOT NULL REFERENCES businesses,
    id             text COLLATE "C" NOT NULL,
    contact_id     text COLLATE "C" NOT NULL,
    channel        text NOT NULL CHECK (channel IN ('voice', 'whatsapp')),
    state          text NOT NULL CHECK (state IN ('granted', 'withdrawn')),
    source         text NOT NULL,
    evidence       text,
    at             timestamptz NOT NULL,
    recorded_by    text NOT NULL,
    correlation_id text NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (business_id, id),
    FOREIGN KEY (business_id, contact_id) REFERENCES contacts (business_id, id) ON DELETE CASCADE
);
CREATE INDEX contact_consents_of_contact ON contact_consents (business_id, contact_id, id);
"""


def upgrade() -> None:
    """Add the table; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """The table may stay: an older version does not read it."""
