"""The first schema of api: tenants, contacts, runs as asked for, read models of the rest."""

from __future__ import annotations

from alembic import op

from trunkline_common.db import inbox, leases, outbox

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TENANTS = """
CREATE TABLE businesses (
    id         text COLLATE "C" PRIMARY KEY,
    name       text NOT NULL,
    country    text NOT NULL,
    time_zone  text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE api_keys (
    id            text COLLATE "C" PRIMARY KEY,
    business_id   text COLLATE "C" NOT NULL REFERENCES businesses,
    name          text NOT NULL,
    prefix        text NOT NULL,
    secret_sha256 text NOT NULL,
    scopes        text[] NOT NULL,
    expires_at    timestamptz,
    last_used_at  timestamptz,
    revoked_at    timestamptz,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX api_keys_of_business ON api_keys (business_id, id);

CREATE TABLE channels (
    id          text COLLATE "C" PRIMARY KEY,
    business_id text COLLATE "C" NOT NULL REFERENCES businesses,
    kind        text NOT NULL CHECK (kind IN ('voice', 'whatsapp')),
    account     text NOT NULL,
    senders     text[] NOT NULL,
    key_id      text NOT NULL,
    sealed      text NOT NULL,
    per_second  double precision NOT NULL CHECK (per_second > 0),
    concurrent  integer NOT NULL CHECK (concurrent > 0),
    enabled     boolean NOT NULL DEFAULT true,
    version     integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX channels_of_business ON channels (business_id, id);
"""

_CONTACTS = """
CREATE TABLE contacts (
    id          text COLLATE "C" PRIMARY KEY,
    business_id text COLLATE "C" NOT NULL REFERENCES businesses,
    address     text COLLATE "C" NOT NULL,
    name        text,
    first_name  text,
    last_name   text,
    email       text,
    country     text,
    language    text,
    time_zone   text,
    variables   jsonb NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (business_id, address)
);
CREATE INDEX contacts_of_business ON contacts (business_id, id);

CREATE TABLE imports (
    id                  text COLLATE "C" PRIMARY KEY,
    business_id         text COLLATE "C" NOT NULL REFERENCES businesses,
    filename            text,
    encoding            text NOT NULL,
    delimiter           text NOT NULL,
    columns             jsonb NOT NULL,
    rows                integer NOT NULL,
    imported            integer NOT NULL,
    duplicates_in_file  integer NOT NULL,
    duplicates_existing integer NOT NULL,
    rejected            integer NOT NULL,
    reasons             jsonb NOT NULL,
    correlation_id      text NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (rows = imported + duplicates_in_file + duplicates_existing + rejected)
);
CREATE INDEX imports_of_business ON imports (business_id, id);

CREATE TABLE import_rejects (
    import_id   text COLLATE "C" NOT NULL REFERENCES imports,
    business_id text COLLATE "C" NOT NULL,
    row_number  integer NOT NULL,
    reason      text NOT NULL,
    value       text NOT NULL,
    PRIMARY KEY (import_id, row_number)
);

-- Who is in an audience, in order: the list is an import, or a run that named its contacts.
CREATE TABLE audience_members (
    list_id     text COLLATE "C" NOT NULL,
    position    integer NOT NULL,
    business_id text COLLATE "C" NOT NULL,
    contact_id  text COLLATE "C" NOT NULL REFERENCES contacts,
    PRIMARY KEY (list_id, position),
    UNIQUE (list_id, contact_id)
);
"""

_RUNS = """
CREATE TABLE runs (
    id               text COLLATE "C" PRIMARY KEY,
    business_id      text COLLATE "C" NOT NULL REFERENCES businesses,
    name             text NOT NULL,
    channel          text NOT NULL CHECK (channel IN ('voice', 'whatsapp')),
    channel_id       text COLLATE "C" NOT NULL REFERENCES channels,
    audience         text NOT NULL CHECK (audience IN ('import', 'contacts', 'all')),
    list_id          text COLLATE "C",
    content          jsonb NOT NULL,
    policy           jsonb NOT NULL,
    state            text NOT NULL DEFAULT 'draft'
                     CHECK (state IN ('draft', 'starting', 'running', 'completed', 'rejected')),
    reason           text,
    total            integer,
    rejects          integer,
    progress_version bigint NOT NULL DEFAULT 0,
    states           jsonb NOT NULL DEFAULT '{}',
    outcomes         jsonb NOT NULL DEFAULT '{}',
    correlation_id   text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    requested_at     timestamptz,
    started_at       timestamptz,
    ended_at         timestamptz,
    CHECK ((list_id IS NULL) = (audience = 'all'))
);
CREATE INDEX runs_of_business ON runs (business_id, id);

-- A started run whose audience has not left whole: one row, moved in the transaction of a chunk.
CREATE TABLE audience_feeds (
    run_id         text COLLATE "C" PRIMARY KEY REFERENCES runs,
    business_id    text COLLATE "C" NOT NULL,
    list_id        text COLLATE "C",
    after_position integer NOT NULL DEFAULT 0,
    after_contact  text COLLATE "C" NOT NULL DEFAULT '',
    chunks         integer NOT NULL DEFAULT 0,
    contacts       integer NOT NULL DEFAULT 0,
    correlation_id text NOT NULL,
    traceparent    text,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    fed_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at      timestamptz
);
CREATE INDEX audience_feeds_open ON audience_feeds (fed_at) WHERE closed_at IS NULL;
"""

_READ_MODELS = """
-- Facts about a call may come in any order, so only its identity is there from the first of them.
CREATE TABLE calls (
    id               text COLLATE "C" PRIMARY KEY,
    business_id      text COLLATE "C" NOT NULL,
    run_id           text COLLATE "C" NOT NULL,
    seq              integer NOT NULL,
    attempt_id       text COLLATE "C" NOT NULL,
    contact_id       text COLLATE "C",
    channel_id       text COLLATE "C",
    provider_call_id text,
    from_number      text,
    to_number        text,
    state            text NOT NULL,
    rank             smallint NOT NULL,
    dialled_at       timestamptz,
    answered_at      timestamptz,
    ended_at         timestamptz,
    outcome          text,
    answered_by      text,
    duration         integer,
    reason           text,
    correlation_id   text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX calls_of_business ON calls (business_id, id);
CREATE INDEX calls_of_run ON calls (run_id, id);
CREATE INDEX calls_of_attempt ON calls (attempt_id);

CREATE TABLE run_contacts (
    run_id      text COLLATE "C" NOT NULL,
    seq         integer NOT NULL,
    business_id text COLLATE "C" NOT NULL,
    contact_id  text COLLATE "C" NOT NULL,
    state       text NOT NULL,
    outcome     text,
    reason      text NOT NULL,
    ended_at    timestamptz NOT NULL,
    PRIMARY KEY (run_id, seq)
);

CREATE TABLE messages (
    id                  text COLLATE "C" PRIMARY KEY,
    business_id         text COLLATE "C" NOT NULL,
    channel_id          text COLLATE "C" NOT NULL,
    run_id              text COLLATE "C",
    seq                 integer,
    contact_id          text COLLATE "C",
    attempt_id          text COLLATE "C",
    to_number           text,
    body                text,
    provider_message_id text,
    state               text NOT NULL,
    rank                smallint NOT NULL,
    code                text,
    reason              text,
    accepted_at         timestamptz,
    sent_at             timestamptz,
    delivered_at        timestamptz,
    read_at             timestamptz,
    failed_at           timestamptz,
    correlation_id      text NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX messages_of_business ON messages (business_id, id);
CREATE INDEX messages_of_run ON messages (run_id, id) WHERE run_id IS NOT NULL;

CREATE TABLE recordings (
    id                    text COLLATE "C" PRIMARY KEY,
    business_id           text COLLATE "C" NOT NULL,
    attempt_id            text COLLATE "C" NOT NULL,
    provider_call_id      text NOT NULL,
    provider_recording_id text NOT NULL,
    state                 text NOT NULL CHECK (state IN ('failed', 'stored')),
    storage_key           text,
    size                  bigint,
    sha256                text,
    content_type          text,
    duration              integer,
    reason                text,
    created_at            timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX recordings_of_attempt ON recordings (attempt_id, id);
"""

_INGRESS = """
-- What providers told us, word for word. The key is the provider's own, so a repetition is no row.
CREATE TABLE provider_events (
    channel_id     text COLLATE "C" NOT NULL,
    natural_key    text COLLATE "C" NOT NULL,
    business_id    text COLLATE "C" NOT NULL,
    provider       text NOT NULL,
    kind           text NOT NULL,
    attempt_id     text COLLATE "C",
    body           text NOT NULL,
    problem        text,
    correlation_id text NOT NULL,
    received_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (channel_id, natural_key)
);
CREATE INDEX provider_events_received ON provider_events (received_at);
"""


def upgrade() -> None:
    """Make every table; the schema itself and its roles exist already."""
    tables = (_TENANTS, _CONTACTS, _RUNS, _READ_MODELS, _INGRESS)
    for block in (*tables, outbox.TABLE_V1, inbox.TABLE_V1, leases.TABLE_V1):
        op.execute(block)


def downgrade() -> None:
    """Nothing before this version: a database without it is an empty one."""
    message = "the first version cannot be undone; drop the schema instead"
    raise RuntimeError(message)
