"""Runs know their version, for whoever watches them, and how fast they went of late.

Revision ID: 0021
Revises: 0020
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# The version is the database's to count: a statement that changes a run cannot forget it.
_UP = """
ALTER TABLE runs
    ADD COLUMN version bigint NOT NULL DEFAULT 1,
    ADD COLUMN recent jsonb NOT NULL DEFAULT '[]';

CREATE FUNCTION next_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version = OLD.version + 1;
    RETURN NEW;
END
$$;
CREATE TRIGGER runs_version BEFORE UPDATE ON runs
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION next_version();
"""


def upgrade() -> None:
    """Add what watchers need; a running version does not see it."""
    op.execute(_UP)


def downgrade() -> None:
    """Columns may stay: an older version does not read them."""
