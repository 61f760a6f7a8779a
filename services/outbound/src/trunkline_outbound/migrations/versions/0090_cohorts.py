"""Jobs, attempts and decisions are partitioned by the month in which their runs were made.

A run's id begins with the time it was made, so a range of ids is a month, and no row needs a new
column. What is here becomes the first partition without being copied; where nothing is, there is
none.

Revision ID: 0090
Revises: 0060
"""

from datetime import UTC, datetime

from alembic import op
from sqlalchemy import text

from trunkline_outbound.domain.cohorts import months

revision = "0090"
down_revision = "0060"
branch_labels = None
depends_on = None

# The names of the first partition's indexes make way for those of the whole.
ASIDE = """
ALTER TABLE jobs RENAME TO jobs_first;
ALTER INDEX jobs_pkey RENAME TO jobs_first_pkey;
ALTER INDEX jobs_run_id_address_key RENAME TO jobs_first_run_id_address_key;
ALTER INDEX jobs_due RENAME TO jobs_first_due;
ALTER INDEX jobs_claimed RENAME TO jobs_first_claimed;
ALTER INDEX jobs_active RENAME TO jobs_first_active;
ALTER TABLE attempts RENAME TO attempts_first;
ALTER TABLE attempts_first DROP CONSTRAINT attempts_pkey;
ALTER INDEX attempts_of_job RENAME TO attempts_first_of_job;
ALTER INDEX attempts_one_open RENAME TO attempts_first_one_open;
ALTER INDEX attempts_in_doubt RENAME TO attempts_first_in_doubt;
ALTER INDEX attempts_to_ask RENAME TO attempts_first_to_ask;
ALTER INDEX attempts_given_up RENAME TO attempts_first_given_up;
ALTER TABLE decisions RENAME TO decisions_first;
ALTER TABLE decisions_first DROP CONSTRAINT decisions_pkey;
ALTER TABLE decisions_first ALTER COLUMN position DROP IDENTITY;
ALTER INDEX decisions_of_job RENAME TO decisions_first_of_job;
DROP INDEX decisions_of_run;
"""
# INVARIANT: whatever must be one in all months is a key of an unpartitioned table.
WHOLE = """
CREATE TABLE jobs (LIKE jobs_first INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
    PARTITION BY RANGE (run_id);
ALTER TABLE jobs ADD PRIMARY KEY (run_id, seq), ADD UNIQUE (run_id, address);
CREATE INDEX jobs_due ON jobs (run_id, due_at) WHERE state = 'waiting';
CREATE INDEX jobs_claimed ON jobs (claim_id) WHERE claim_id IS NOT NULL;
CREATE INDEX jobs_active ON jobs (run_id, state)
    WHERE state IN ('waiting', 'sending', 'in_doubt', 'accepted');
CREATE TABLE attempts (LIKE attempts_first INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
    PARTITION BY RANGE (run_id);
ALTER TABLE attempts ADD PRIMARY KEY (attempt_id, run_id);
CREATE INDEX attempts_of_job ON attempts (run_id, seq);
-- I1: a job has at most one open attempt.
CREATE UNIQUE INDEX attempts_one_open ON attempts (run_id, seq)
    WHERE state IN ('intent', 'in_doubt');
CREATE INDEX attempts_in_doubt ON attempts (send_deadline) WHERE state = 'in_doubt';
CREATE INDEX attempts_to_ask ON attempts (poll_at NULLS FIRST) WHERE state = 'in_doubt';
CREATE INDEX attempts_given_up ON attempts (business_id, account, to_number)
    WHERE state IN ('absent', 'unknown');
CREATE TABLE decisions (LIKE decisions_first INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
    PARTITION BY RANGE (run_id);
ALTER TABLE decisions ALTER COLUMN position ADD GENERATED ALWAYS AS IDENTITY,
      ADD PRIMARY KEY (run_id, position);
CREATE INDEX decisions_of_job ON decisions (run_id, seq, position);
SELECT setval(pg_get_serial_sequence('decisions', 'position'),
              (SELECT coalesce(max(position), 0) + 1 FROM decisions_first), false);
"""
STORAGE = {
    "jobs": "fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02",
    "attempts": "fillfactor = 70",
    "decisions": "fillfactor = 100",
}
# What no month claims: ids of another form, and runs that came before their month was made.
REST = """
CREATE TABLE {table}_default PARTITION OF {table} DEFAULT WITH ({storage});
"""
FIRST = """
WITH later AS (DELETE FROM {table}_first WHERE run_id >= '{upper}' RETURNING *)
INSERT INTO {table}_default SELECT * FROM later;
ALTER TABLE {table} ATTACH PARTITION {table}_first FOR VALUES FROM (MINVALUE) TO ('{upper}');
"""
# Services have rows and no structure: these two functions are all that they may do about months.
# They wait for a lock for less than a deadlock needs to be found: whoever waits for us goes first.
FUNCTIONS = """
CREATE FUNCTION make_partition(whole text, cohort text, lower_id text, upper_id text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET lock_timeout = '500ms' AS $$
DECLARE
    part text := whole || '_' || cohort;
    rest text := whole || '_default';
    waiting boolean;
BEGIN
    IF whole NOT IN ('jobs', 'attempts', 'decisions') OR cohort !~ '^[0-9]{4}_[0-9]{2}$'
       OR lower_id !~ '^run_[0-9a-z]{10}$' OR upper_id !~ '^run_[0-9a-z]{10}$' THEN
        RAISE EXCEPTION 'not a month of runs: % % % %', whole, cohort, lower_id, upper_id;
    END IF;
    IF to_regclass(part) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS) WITH (%s)',
                   part, whole, CASE whole WHEN 'jobs'
                   THEN 'fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02'
                   WHEN 'attempts' THEN 'fillfactor = 70' ELSE 'fillfactor = 100' END);
    EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE run_id >= %L AND run_id < %L)',
                   rest, lower_id, upper_id) INTO waiting;
    IF waiting THEN
        -- Everybody is kept out, so that nobody plans by the old parts and misses what has moved.
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', whole);
        EXECUTE format('WITH late AS (DELETE FROM %I WHERE run_id >= %L AND run_id < %L'
                       ' RETURNING *) INSERT INTO %I SELECT * FROM late',
                       rest, lower_id, upper_id, part);
    END IF;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   whole, part, lower_id, upper_id);
    RETURN true;
END $$;

CREATE VIEW partitions AS
SELECT parent.relname AS whole, substr(part.relname, length(parent.relname) + 2) AS cohort,
       coalesce(substring(bound FROM $q$FROM \\('([^']*)'\\)$q$), '') COLLATE "C" AS lower_id,
       substring(bound FROM $q$TO \\('([^']*)'\\)$q$) COLLATE "C" AS upper_id
  FROM pg_inherits
  JOIN pg_class AS parent ON parent.oid = inhparent AND parent.relkind = 'p'
  JOIN pg_class AS part ON part.oid = inhrelid,
       LATERAL pg_get_expr(part.relpartbound, part.oid) AS bound
 WHERE parent.relname IN ('jobs', 'attempts', 'decisions')
   AND parent.relnamespace = to_regnamespace(current_schema()) AND bound <> 'DEFAULT';

CREATE FUNCTION drop_partition(of_whole text, of_cohort text, keep_days integer)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET lock_timeout = '500ms' AS $$
DECLARE
    bounds record;
BEGIN
    SELECT * INTO bounds FROM partitions WHERE whole = of_whole AND cohort = of_cohort;
    IF NOT found OR keep_days < 1 THEN
        RETURN false;
    END IF;
    -- INVARIANT: nothing of a run that is not final, or ended too lately, is ever dropped.
    PERFORM FROM runs
      WHERE run_id >= bounds.lower_id AND run_id < bounds.upper_id
        AND (state NOT IN ('completed', 'cancelled', 'failed') OR ended_at IS NULL
             OR ended_at > clock_timestamp() - make_interval(days => keep_days))
      LIMIT 1;
    IF found THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE %I', of_whole || '_' || of_cohort);
    RETURN true;
END $$;
"""
# What a month's runs have elsewhere is deleted before the month is dropped.
CLAIMS = """
CREATE INDEX claims_of_run ON claims (run_id);
CREATE INDEX suppressions_of_run ON suppressions (run_id) WHERE run_id <> '';
"""
# An event of a message names its run, which names its month.
MESSAGES = 'ALTER TABLE message_events ADD COLUMN run_id text COLLATE "C"'

PLAIN = """
ALTER TABLE jobs RENAME TO jobs_parts;
ALTER TABLE attempts RENAME TO attempts_parts;
ALTER TABLE decisions RENAME TO decisions_parts;
CREATE TABLE jobs (LIKE jobs_parts INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
    WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE TABLE attempts (LIKE attempts_parts INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
    WITH (fillfactor = 70);
CREATE TABLE decisions (LIKE decisions_parts INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
INSERT INTO jobs SELECT * FROM jobs_parts;
INSERT INTO attempts SELECT * FROM attempts_parts;
INSERT INTO decisions SELECT * FROM decisions_parts;
DROP FUNCTION make_partition, drop_partition;
DROP VIEW partitions;
DROP TABLE jobs_parts, attempts_parts, decisions_parts;
ALTER TABLE jobs ADD PRIMARY KEY (run_id, seq), ADD UNIQUE (run_id, address);
CREATE INDEX jobs_due ON jobs (run_id, due_at) WHERE state = 'waiting';
CREATE INDEX jobs_claimed ON jobs (claim_id) WHERE claim_id IS NOT NULL;
CREATE INDEX jobs_active ON jobs (run_id, state)
    WHERE state IN ('waiting', 'sending', 'in_doubt', 'accepted');
ALTER TABLE attempts ADD PRIMARY KEY (attempt_id);
CREATE INDEX attempts_of_job ON attempts (run_id, seq);
CREATE UNIQUE INDEX attempts_one_open ON attempts (run_id, seq)
    WHERE state IN ('intent', 'in_doubt');
CREATE INDEX attempts_in_doubt ON attempts (send_deadline) WHERE state = 'in_doubt';
CREATE INDEX attempts_to_ask ON attempts (poll_at NULLS FIRST) WHERE state = 'in_doubt';
CREATE INDEX attempts_given_up ON attempts (business_id, account, to_number)
    WHERE state IN ('absent', 'unknown');
ALTER TABLE decisions ADD PRIMARY KEY (position),
      ALTER COLUMN position ADD GENERATED ALWAYS AS IDENTITY;
CREATE INDEX decisions_of_job ON decisions (run_id, seq, position);
CREATE INDEX decisions_of_run ON decisions (run_id, position);
SELECT setval(pg_get_serial_sequence('decisions', 'position'),
              (SELECT coalesce(max(position), 0) + 1 FROM decisions), false);
DROP INDEX claims_of_run, suppressions_of_run;
ALTER TABLE message_events DROP COLUMN run_id;
"""


def upgrade() -> None:
    """Make the whole, and what is here its first part; services wait for as long as that takes."""
    for script in (ASIDE, WHOLE):
        op.execute(script)
    for script in (FUNCTIONS, CLAIMS, MESSAGES):
        op.execute(script)
    months_to_come = months(datetime.now(UTC), ahead=2)
    for table, storage in STORAGE.items():
        op.execute(REST.format(table=table, storage=storage))
        rows = text(f"SELECT EXISTS (SELECT FROM {table}_first)")  # noqa: S608 - our own words
        is_used = op.get_bind().execute(rows).scalar()
        if is_used:
            op.execute(FIRST.format(table=table, upper=months_to_come[0].upper_id))
        else:
            op.execute(f"DROP TABLE {table}_first")
        for month in months_to_come[1:] if is_used else months_to_come:
            bounds = f"'{month.name}', '{month.lower_id}', '{month.upper_id}'"
            op.execute(f"SELECT make_partition('{table}', {bounds})")


def downgrade() -> None:
    """Copy everything into plain tables again; services wait for as long as that takes."""
    op.execute(PLAIN)
