"""A month has no statistics of its runs: they are of those that were, and mislead about new ones.

Whoever is told that a month has these runs and no others takes a new one for a single row, and
then reads all of it through any index that begins with the run. Without, each is taken for a
two-hundredth of its month. A month of which they were gathered keeps them and has them renewed,
since nobody but a superuser can take them away.

Revision ID: 0120
Revises: 0103
"""

from alembic import op

revision = "0120"
down_revision = "0103"
branch_labels = None
depends_on = None

_UP = """
DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN
        SELECT known.oid FROM pg_class AS known
          LEFT JOIN pg_inherits ON inhrelid = known.oid
          JOIN pg_class AS whole ON whole.oid = coalesce(inhparent, known.oid)
         WHERE whole.relname IN ('jobs', 'attempts', 'decisions') AND whole.relkind = 'p'
           AND whole.relnamespace = to_regnamespace(current_schema())
           AND known.relkind IN ('p', 'r')
           AND NOT EXISTS (SELECT FROM pg_stats
                            WHERE schemaname = current_schema() AND tablename = known.relname
                              AND attname = 'run_id')
    LOOP
        EXECUTE format('ALTER TABLE ONLY %s ALTER COLUMN run_id SET STATISTICS 0', part);
    END LOOP;
END $$;

ALTER FUNCTION make_partition(text, text, text, text) RENAME TO make_plain_partition;
CREATE FUNCTION make_partition(whole text, cohort text, lower_id text, upper_id text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET lock_timeout = '500ms' AS $$
BEGIN
    IF NOT make_plain_partition(whole, cohort, lower_id, upper_id) THEN
        RETURN false;
    END IF;
    EXECUTE format('ALTER TABLE %I ALTER COLUMN run_id SET STATISTICS 0', whole || '_' || cohort);
    RETURN true;
END $$;
"""
_DOWN = """
DROP FUNCTION make_partition(text, text, text, text);
ALTER FUNCTION make_plain_partition(text, text, text, text) RENAME TO make_partition;
ALTER TABLE jobs ALTER COLUMN run_id SET STATISTICS -1;
ALTER TABLE attempts ALTER COLUMN run_id SET STATISTICS -1;
ALTER TABLE decisions ALTER COLUMN run_id SET STATISTICS -1;
"""


def upgrade() -> None:
    """Gather no more of them where there are none; later months are made without."""
    op.execute(_UP)


def downgrade() -> None:
    """Gather them again, with the next look at each month."""
    op.execute(_DOWN)
