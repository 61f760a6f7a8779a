"""Calls that no attempt of ours asked for, and what a call may last by the policy it was made with.

Revision ID: 0071
Revises: 0051
"""

from alembic import op

revision = "0071"
down_revision = "0051"
branch_labels = None
depends_on = None

# A leg is a call on the way in, or one that another call opened. `lasts`: seconds of ringing and
# talking; `price_at`: when its provider is asked for the price next, null when no more.
_UP = """
ALTER TABLE calls
    ADD COLUMN lasts integer,
    ADD COLUMN price_at timestamptz,
    ADD COLUMN price_polls smallint NOT NULL DEFAULT 0;
CREATE INDEX calls_to_price ON calls (price_at) WHERE price_at IS NOT NULL;

CREATE TABLE legs (
    call_id        text COLLATE "C" PRIMARY KEY,
    business_id    text COLLATE "C" NOT NULL,
    account        text NOT NULL,
    provider_id    text NOT NULL,
    channel_id     text COLLATE "C" NOT NULL,
    direction      text NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    parent_id      text,
    from_number    text,
    to_number      text,
    status         text NOT NULL DEFAULT 'queued',
    rank           integer NOT NULL DEFAULT 10,
    answered       boolean NOT NULL DEFAULT false,
    duration       integer,
    answered_by    text,
    code           text,
    price          text,
    price_unit     text,
    price_at       timestamptz,
    price_polls    smallint NOT NULL DEFAULT 0,
    version        bigint NOT NULL DEFAULT 0,
    correlation_id text NOT NULL,
    began_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    answered_at    timestamptz,
    ended_at       timestamptz,
    polls          integer NOT NULL DEFAULT 0,
    poll_at        timestamptz NOT NULL DEFAULT clock_timestamp() + interval '60 seconds',
    UNIQUE (business_id, account, provider_id)
) WITH (fillfactor = 70);
CREATE INDEX legs_to_ask ON legs (poll_at) WHERE ended_at IS NULL;
CREATE INDEX legs_to_price ON legs (price_at) WHERE price_at IS NOT NULL;

CREATE TABLE leg_events (
    business_id    text COLLATE "C" NOT NULL,
    account        text NOT NULL,
    provider_id    text NOT NULL,
    status         text NOT NULL,
    number         integer NOT NULL,
    channel_id     text COLLATE "C" NOT NULL,
    direction      text NOT NULL,
    parent_id      text,
    from_number    text,
    to_number      text,
    duration       integer,
    answered_by    text,
    code           text,
    correlation_id text NOT NULL,
    event_id       text NOT NULL,
    arrived_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    folded_at      timestamptz,
    PRIMARY KEY (business_id, account, provider_id, status, number)
);
CREATE INDEX leg_events_unfolded ON leg_events (arrived_at) WHERE folded_at IS NULL;
"""


def upgrade() -> None:
    """Add columns and tables; a running version does not see them."""
    op.execute(_UP)


def downgrade() -> None:
    """They may stay: an older version does not read them."""
