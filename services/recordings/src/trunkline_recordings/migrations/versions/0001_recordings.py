"""Channels, and the recordings to fetch and keep.

Revision ID: 0001
Revises:
"""

from alembic import op

from trunkline_common.db import inbox, leases, outbox

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# `held_until`: nothing is fetched before it, because the provider refused the credentials.
CHANNELS = """
CREATE TABLE channels (
    channel_id   text COLLATE "C" PRIMARY KEY,
    business_id  text COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    account      text NOT NULL,
    key_id       text NOT NULL,
    sealed       text NOT NULL,
    held_until   timestamptz NOT NULL DEFAULT '-infinity',
    holds        integer NOT NULL DEFAULT 0
);
"""

# `due_at` is when somebody may take it: of a recording that is being fetched, its lease's end.
RECORDINGS = """
CREATE TABLE recordings (
    recording_id   text COLLATE "C" PRIMARY KEY,
    business_id    text COLLATE "C" NOT NULL,
    channel_id     text COLLATE "C" NOT NULL,
    account        text NOT NULL,
    provider_recording_id text NOT NULL,
    provider_call_id text NOT NULL,
    attempt_id     text COLLATE "C" NOT NULL,
    duration       integer,
    channels       integer,
    state          text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'fetching', 'stored',
                       'failed')),
    due_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    tries          integer NOT NULL DEFAULT 0,
    owner          text,
    token          bigint NOT NULL DEFAULT 0,
    storage_key    text,
    size           bigint CHECK (size > 0),
    sha256         text,
    content_type   text,
    reason         text,
    correlation_id text NOT NULL,
    causation_id   text,
    traceparent    text,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at       timestamptz,
    UNIQUE (account, provider_recording_id),
    CHECK ((state = 'fetching') = (owner IS NOT NULL)),
    CHECK (state <> 'stored' OR (storage_key IS NOT NULL AND size IS NOT NULL
                                 AND sha256 IS NOT NULL AND content_type IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX recordings_due ON recordings (channel_id, due_at) WHERE state IN ('due', 'fetching');
"""


def upgrade() -> None:
    """Create everything."""
    for ddl in (CHANNELS, RECORDINGS, inbox.TABLE_V1, outbox.TABLE_V1, leases.TABLE_V1):
        for statement in ddl.split(";\n"):
            if statement.strip():
                op.execute(statement)


def downgrade() -> None:
    """There is nothing before the first step."""
    raise RuntimeError("the first migration cannot be undone: drop the schema instead")
