"""The protocol's invariants as questions to the tables and to the witness: what breaks them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from tests.integration.outbound.witness import Witness

from trunkline_common.db import Database, transaction
from trunkline_outbound.domain.states import FINAL_JOB

# Each selects what must not be there.
_TABLES: Final = {
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
_NAMES: Final = tuple(_TABLES)
_BROKEN: Final = " UNION ALL ".join(
    f"SELECT {number} AS rule, what FROM ({sql}) AS broken (what)"  # noqa: S608 - written above
    for number, sql in enumerate(_TABLES.values())
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
    "claims": "SELECT claim_id, token FROM claims",
    "attempts": "SELECT attempt_id, run_id, seq FROM attempts",
    "seen": """
SELECT 'work' AS what, count(*) AS n FROM jobs JOIN runs USING (run_id)
 WHERE runs.state = 'running' AND jobs.state IN ('queued', 'waiting')
UNION ALL SELECT 'in doubt', count(*) FROM attempts WHERE state = 'in_doubt'
UNION ALL SELECT 'unfolded', count(*) FROM call_events WHERE folded_at IS NULL
UNION ALL SELECT state, count(*) FROM runs GROUP BY state""",
}
# One statement sees everything at one moment.
_LOOK: Final = "SELECT jsonb_build_object({})".format(
    ", ".join(
        f"'{name}', (SELECT coalesce(jsonb_agg(row), '[]') FROM ({sql}) AS row)"  # noqa: S608
        for name, sql in _LOOKS.items()
    )
)
_OPEN: Final = """
SELECT 'job', count(*) FROM jobs WHERE state IN
       ('queued', 'sending', 'waiting', 'in_doubt', 'accepted')
UNION ALL SELECT 'claim', count(*) FROM claims WHERE closed_at IS NULL
UNION ALL SELECT 'slot', count(*) FROM slots
UNION ALL SELECT 'in use', coalesce(sum(in_use), 0) FROM limits
UNION ALL SELECT 'open send', count(*) FROM open_sends
UNION ALL SELECT 'run', count(*) FROM runs WHERE state NOT IN ('completed', 'cancelled', 'failed')
UNION ALL SELECT 'event', count(*) FROM call_events WHERE folded_at IS NULL
"""
_SEEN: Final = """
SELECT 'work', count(*) FROM jobs JOIN runs USING (run_id)
 WHERE runs.state = 'running' AND jobs.state IN ('queued', 'waiting')
UNION ALL SELECT 'in doubt', count(*) FROM attempts WHERE state = 'in_doubt'
UNION ALL SELECT 'unfolded', count(*) FROM call_events WHERE folded_at IS NULL
UNION ALL SELECT state, count(*) FROM runs GROUP BY state
"""
_COUNTS: Final = """
SELECT subject, CAST(payload AS jsonb) -> 'states', (
       SELECT jsonb_object_agg(state, n) FROM (SELECT state, count(*) AS n FROM jobs
        WHERE run_id = subject GROUP BY 1) AS counted)
  FROM outbox WHERE name IN ('run.completed.v1', 'run.cancelled.v1', 'run.failed.v1')
"""

# States of a run between which it does not come back to life.
_STANDS: Final = {
    "paused": "paused",
    "cancelling": "cancelled",
    "cancelled": "cancelled",
    "completed": "completed",
}


Rows = Mapping[str, list[dict[str, Any]]]


class Watch:
    """Asks after each step; remembers of the step before what must not be taken back."""

    def __init__(self, database: Database, witness: Witness) -> None:
        self._database = database
        self._witness = witness
        self.seen: dict[str, int] = {}
        self.states: dict[str, str] = {}  # of runs
        self._final: dict[tuple[str, int], str] = {}
        self._tokens: dict[int, int] = {}
        self._still: dict[tuple[str, str], int] = {}  # attempts of runs that stand

    async def look(self) -> None:
        """Fail with what is broken, if anything is."""
        async with transaction(self._database) as session:
            [[rows]] = await _rows(session, _LOOK)
        broken = [f"{_NAMES[row['rule']]}: {row['what']}" for row in rows["broken"]]
        for part in (self._ends, self._gates, self._fences, self._calls):
            broken += part(rows)
        assert not broken, "\n".join(broken)
        self.seen = {row["what"]: row["n"] for row in rows["seen"]}
        self.states = {row["run_id"]: row["state"] for row in rows["runs"]}

    def _ends(self, rows: Rows) -> list[str]:
        """I2: what is final stays so; but `unknown`, which a late fact may correct."""
        now = {(row["run_id"], row["seq"]): row["state"] for row in rows["jobs"]}
        back = [
            f"I2 {key} was {state} and is {now[key]}"
            for key, state in self._final.items()
            if now[key] != state and (state, now[key]) != ("unknown", "done")
        ]
        self._final = {key: state for key, state in now.items() if state in FINAL_JOB}
        return back

    def _gates(self, rows: Rows) -> list[str]:
        """I4: in a run that stands there is no new attempt, and a receipt stays true."""
        broken, still = [], {}
        for run in rows["runs"]:
            stands = _STANDS.get(run["state"])
            if stands is not None:
                key = (run["run_id"], stands)
                still[key] = run["attempts"]
                if self._still.get(key, run["attempts"]) != run["attempts"]:
                    broken.append(f"I4 {run['run_id']} is {run['state']} and has a new attempt")
            if run["receipt"] and run["stopped"] < run["receipt"]["stopped"]:
                broken.append(f"I4 {run['run_id']} told {run['receipt']}: {run['stopped']}")
        self._still = still
        return broken

    def _fences(self, rows: Rows) -> list[str]:
        """A claim's token only grows."""
        now = {row["claim_id"]: row["token"] for row in rows["claims"]}
        lower = [c for c, token in self._tokens.items() if now.get(c, token) < token]
        self._tokens = now
        return [f"I4 the token of claim {claim} fell" for claim in lower]

    def _calls(self, rows: Rows) -> list[str]:
        """I1, I6: what the witness accepted has an attempt each, and is bound to that one."""
        accepted = {call.provider_id: call.attempt_id for call in self._witness.accepted}
        twice = [a for a, n in Counter(accepted.values()).items() if n > 1]
        broken = [f"I1 attempt {attempt_id} was accepted twice" for attempt_id in twice]
        broken += [
            f"I6 {row['provider_id']} is bound to {row['attempt_id']}"
            for row in rows["bound"]
            if accepted.get(row["provider_id"]) != row["attempt_id"]
        ]
        return broken + self._second_calls(rows)

    def _second_calls(self, rows: Rows) -> list[str]:
        """I1: a job is called again only when its call before is over and was not answered."""
        jobs = {row["attempt_id"]: (row["run_id"], row["seq"]) for row in rows["attempts"]}
        last: dict[tuple[str, int], str] = {}
        broken = []
        for call in self._witness.accepted:
            job = jobs.get(call.attempt_id)
            if job is None:
                broken.append(f"I1 {call.attempt_id} was sent and is not written down")
                continue
            if last.get(job, "busy") not in ("busy", "no-answer"):
                broken.append(f"I1 job {job} was called again after {last[job]}")
            last[job] = call.said[-1]
        return broken

    async def left(self) -> list[str]:
        """What is still open."""
        async with transaction(self._database) as session:
            return [f"{what}: {n}" for what, n in await _rows(session, _OPEN) if n]

    async def at_rest(self) -> None:
        """I2 and I3, when nothing more can happen: all has ended, and every sum is one."""
        left = await self.left()
        async with transaction(self._database) as session:
            told = await _rows(session, _COUNTS)
        wrong = [f"{run}: told {a}, is {b}" for run, a, b in told if _sums(a) != _sums(b)]
        live = [call.provider_id for call in self._witness.alive()]
        assert (left, wrong, live) == ([], [], [])


async def _rows(session: AsyncSession, sql: str) -> list[Any]:
    return list(await session.execute(text(sql)))


def _sums(states: object) -> Counter[str]:
    """Jobs by state; a late fact may make an `unknown` one done."""
    sums: Counter[str] = Counter()
    if isinstance(states, dict):
        for state, jobs in states.items():
            sums["done" if state == "unknown" else state] += jobs
    return sums
