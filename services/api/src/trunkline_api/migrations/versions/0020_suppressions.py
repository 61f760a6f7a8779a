"""Suppressions: whom a business does not want called or written to, who said so and when.

Revision ID: 0020
Revises: 0012
"""

from alembic import op

revision = "0020"
down_revision = "0012"
branch_labels = None
depends_on = None

# A lifted one stays as a row: it tells who lifted it, and the next of its kind counts on from it.
_UP = """
CREATE TABLE suppressions (
    id             text COLLATE "C" PRIMARY KEY,
    business_id    text COLLATE "C" NOT NULL REFERENCES businesses,
    kind           text COLLATE "C" NOT NULL CHECK (kind IN ('address', 'prefix', 'contact')),
    value          text COLLATE "C" NOT NULL,
    run_id         text COLLATE "C" REFERENCES runs,
    channel        text CHECK (channel IN ('voice', 'whatsapp')),
    source         text NOT NULL,
    reason         text,
    evidence       text,
    version        bigint NOT NULL,
    suppressed_by  text NOT NULL,
    suppressed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    lifted_by      text,
    lifted_at      timestamptz,
    correlation_id text NOT NULL,
    CHECK ((lifted_by IS NULL) = (lifted_at IS NULL))
);
CREATE UNIQUE INDEX suppressions_in_force ON suppressions
    (business_id, kind, value, coalesce(run_id, ''), coalesce(channel, ''))
    WHERE lifted_at IS NULL;
CREATE INDEX suppressions_of_value ON suppressions (business_id, kind, value, id);
CREATE INDEX suppressions_of_business ON suppressions (business_id, id);
"""


def upgrade() -> None:
    """Add the table; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """The table may stay: an older version does not read it."""
