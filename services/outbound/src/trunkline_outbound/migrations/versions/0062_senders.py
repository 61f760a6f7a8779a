"""Pools of numbers: how each was used, which called whom, and what each may do.

Revision ID: 0062
Revises: 0071
"""

from alembic import op

revision = "0062"
down_revision = "0071"
branch_labels = None
depends_on = None

_UP = """
ALTER TABLE channels ADD COLUMN per_number jsonb;
CREATE TABLE sender_use (
    business_id text COLLATE "C" NOT NULL,
    account     text NOT NULL,
    number      text NOT NULL,
    used_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    day         date NOT NULL,
    used        integer NOT NULL,
    PRIMARY KEY (business_id, account, number)
) WITH (fillfactor = 50);
CREATE TABLE sender_bonds (
    business_id text COLLATE "C" NOT NULL,
    account     text NOT NULL,
    address     text NOT NULL,
    number      text NOT NULL,
    used_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (business_id, account, address)
) WITH (fillfactor = 80);
"""


def upgrade() -> None:
    """Add tables and a column; a running version does not see them."""
    op.execute(_UP)


def downgrade() -> None:
    """They may stay: an older version does not read them."""
