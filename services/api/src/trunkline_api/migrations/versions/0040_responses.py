"""What people pressed in calls.

Revision ID: 0040
Revises: 0051
"""

from alembic import op

revision = "0040"
down_revision = "0051"
branch_labels = None
depends_on = None

_UP = """
CREATE TABLE call_responses (
    position         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    business_id      text COLLATE "C" NOT NULL REFERENCES businesses,
    run_id           text COLLATE "C" NOT NULL,
    attempt_id       text COLLATE "C" NOT NULL,
    contact_id       text COLLATE "C",
    provider_call_id text NOT NULL,
    step             integer NOT NULL,
    turn             integer NOT NULL,
    digits           text NOT NULL,
    meaning          text NOT NULL,
    correlation_id   text NOT NULL,
    responded_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (attempt_id, provider_call_id, step, turn)
);
CREATE INDEX call_responses_of_run ON call_responses (business_id, run_id, position);
"""


def upgrade() -> None:
    """Add the table; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """The table may stay: an older version does not read it."""
