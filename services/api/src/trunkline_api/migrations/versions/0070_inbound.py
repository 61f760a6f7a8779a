"""Calls of both directions in one read model; what channels say to callers; quarantine.

Revision ID: 0070
Revises: 0052
"""

from __future__ import annotations

from alembic import op

revision = "0070"
down_revision = "0052"
branch_labels = None
depends_on = None

# Only a call of a run has a run. `version` is that of a call which is told whole each time.
_CALLS = """
ALTER TABLE calls
    ALTER COLUMN run_id DROP NOT NULL,
    ALTER COLUMN seq DROP NOT NULL,
    ALTER COLUMN attempt_id DROP NOT NULL,
    ADD COLUMN direction text NOT NULL DEFAULT 'outbound'
        CHECK (direction IN ('inbound', 'outbound')),
    ADD COLUMN parent_id text COLLATE "C",
    ADD COLUMN hangup_cause text,
    ADD COLUMN price text,
    ADD COLUMN price_unit text,
    ADD COLUMN version bigint NOT NULL DEFAULT 0;
CREATE INDEX calls_inbound ON calls (business_id, id) WHERE direction = 'inbound';
"""
_CHANNELS = "ALTER TABLE channels ADD COLUMN inbound jsonb;"
# Of nobody: a row here says which address was asked, and never whose call it may have been.
_QUARANTINE = """
CREATE TABLE quarantined_calls (
    channel_id       text COLLATE "C" NOT NULL,
    provider_call_id text NOT NULL,
    account          text NOT NULL,
    reason           text NOT NULL,
    from_number      text,
    to_number        text,
    body             text NOT NULL,
    correlation_id   text NOT NULL,
    received_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (channel_id, provider_call_id)
);
CREATE INDEX quarantined_calls_received ON quarantined_calls (received_at);
"""


def upgrade() -> None:
    """Widen calls, give channels a word for callers, and make the quarantine."""
    for block in (_CALLS, _CHANNELS, _QUARANTINE):
        op.execute(block)


def downgrade() -> None:
    """A call without a run cannot be told by an older version."""
    message = "calls without a run cannot be taken back: restore a backup"
    raise RuntimeError(message)
