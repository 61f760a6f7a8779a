"""Cancelled runs: a gate for each, and messages that were stopped by one.

Revision ID: 0010
Revises: 0002
"""

from alembic import op

revision = "0010"
down_revision = "0002"
branch_labels = None
depends_on = None

_UP = """
CREATE TABLE run_gates (
    run_id      text COLLATE "C" NOT NULL,
    business_id text COLLATE "C" NOT NULL,
    shut_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, business_id)
);
ALTER TABLE messages DROP CONSTRAINT messages_state_check;
ALTER TABLE messages ADD CONSTRAINT messages_state_check CHECK (state IN ('queued', 'waiting',
    'sending', 'in_doubt', 'accepted', 'failed', 'unknown', 'cancelled')) NOT VALID;
ALTER TABLE messages VALIDATE CONSTRAINT messages_state_check;
"""


def upgrade() -> None:
    """Add the gates; a running version writes none of the new states."""
    op.execute(_UP)


def downgrade() -> None:
    """Nothing: an older version does not look at gates."""
