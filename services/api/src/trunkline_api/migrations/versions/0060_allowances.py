"""How often a business's contacts are reached out to, and what the operator grants the business.

Revision ID: 0060
Revises: 0050
"""

from alembic import op

revision = "0060"
down_revision = "0050"
branch_labels = None
depends_on = None

_UP = """
ALTER TABLE businesses
    ADD COLUMN contact_budget jsonb,
    ADD COLUMN weight double precision NOT NULL DEFAULT 1 CHECK (weight > 0),
    ADD COLUMN concurrent integer CHECK (concurrent > 0);
"""


def upgrade() -> None:
    """Add the settings; a running version does not see them."""
    op.execute(_UP)


def downgrade() -> None:
    """Columns may stay: an older version does not read them."""
