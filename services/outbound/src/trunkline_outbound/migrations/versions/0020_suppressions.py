"""Suppressions: whom no run may call or write to.

Revision ID: 0020
Revises: 0013
"""

from alembic import op

revision = "0020"
down_revision = "0013"
branch_labels = None
depends_on = None

# An empty run or channel means all of them: null could not be part of the key.
_UP = """
CREATE TABLE suppressions (
    business_id    text COLLATE "C" NOT NULL,
    kind           text COLLATE "C" NOT NULL CHECK (kind IN ('address', 'prefix', 'contact')),
    value          text COLLATE "C" NOT NULL,
    run_id         text COLLATE "C" NOT NULL DEFAULT '',
    channel        text COLLATE "C" NOT NULL DEFAULT ''
                   CHECK (channel IN ('', 'voice', 'whatsapp')),
    suppression_id text COLLATE "C" NOT NULL,
    version        bigint NOT NULL,
    in_force       boolean NOT NULL,
    source         text,
    reason         text,
    changed_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (business_id, kind, value, run_id, channel)
);
"""


def upgrade() -> None:
    """Add the table; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """The table may stay: an older version does not read it."""
