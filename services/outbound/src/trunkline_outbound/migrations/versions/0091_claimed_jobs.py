"""One index for each question about jobs, so that no statistics are needed to choose the right one.

A month has none at its beginning. A claim's jobs are found by their run as well, which every
statement names; who waits is found by time and number
alone, in the order of claims, and no longer by state as well.

Revision ID: 0091
Revises: 0062
"""

from alembic import op

revision = "0091"
down_revision = "0062"
branch_labels = None
depends_on = None

_UP = """
DROP INDEX jobs_claimed;
CREATE INDEX jobs_claimed ON jobs (run_id, claim_id) WHERE claim_id IS NOT NULL;
DROP INDEX jobs_due;
CREATE INDEX jobs_due ON jobs (run_id, due_at, seq) WHERE state = 'waiting';
DROP INDEX jobs_active;
CREATE INDEX jobs_active ON jobs (run_id, state) WHERE state IN ('sending', 'in_doubt', 'accepted');
"""
_DOWN = """
DROP INDEX jobs_claimed;
CREATE INDEX jobs_claimed ON jobs (claim_id) WHERE claim_id IS NOT NULL;
DROP INDEX jobs_due;
CREATE INDEX jobs_due ON jobs (run_id, due_at) WHERE state = 'waiting';
DROP INDEX jobs_active;
CREATE INDEX jobs_active ON jobs (run_id, state)
    WHERE state IN ('waiting', 'sending', 'in_doubt', 'accepted');
"""


def upgrade() -> None:
    """Make the indexes anew; jobs wait while they are built."""
    op.execute(_UP)


def downgrade() -> None:
    """The indexes as they were."""
    op.execute(_DOWN)
