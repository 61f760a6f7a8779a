"""What bounds a business: its calls in the air, its contacts' touches, and its share of the turns.

Revision ID: 0060
Revises: 0070
"""

from alembic import op

revision = "0060"
down_revision = "0070"
branch_labels = None
depends_on = None

# A version that runs meanwhile neither takes nor frees for a business. No cap is in force yet, and
# the first one that is set counts anew.
_UP = """
ALTER TABLE businesses
    ADD COLUMN weight double precision NOT NULL DEFAULT 1 CHECK (weight > 0),
    ADD COLUMN budget_most integer CHECK (budget_most > 0),
    ADD COLUMN budget_days integer CHECK (budget_days > 0),
    ADD CHECK ((budget_most IS NULL) = (budget_days IS NULL));
LOCK TABLE slots IN SHARE ROW EXCLUSIVE MODE;
ALTER TABLE limits DROP CONSTRAINT limits_kind_check;
ALTER TABLE limits ADD CONSTRAINT limits_kind_check CHECK (kind IN ('account', 'business', 'run'));
INSERT INTO limits (kind, id, cap, in_use)
SELECT 'business', business_id, 2000000000,
       (SELECT count(*) FROM slots WHERE split_part(slots.account, '/', 1) = known.business_id)
  FROM (SELECT business_id FROM businesses UNION SELECT business_id FROM channels) AS known;
CREATE TABLE touches (
    attempt_id  text COLLATE "C" PRIMARY KEY,
    business_id text COLLATE "C" NOT NULL,
    address     text COLLATE "C" NOT NULL,
    touched_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX touches_of_address ON touches (business_id, address, touched_at);
CREATE INDEX touches_by_age ON touches (touched_at);
"""


def upgrade() -> None:
    """Count what is in the air now; slots are not taken or freed meanwhile."""
    op.execute(_UP)


def downgrade() -> None:
    """Nothing: an older version moves other limits only."""
