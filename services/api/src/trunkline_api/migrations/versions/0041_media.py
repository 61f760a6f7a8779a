"""Files that calls play.

Revision ID: 0041
Revises: 0061
"""

from alembic import op

revision = "0041"
down_revision = "0061"
branch_labels = None
depends_on = None

# A file is small and read as a whole, seldom: the provider remembers it for the day.
_UP = """
CREATE TABLE media (
    id             text COLLATE "C" PRIMARY KEY,
    business_id    text COLLATE "C" NOT NULL REFERENCES businesses,
    name           text NOT NULL,
    content_type   text NOT NULL CHECK (content_type IN ('audio/mpeg', 'audio/wav')),
    size           integer NOT NULL,
    sha256         text NOT NULL,
    content        bytea NOT NULL,
    uploaded_by    text NOT NULL,
    correlation_id text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE media ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX media_of_business ON media (business_id, id);
"""


def upgrade() -> None:
    """Add the table; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """The table may stay: an older version does not read it."""
