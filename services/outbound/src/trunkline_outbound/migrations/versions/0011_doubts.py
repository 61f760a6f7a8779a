"""Doubts are asked about, and calls without news are; calls that should not be are remembered.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_UP = """
ALTER TABLE attempts
    ADD COLUMN polls integer NOT NULL DEFAULT 0,
    ADD COLUMN poll_at timestamptz;
CREATE INDEX attempts_to_ask ON attempts (poll_at NULLS FIRST) WHERE state = 'in_doubt';
ALTER TABLE calls
    ADD COLUMN polls integer NOT NULL DEFAULT 0,
    ADD COLUMN poll_at timestamptz NOT NULL DEFAULT clock_timestamp() + interval '60 seconds',
    ADD COLUMN price text,
    ADD COLUMN price_unit text;
CREATE INDEX calls_to_ask ON calls (poll_at) WHERE ended_at IS NULL;

-- Calls that the provider made twice for one job: the later one is ended while nobody has answered.
CREATE TABLE surplus_calls (
    account     text NOT NULL,
    provider_id text NOT NULL,
    attempt_id  text COLLATE "C" NOT NULL,
    business_id text COLLATE "C" NOT NULL,
    channel_id  text COLLATE "C" NOT NULL,
    seen_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    tries       integer NOT NULL DEFAULT 0,
    try_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    result      text,
    PRIMARY KEY (business_id, account, provider_id)
);
CREATE INDEX surplus_calls_open ON surplus_calls (try_at) WHERE result IS NULL;

CREATE TABLE call_audits (
    channel_id  text COLLATE "C" NOT NULL,
    day         date NOT NULL,
    business_id text COLLATE "C" NOT NULL,
    account     text NOT NULL,
    ours        integer NOT NULL,
    theirs      integer NOT NULL,
    only_ours   text[] NOT NULL,
    only_theirs text[] NOT NULL,
    audited_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (channel_id, day)
);
"""


def upgrade() -> None:
    """Add what the questions need; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """Columns and tables may stay: an older version does not read them."""
