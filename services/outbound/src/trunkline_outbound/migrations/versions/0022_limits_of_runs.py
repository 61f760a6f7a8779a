"""Every run has a row that counts its calls in the air, with a cap or without one.

Revision ID: 0022
Revises: 0021
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_UP = """
LOCK TABLE slots IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO limits (kind, id, cap, in_use)
SELECT 'run', run_id, 2000000000, (SELECT count(*) FROM slots WHERE slots.run_id = runs.run_id)
  FROM runs WHERE state NOT IN ('completed', 'cancelled', 'failed')
ON CONFLICT (kind, id) DO NOTHING;
"""


def upgrade() -> None:
    """Count what is in the air now; slots are not taken or freed meanwhile."""
    op.execute(_UP)


def downgrade() -> None:
    """Rows may stay: an older version only lowers them with slots."""
