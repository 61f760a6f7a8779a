"""Suppressions: whom no message of a run may reach, also once it was handed over.

Revision ID: 0060
Revises: 0010
"""

from alembic import op

revision = "0060"
down_revision = "0010"
branch_labels = None
depends_on = None

# An empty run means all of them: null could not be part of the key.
_UP = """
CREATE TABLE suppressions (
    business_id    text COLLATE "C" NOT NULL,
    kind           text COLLATE "C" NOT NULL CHECK (kind IN ('address', 'prefix', 'contact')),
    value          text COLLATE "C" NOT NULL,
    run_id         text COLLATE "C" NOT NULL DEFAULT '',
    version        bigint NOT NULL,
    in_force       boolean NOT NULL,
    changed_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    channel        text COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (business_id, kind, value, run_id, channel)
);
"""


def upgrade() -> None:
    """Add the table; what was suppressed before was looked at when it was handed over."""
    op.execute(_UP)


def downgrade() -> None:
    """The table may stay: an older version does not read it."""
