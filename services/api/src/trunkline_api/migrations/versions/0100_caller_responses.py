"""What callers press is kept, as what people press who are called.

Revision ID: 0100
Revises: 0041
"""

from __future__ import annotations

from alembic import op

revision = "0100"
down_revision = "0041"
branch_labels = None
depends_on = None

_UP = """
CREATE TABLE caller_responses (
    position         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    business_id      text COLLATE "C" NOT NULL REFERENCES businesses,
    channel_id       text COLLATE "C" NOT NULL,
    provider_call_id text NOT NULL,
    step             integer NOT NULL,
    turn             integer NOT NULL,
    digits           text NOT NULL,
    meaning          text NOT NULL,
    correlation_id   text NOT NULL,
    responded_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (channel_id, provider_call_id, step, turn)
);
CREATE INDEX caller_responses_of_channel
    ON caller_responses (business_id, channel_id, position);
"""


def upgrade() -> None:
    """Add the table; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """The table may stay: an older version does not read it."""
