"""Channels, messages, the requests made for them, and what the provider said of them.

Revision ID: 0001
Revises:
"""

from alembic import op

from trunkline_common.db import inbox, leases, outbox, pace

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# `held_until`: nothing leaves before it, because the provider refused the credentials themselves.
CHANNELS = """
CREATE TABLE channels (
    channel_id   text COLLATE "C" PRIMARY KEY,
    business_id  text COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    account      text NOT NULL,
    key_id       text NOT NULL,
    sealed       text NOT NULL,
    per_second   double precision NOT NULL CHECK (per_second > 0),
    enabled      boolean NOT NULL,
    held_until   timestamptz NOT NULL DEFAULT '-infinity',
    holds        integer NOT NULL DEFAULT 0
);
"""

# `state` is about the request, `delivery` about the message on its way afterwards. `number` counts
# the requests made for it and fences decisions about them. Lane 0 goes before lane 1.
MESSAGES = """
CREATE TABLE messages (
    message_id     text COLLATE "C" PRIMARY KEY,
    attempt_id     text COLLATE "C" NOT NULL UNIQUE,
    business_id    text COLLATE "C" NOT NULL,
    channel_id     text COLLATE "C" NOT NULL,
    lane           smallint NOT NULL CHECK (lane IN (0, 1)),
    run_id         text COLLATE "C",
    seq            bigint,
    contact_id     text COLLATE "C",
    address        text NOT NULL,
    body           text NOT NULL,
    state          text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'waiting', 'sending',
                       'in_doubt', 'accepted', 'failed', 'unknown')),
    delivery       text CHECK (delivery IN ('sent', 'failed', 'delivered', 'read')),
    due_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    number         integer NOT NULL DEFAULT 0,
    owner          text,
    lease_until    timestamptz,
    provider_message_id text,
    code           text,
    reason         text,
    correlation_id text NOT NULL,
    causation_id   text,
    traceparent    text,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    accepted_at    timestamptz,
    changed_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((state = 'sending') = (lease_until IS NOT NULL)),
    CHECK (state <> 'accepted' OR (provider_message_id IS NOT NULL AND accepted_at IS NOT NULL)),
    CHECK ((run_id IS NULL) = (seq IS NULL))
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX messages_due ON messages (channel_id, lane, due_at)
    WHERE state IN ('queued', 'waiting');
CREATE INDEX messages_leased ON messages (lease_until) WHERE state = 'sending';
CREATE INDEX messages_in_doubt ON messages (changed_at) WHERE state = 'in_doubt';
CREATE INDEX messages_of_run ON messages (run_id, seq) WHERE run_id IS NOT NULL;

CREATE TABLE attempts (
    attempt_id    text COLLATE "C" NOT NULL,
    number        integer NOT NULL,
    message_id    text COLLATE "C" NOT NULL,
    business_id   text COLLATE "C" NOT NULL,
    account       text NOT NULL,
    state         text NOT NULL DEFAULT 'intent' CHECK (state IN ('intent', 'not_sent', 'rejected',
                      'accepted', 'in_doubt', 'unknown')),
    owner         text NOT NULL,
    send_deadline timestamptz NOT NULL,
    code          text,
    reason        text,
    resolved_by   text,
    intent_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at   timestamptz,
    PRIMARY KEY (attempt_id, number)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX attempts_open ON attempts (message_id) WHERE state IN ('intent', 'in_doubt');

CREATE TABLE open_sends (
    account    text NOT NULL,
    address    text NOT NULL,
    attempt_id text COLLATE "C" NOT NULL UNIQUE,
    PRIMARY KEY (account, address)
);
"""

STATUSES = """
CREATE TABLE provider_messages (
    channel_id          text COLLATE "C" NOT NULL,
    provider_message_id text NOT NULL,
    attempt_id          text COLLATE "C" NOT NULL,
    PRIMARY KEY (channel_id, provider_message_id)
);
CREATE INDEX provider_messages_of_attempt ON provider_messages (attempt_id);

CREATE TABLE message_statuses (
    channel_id          text COLLATE "C" NOT NULL,
    provider_message_id text NOT NULL,
    status              text NOT NULL,
    business_id         text COLLATE "C" NOT NULL,
    attempt_id          text COLLATE "C",
    code                text,
    title               text,
    reported_at         timestamptz,
    event_id            text NOT NULL,
    correlation_id      text NOT NULL,
    arrived_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    looks               integer NOT NULL DEFAULT 0,
    look_at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    folded_at           timestamptz,
    problem             text,
    PRIMARY KEY (channel_id, provider_message_id, status)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX message_statuses_unfolded ON message_statuses (look_at) WHERE folded_at IS NULL;
"""


def upgrade() -> None:
    for ddl in (
        CHANNELS,
        MESSAGES,
        STATUSES,
        inbox.TABLE_V1,
        outbox.TABLE_V1,
        leases.TABLE_V1,
        pace.TABLE_V1,
    ):
        for statement in ddl.split(";\n"):
            if statement.strip():
                op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("the first schema is not taken back: restore a backup")
