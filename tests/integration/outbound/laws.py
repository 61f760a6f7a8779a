"""The protocol's invariants as SQL: what must never be seen, whatever has happened."""

from __future__ import annotations

from typing import Final

# Each selects what must not be there.
LAWS: Final = {
    "I1 one open attempt a job": """
SELECT concat_ws(' ', run_id, seq) FROM attempts WHERE state IN ('intent', 'in_doubt')
 GROUP BY run_id, seq HAVING count(*) > 1""",
    "I1 a job and its open attempt agree": """
SELECT concat_ws(' ', jobs.run_id, jobs.seq, jobs.state, attempts.state)
  FROM jobs LEFT JOIN attempts ON attempts.attempt_id = jobs.open_attempt
 WHERE CASE jobs.state WHEN 'sending' THEN 'intent' WHEN 'in_doubt' THEN 'in_doubt'
                       WHEN 'accepted' THEN 'accepted' END <> coalesce(attempts.state, 'none')""",
    "I1 an open attempt is its job's": """
SELECT concat_ws(' ', attempt_id, attempts.state, jobs.state) FROM attempts
  LEFT JOIN jobs ON jobs.run_id = attempts.run_id AND jobs.seq = attempts.seq
   AND jobs.open_attempt = attempt_id
 WHERE attempts.state IN ('intent', 'in_doubt')
   AND jobs.state IS DISTINCT FROM
       CASE attempts.state WHEN 'intent' THEN 'sending' ELSE 'in_doubt' END""",
    "I1 numbers are reserved as long as their attempt is open": """
SELECT coalesce(attempts.attempt_id, open_sends.attempt_id)
  FROM (SELECT attempt_id FROM attempts WHERE state IN ('intent', 'in_doubt')) AS attempts
  FULL JOIN open_sends USING (attempt_id)
 WHERE attempts.attempt_id IS NULL OR open_sends.attempt_id IS NULL""",
    "I2 what has ended has a reason": """
SELECT concat_ws(' ', run_id, seq, state) FROM jobs WHERE reason IS NULL
   AND state IN ('done', 'skipped', 'cancelled', 'exhausted', 'unknown')""",
    "I2 a run's jobs are what its cursor says": """
SELECT run_id FROM cursors WHERE total <> (SELECT count(*) FROM jobs WHERE jobs.run_id =
       cursors.run_id)""",
    "I2 a run that has ended has nothing open": """
SELECT concat_ws(' ', runs.run_id, runs.state, jobs.seq, jobs.state, claims.claim_id) FROM runs
  LEFT JOIN jobs ON jobs.run_id = runs.run_id AND jobs.state IN
       ('queued', 'sending', 'waiting', 'in_doubt', 'accepted')
  LEFT JOIN claims ON claims.run_id = runs.run_id AND claims.closed_at IS NULL
 WHERE runs.state IN ('cancelled', 'completed', 'failed')
   AND (jobs.seq IS NOT NULL OR claims.claim_id IS NOT NULL)""",
    "I3 what is queued can be found": """
SELECT concat_ws(' ', jobs.run_id, jobs.seq, jobs.claim_id) FROM jobs
  JOIN cursors USING (run_id) JOIN runs USING (run_id)
 WHERE jobs.state = 'queued' AND runs.state IN ('running', 'paused')
   AND (jobs.claim_id IS NOT NULL OR jobs.seq < cursors.next_seq)
   AND NOT EXISTS (SELECT FROM claims WHERE claims.run_id = jobs.run_id
                      AND claims.closed_at IS NULL
                      AND (claims.claim_id = jobs.claim_id OR jobs.claim_id IS NULL
                           AND jobs.seq BETWEEN claims.first_seq AND claims.last_seq))""",
    "I3 what is being sent is in an open claim": """
SELECT concat_ws(' ', jobs.run_id, jobs.seq, jobs.claim_id) FROM jobs
  LEFT JOIN claims ON claims.claim_id = jobs.claim_id AND claims.closed_at IS NULL
 WHERE jobs.state = 'sending' AND claims.claim_id IS NULL""",
    "I3 no job is in two ranges": """
SELECT concat_ws(' ', one.claim_id, two.claim_id) FROM claims AS one JOIN claims AS two
    ON one.run_id = two.run_id AND one.claim_id < two.claim_id
   AND one.first_seq <= two.last_seq AND two.first_seq <= one.last_seq""",
    "I5 every row is its run's business's": """
SELECT found.what FROM runs JOIN (
       SELECT 'job' AS what, run_id, business_id FROM jobs
       UNION ALL SELECT 'claim', run_id, business_id FROM claims
       UNION ALL SELECT 'attempt', run_id, business_id FROM attempts
       UNION ALL SELECT 'call', run_id, business_id FROM calls
       UNION ALL SELECT 'decision', run_id, business_id FROM decisions
       UNION ALL SELECT 'number', run_id, open_sends.business_id
                   FROM open_sends JOIN attempts USING (attempt_id)
       UNION ALL SELECT 'binding', run_id, provider_calls.business_id
                   FROM provider_calls JOIN attempts USING (attempt_id)
       UNION ALL SELECT 'event', run_id, call_events.business_id
                   FROM call_events JOIN attempts USING (attempt_id)
                  WHERE problem IS NULL AND folded_at IS NOT NULL
       UNION ALL SELECT 'slot', slots.run_id, split_part(slots.account, '/', 1) FROM slots
       UNION ALL SELECT 'fact ' || name, CAST(payload AS jsonb) ->> 'run_id', business_id
                   FROM outbox) AS found USING (run_id)
 WHERE found.business_id <> runs.business_id""",
    "I7 a run's end, and a call, are told once": """
SELECT concat_ws(' ', name, subject, count(*)) FROM outbox
 WHERE name IN ('run.completed.v1', 'run.cancelled.v1', 'run.failed.v1', 'call.dialled.v1',
                'call.answered.v1')
 GROUP BY name, subject HAVING count(*) > 1""",
    "I7 a run that has ended has said so": """
SELECT run_id FROM runs WHERE state IN ('completed', 'cancelled', 'failed') AND NOT EXISTS (
       SELECT FROM outbox WHERE subject = run_id AND name = 'run.' || state || '.v1')""",
    "I8 counters are the sum of slots": """
SELECT concat_ws(' ', kind, id, in_use) FROM limits WHERE in_use <> (
       SELECT count(*) FROM slots WHERE CASE kind WHEN 'run' THEN run_id WHEN 'account' THEN account
       ELSE split_part(account, '/', 1) END = id)""",
    "I8 nobody is over a cap": """
SELECT concat_ws(' ', kind, id, in_use, cap) FROM limits WHERE in_use > cap""",
    "I8 a slot is held by what may be in the air": """
SELECT concat_ws(' ', slots.attempt_id, attempts.state, calls.status) FROM slots
  LEFT JOIN attempts USING (attempt_id) LEFT JOIN calls USING (attempt_id)
 WHERE coalesce(attempts.state, 'none') NOT IN ('intent', 'in_doubt', 'accepted')
    OR calls.ended_at IS NOT NULL""",
    "I8 what may be in the air holds a slot": """
SELECT concat_ws(' ', attempt_id, attempts.state) FROM attempts
  LEFT JOIN slots USING (attempt_id) JOIN jobs ON jobs.open_attempt = attempt_id
   AND jobs.run_id = attempts.run_id AND jobs.seq = attempts.seq
 WHERE slots.attempt_id IS NULL AND jobs.state IN ('sending', 'in_doubt', 'accepted')""",
}
OVER_A_CAP: Final = "I8 nobody is over a cap"
NAMES: Final = tuple(LAWS)
_BROKEN: Final = " UNION ALL ".join(
    f"SELECT {number} AS rule, what FROM ({sql}) AS broken (what)"  # noqa: S608 - written above
    for number, sql in enumerate(LAWS.values())
)
_LOOKS: Final = {
    "broken": _BROKEN,
    "jobs": "SELECT run_id, seq, state FROM jobs",
    "bound": "SELECT provider_id, attempt_id FROM provider_calls",
    "runs": """
SELECT runs.run_id, runs.state, runs.receipt,
       (SELECT count(*) FROM attempts WHERE attempts.run_id = runs.run_id) AS attempts,
       (SELECT count(*) FROM jobs WHERE jobs.run_id = runs.run_id
           AND (state IN ('queued', 'waiting') OR reason = 'run_cancelled')) AS stopped
  FROM runs""",
    "claims": """
SELECT claim_id, token, owner, closed_at IS NOT NULL AS is_closed,
       extract(epoch FROM expires_at - clock_timestamp()) AS seconds_left FROM claims""",
    "attempts": """
SELECT attempt_id, run_id, seq, business_id, to_number, claim_id, state, reason FROM attempts""",
    "seen": """
SELECT 'work' AS what, count(*) AS n FROM jobs JOIN runs USING (run_id)
 WHERE runs.state = 'running' AND jobs.state IN ('queued', 'waiting')
UNION ALL SELECT 'in doubt', count(*) FROM attempts WHERE state = 'in_doubt'
UNION ALL SELECT 'unfolded', count(*) FROM call_events WHERE folded_at IS NULL
UNION ALL SELECT state, count(*) FROM runs GROUP BY state""",
}
# One statement sees everything at one moment.
LOOK: Final = "SELECT jsonb_build_object({})".format(
    ", ".join(
        f"'{name}', (SELECT coalesce(jsonb_agg(row), '[]') FROM ({sql}) AS row)"  # noqa: S608
        for name, sql in _LOOKS.items()
    )
)
OPEN: Final = """
SELECT 'job', count(*) FROM jobs WHERE state IN
       ('queued', 'sending', 'waiting', 'in_doubt', 'accepted')
UNION ALL SELECT 'claim', count(*) FROM claims WHERE closed_at IS NULL
UNION ALL SELECT 'slot', count(*) FROM slots
UNION ALL SELECT 'in use', coalesce(sum(in_use), 0) FROM limits
UNION ALL SELECT 'open send', count(*) FROM open_sends
UNION ALL SELECT 'run', count(*) FROM runs WHERE state NOT IN ('completed', 'cancelled', 'failed')
UNION ALL SELECT 'event', count(*) FROM call_events WHERE folded_at IS NULL
"""
COUNTS: Final = """
SELECT subject, CAST(payload AS jsonb) -> 'states', (
       SELECT jsonb_object_agg(state, n) FROM (SELECT state, count(*) AS n FROM jobs
        WHERE run_id = subject GROUP BY 1) AS counted)
  FROM outbox WHERE name IN ('run.completed.v1', 'run.cancelled.v1', 'run.failed.v1')
"""
