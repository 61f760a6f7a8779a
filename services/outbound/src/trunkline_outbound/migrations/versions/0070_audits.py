"""Audits keep a cursor while they read, and a row for every difference.

Revision ID: 0070
Revises: 0050
"""

from alembic import op

revision = "0070"
down_revision = "0050"
branch_labels = None
depends_on = None

# No version has ever written the table of 0011, so it may be made anew. A report belongs to a
# business's account, whatever the number of its channels.
_UP = """
DROP TABLE call_audits;
CREATE TABLE call_audits (
    business_id text COLLATE "C" NOT NULL,
    account     text NOT NULL,
    day         date NOT NULL,
    channel_id  text COLLATE "C" NOT NULL,
    state       text NOT NULL DEFAULT 'reading' CHECK (state IN ('reading', 'done', 'failed')),
    token       bigint NOT NULL DEFAULT 0,
    next_page   text,
    pages       integer NOT NULL DEFAULT 0,
    read_whole  boolean NOT NULL DEFAULT false,
    tries       integer NOT NULL DEFAULT 0,
    try_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    ours        integer,
    theirs      integer,
    inbound     integer,
    only_ours   integer,
    only_theirs integer,
    reason      text,
    audited_at  timestamptz,
    PRIMARY KEY (business_id, account, day)
);
CREATE INDEX call_audits_reading ON call_audits (try_at) WHERE state = 'reading';

-- The provider's list as far as it was read; gone when the report is made.
CREATE TABLE audit_listed (
    business_id text COLLATE "C" NOT NULL,
    account     text NOT NULL,
    day         date NOT NULL,
    provider_id text NOT NULL,
    direction   text NOT NULL,
    parent_id   text,
    from_number text NOT NULL,
    to_number   text NOT NULL,
    status      text NOT NULL,
    started_at  timestamptz,
    PRIMARY KEY (business_id, account, day, provider_id)
);
CREATE TABLE audit_differences (
    business_id text COLLATE "C" NOT NULL,
    account     text NOT NULL,
    day         date NOT NULL,
    provider_id text NOT NULL,
    side        text NOT NULL CHECK (side IN ('ours', 'theirs')),
    rule        text NOT NULL,
    direction   text NOT NULL,
    status      text NOT NULL,
    started_at  timestamptz,
    attempt_id  text COLLATE "C",
    call_id     text COLLATE "C",
    PRIMARY KEY (business_id, account, day, provider_id)
);
CREATE INDEX calls_of_account ON calls (business_id, account, dialled_at);
CREATE INDEX attempts_given_up ON attempts (business_id, account, to_number)
    WHERE state IN ('absent', 'unknown');
"""


def upgrade() -> None:
    """Make the tables of audits; a running version does not see them."""
    op.execute(_UP)


def downgrade() -> None:
    """Tables may stay: an older version does not read them."""
