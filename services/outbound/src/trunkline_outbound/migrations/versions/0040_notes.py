"""What happened inside calls: keys that were pressed, and legs to agents.

Revision ID: 0040
Revises: 0061
"""

from alembic import op

revision = "0040"
down_revision = "0061"
branch_labels = None
depends_on = None

_UP = """
CREATE TABLE call_notes (
    attempt_id  text COLLATE "C" NOT NULL,
    provider_id text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('response', 'leg')),
    place       text COLLATE "C" NOT NULL,
    state       text NOT NULL,
    detail      text,
    business_id text COLLATE "C" NOT NULL,
    account     text NOT NULL,
    event_id    text NOT NULL,
    arrived_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (attempt_id, provider_id, kind, place)
);
"""


def upgrade() -> None:
    """Add the table; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """The table may stay: an older version does not read it."""
