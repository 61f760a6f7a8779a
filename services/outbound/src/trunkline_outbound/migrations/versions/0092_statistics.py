"""A month that fills is analysed at once: without statistics a claim reads far more than it takes.

Autovacuum does it as well, a minute later; a run of a million is half over by then.

Revision ID: 0092
Revises: 0091
"""

from alembic import op

revision = "0092"
down_revision = "0091"
branch_labels = None
depends_on = None

# Only an owner may analyse a table, and services own none.
_UP = """
CREATE FUNCTION analyze_partitions(fewest bigint, share double precision)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET lock_timeout = '500ms' AS $$
DECLARE
    part record;
    analysed integer := 0;
BEGIN
    FOR part IN
        SELECT seen.schemaname, seen.relname
          FROM pg_stat_user_tables AS seen
          JOIN pg_inherits ON inhrelid = seen.relid
          JOIN pg_class AS parent ON parent.oid = inhparent
         WHERE parent.relname IN ('jobs', 'attempts')
           AND parent.relnamespace = to_regnamespace(current_schema())
           AND seen.n_mod_since_analyze >= greatest(fewest, share * seen.n_live_tup)
         ORDER BY seen.relname
    LOOP
        EXECUTE format('ANALYZE %I.%I', part.schemaname, part.relname);
        analysed := analysed + 1;
    END LOOP;
    RETURN analysed;
END $$;
"""


def upgrade() -> None:
    """Let services ask for it."""
    op.execute(_UP)


def downgrade() -> None:
    """Leave it to autovacuum."""
    op.execute("DROP FUNCTION analyze_partitions")
