"""Runs, cursors, claims, jobs, attempts, calls, slots: the tables of the protocol.

Revision ID: 0001
Revises:
"""

from alembic import op

from trunkline_common.db import inbox, leases, outbox, pace

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

REFERENCE = """
CREATE TABLE businesses (
    business_id  text COLLATE "C" PRIMARY KEY,
    country      text NOT NULL,
    time_zone    text NOT NULL
);
CREATE TABLE channels (
    channel_id   text COLLATE "C" PRIMARY KEY,
    business_id  text COLLATE "C" NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('voice', 'whatsapp')),
    version      bigint NOT NULL,
    account      text NOT NULL,
    senders      text[] NOT NULL,
    key_id       text NOT NULL,
    sealed       text NOT NULL,
    per_second   double precision NOT NULL CHECK (per_second > 0),
    concurrent   integer NOT NULL CHECK (concurrent > 0),
    enabled      boolean NOT NULL
);
"""

RUNS = """
CREATE TABLE runs (
    run_id         text COLLATE "C" PRIMARY KEY,
    business_id    text COLLATE "C" NOT NULL,
    display_name   text NOT NULL,
    channel        text NOT NULL CHECK (channel IN ('voice', 'whatsapp')),
    channel_id     text COLLATE "C" NOT NULL,
    content        jsonb NOT NULL,
    policy         jsonb NOT NULL,
    state          text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'ready', 'running',
                       'paused', 'cancelling', 'cancelled', 'completed', 'failed')),
    reason         text,
    start_at       timestamptz,
    correlation_id text NOT NULL,
    traceparent    text,
    chunks         integer,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at     timestamptz,
    ended_at       timestamptz,
    progress       jsonb NOT NULL DEFAULT '{}',
    progress_version bigint NOT NULL DEFAULT 0,
    progress_due   timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 70);
CREATE INDEX runs_live ON runs (state, business_id) WHERE state IN ('draft', 'ready', 'running',
    'paused', 'cancelling');

CREATE TABLE cursors (
    run_id      text COLLATE "C" PRIMARY KEY REFERENCES runs,
    business_id text COLLATE "C" NOT NULL,
    next_seq    bigint NOT NULL DEFAULT 1,
    total       bigint NOT NULL DEFAULT 0,
    CHECK (next_seq BETWEEN 1 AND total + 1)
) WITH (fillfactor = 50);

-- No reference to runs: a chunk may arrive before the run it belongs to.
CREATE TABLE audience_chunks (
    run_id      text COLLATE "C" NOT NULL,
    chunk       integer NOT NULL,
    business_id text COLLATE "C" NOT NULL,
    contacts    jsonb,
    frozen_at   timestamptz,
    PRIMARY KEY (run_id, chunk),
    CHECK ((frozen_at IS NULL) = (contacts IS NOT NULL))
);
CREATE TABLE audience_ends (
    run_id      text COLLATE "C" PRIMARY KEY,
    business_id text COLLATE "C" NOT NULL,
    chunks      integer NOT NULL
);
CREATE TABLE rejects (
    run_id      text COLLATE "C" NOT NULL,
    business_id text COLLATE "C" NOT NULL,
    contact_id  text COLLATE "C" NOT NULL,
    chunk       integer NOT NULL,
    reason      text NOT NULL,
    PRIMARY KEY (run_id, contact_id, chunk)
);
"""

WORK = """
CREATE TABLE claims (
    claim_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id      text COLLATE "C" NOT NULL,
    business_id text COLLATE "C" NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('range', 'due')),
    first_seq   bigint,
    last_seq    bigint,
    owner       text,
    token       bigint NOT NULL DEFAULT 1,
    expires_at  timestamptz NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at   timestamptz,
    CHECK ((kind = 'range') = (first_seq IS NOT NULL AND last_seq IS NOT NULL)),
    CHECK (first_seq <= last_seq)
) WITH (fillfactor = 70);
CREATE INDEX claims_open ON claims (run_id, expires_at) WHERE closed_at IS NULL;

CREATE TABLE jobs (
    run_id       text COLLATE "C" NOT NULL,
    seq          bigint NOT NULL,
    business_id  text COLLATE "C" NOT NULL,
    contact_id   text COLLATE "C" NOT NULL,
    address      text COLLATE "C" NOT NULL,
    zone         text,
    variables    jsonb,
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'waiting',
                     'in_doubt', 'accepted', 'done', 'skipped', 'cancelled', 'exhausted',
                     'unknown')),
    claim_id     bigint,
    due_at       timestamptz,
    attempts     integer NOT NULL DEFAULT 0,
    open_attempt text COLLATE "C",
    outcome      text,
    reason       text,
    changed_at   timestamptz,
    PRIMARY KEY (run_id, seq),
    UNIQUE (run_id, address),
    CONSTRAINT jobs_waiting_is_due CHECK ((state = 'waiting') = (due_at IS NOT NULL)),
    CONSTRAINT jobs_claimed_when_held CHECK (
        (state = 'sending' AND claim_id IS NOT NULL)
        OR state = 'queued'
        OR (state NOT IN ('queued', 'sending') AND claim_id IS NULL)),
    CONSTRAINT jobs_in_flight_has_attempt CHECK (
        (state IN ('sending', 'in_doubt', 'accepted')) <= (open_attempt IS NOT NULL)),
    CONSTRAINT jobs_final_has_reason CHECK (
        (state IN ('done', 'skipped', 'cancelled', 'exhausted', 'unknown')) <= (reason IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX jobs_due ON jobs (run_id, due_at) WHERE state = 'waiting';
CREATE INDEX jobs_claimed ON jobs (claim_id) WHERE claim_id IS NOT NULL;
CREATE INDEX jobs_active ON jobs (run_id, state)
    WHERE state IN ('waiting', 'sending', 'in_doubt', 'accepted');

CREATE TABLE attempts (
    attempt_id     text COLLATE "C" PRIMARY KEY,
    call_id        text COLLATE "C",
    business_id    text COLLATE "C" NOT NULL,
    run_id         text COLLATE "C" NOT NULL,
    seq            bigint NOT NULL,
    contact_id     text COLLATE "C" NOT NULL,
    claim_id       bigint NOT NULL,
    channel_id     text COLLATE "C" NOT NULL,
    account        text NOT NULL,
    from_number    text NOT NULL,
    to_number      text NOT NULL,
    state          text NOT NULL DEFAULT 'intent' CHECK (state IN ('intent', 'not_sent',
                       'rejected', 'accepted', 'in_doubt', 'absent', 'unknown')),
    intent_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    send_deadline  timestamptz NOT NULL,
    provider_id    text,
    code           text,
    reason         text,
    resolved_by    text,
    resolved_at    timestamptz,
    correlation_id text NOT NULL,
    traceparent    text
) WITH (fillfactor = 70);
CREATE INDEX attempts_of_job ON attempts (run_id, seq);
-- I1: a job has at most one open attempt.
CREATE UNIQUE INDEX attempts_one_open ON attempts (run_id, seq)
    WHERE state IN ('intent', 'in_doubt');
CREATE INDEX attempts_in_doubt ON attempts (send_deadline) WHERE state = 'in_doubt';

CREATE TABLE open_sends (
    account     text NOT NULL,
    from_number text NOT NULL,
    to_number   text NOT NULL,
    attempt_id  text COLLATE "C" NOT NULL UNIQUE,
    PRIMARY KEY (account, from_number, to_number)
);
CREATE TABLE provider_calls (
    account     text NOT NULL,
    provider_id text NOT NULL,
    attempt_id  text COLLATE "C" NOT NULL,
    business_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (account, provider_id)
);
CREATE TABLE limits (
    kind   text NOT NULL CHECK (kind IN ('account', 'run')),
    id     text COLLATE "C" NOT NULL,
    cap    integer NOT NULL CHECK (cap > 0),
    in_use integer NOT NULL DEFAULT 0 CHECK (in_use >= 0),
    PRIMARY KEY (kind, id)
) WITH (fillfactor = 50);
CREATE TABLE slots (
    attempt_id text COLLATE "C" PRIMARY KEY,
    run_id     text COLLATE "C" NOT NULL,
    account    text NOT NULL,
    taken_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE calls (
    call_id     text COLLATE "C" PRIMARY KEY,
    attempt_id  text COLLATE "C" NOT NULL UNIQUE,
    business_id text COLLATE "C" NOT NULL,
    run_id      text COLLATE "C" NOT NULL,
    seq         bigint NOT NULL,
    account     text NOT NULL,
    provider_id text NOT NULL,
    status      text NOT NULL,
    rank        integer NOT NULL,
    answered    boolean NOT NULL DEFAULT false,
    duration    integer,
    answered_by text,
    code        text,
    dialled_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at    timestamptz
) WITH (fillfactor = 70);
CREATE INDEX calls_in_the_air ON calls (dialled_at) WHERE ended_at IS NULL;

-- The set of everything a provider, or messaging, said of an attempt; states are folds over it.
CREATE TABLE call_events (
    attempt_id  text COLLATE "C" NOT NULL,
    provider_id text NOT NULL,
    status      text NOT NULL,
    number      integer NOT NULL,
    business_id text COLLATE "C" NOT NULL,
    account     text NOT NULL,
    duration    integer,
    answered_by text,
    code        text,
    event_id    text NOT NULL,
    arrived_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    folded_at   timestamptz,
    problem     text,
    PRIMARY KEY (attempt_id, provider_id, status, number)
);
CREATE INDEX call_events_unfolded ON call_events (arrived_at) WHERE folded_at IS NULL;
CREATE TABLE message_events (
    attempt_id  text COLLATE "C" NOT NULL,
    status      text NOT NULL,
    business_id text COLLATE "C" NOT NULL,
    code        text,
    reason      text,
    event_id    text NOT NULL,
    arrived_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    folded_at   timestamptz,
    problem     text,
    PRIMARY KEY (attempt_id, status)
);
CREATE INDEX message_events_unfolded ON message_events (arrived_at) WHERE folded_at IS NULL;

CREATE TABLE decisions (
    position    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    business_id text COLLATE "C" NOT NULL,
    run_id      text COLLATE "C" NOT NULL,
    seq         bigint NOT NULL,
    decision    text NOT NULL,
    rule        text NOT NULL,
    detail      text,
    not_before  timestamptz,
    decided_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX decisions_of_job ON decisions (run_id, seq, position);
"""


def upgrade() -> None:
    """Create everything."""
    for script in (outbox, inbox, leases, pace):
        op.execute(script.TABLE_V1)
    for tables in (REFERENCE, RUNS, WORK):
        op.execute(tables)


def downgrade() -> None:
    """There is nothing before the first step."""
    raise RuntimeError("the first migration cannot be undone: drop the schema instead")
