"""Rules of the protocol, each left out by hand: what the game must object to, and how."""

from __future__ import annotations

from typing import Final

from tests.integration.outbound.planting import Plant, Step, Swap, one

from trunkline_outbound import cancelling, claims, controls, intents, runs
from trunkline_outbound.domain import admission, doubts
from trunkline_outbound.store import attempts, gate, jobs, limits
from trunkline_outbound.store import claims as claim_rows
from trunkline_outbound.store import runs as run_rows

BEGIN: Final[Step] = ("start run", 0, 0)  # five jobs of the first business

PLANTS: Final = (
    Plant(
        "a cancel leaves the tokens as they are",
        one(controls, "stop_for_good", "    await claims.revoke_open(session, run_id)\n"),
        r"I4 .* is cancelling and has a new attempt",
        [BEGIN, ("claim", 0, 0), ("cancel", 0, 0), ("intend", 0, 0)],
    ),
    Plant(
        "a pause leaves the tokens as they are",
        one(controls, "pause", "        await claims.revoke_open(session, run.run_id)\n"),
        r"I4 .* is paused and has a new attempt",
        [BEGIN, ("claim", 0, 0), ("pause", 0, 0), ("intend late", 0, 0)],
    ),
    Plant(
        "an intent does not compare the token",
        one(gate, "_ENTER", " AND token = :token", ""),
        r"I4 .* is paused and has a new attempt",
        [BEGIN, ("claim", 0, 0), ("pause", 0, 0), ("intend late", 0, 0)],
    ),
    Plant(
        "an intent does not lock its claim",
        one(gate, "_ENTER", "       FOR NO KEY UPDATE"),
        r"I4 .* was stopped before an intent committed",
        [BEGIN, ("claim", 0, 0), ("overtake intent", 0, 1)],
    ),
    Plant(
        "a claim is handed out whatever its run's state",
        one(claims, "next_claim", ' or run.state != "running"'),
        r"I4 .* is paused and has a new attempt",
        [BEGIN, ("pause", 0, 0), ("claim blindly", 0, 0), ("intend late", 0, 0)],
    ),
    Plant(
        "a take-over forgets what was being sent",
        one(claims, "take_over", "await jobs.doubt_sending(session, claim)", "[]"),
        r"stuck: ",
        [BEGIN, ("claim", 0, 0), ("intend", 0, 2), ("crash", 0, 1), ("claim", 1, 0)],
        is_stuck=True,
    ),
    Plant(
        "a take-over queues again what was being sent",
        one(jobs, "_DOUBT_CLAIM", "SET state = 'in_doubt'", "SET state = 'queued'"),
        r"I1 an open attempt is its job's",
        [BEGIN, ("claim", 0, 0), ("intend", 0, 0), ("crash", 0, 1), ("claim", 1, 0)],
    ),
    Plant(
        "a take-over clears the open attempt",
        one(jobs, "_DOUBT_CLAIM", "reason = 'worker_lost',", "reason = 'x', open_attempt = NULL,"),
        r"jobs_in_flight_has_attempt",
        [BEGIN, ("claim", 0, 0), ("intend", 0, 0), ("crash", 0, 1), ("claim", 1, 0)],
    ),
    Plant(
        "a take-over leaves the token as it is",
        one(claim_rows, "_TAKE_OVER", " token = token + 1,"),
        r"fence: claim .* has a new owner and its old token",
        [BEGIN, ("claim", 0, 0), ("stall", 0, 0), ("claim", 1, 0)],
    ),
    Plant(
        "claims are taken from those who live",
        one(claim_rows, "_LOST", " AND expires_at <= clock_timestamp()"),
        r"fence: claim .* was taken from w1",
        [BEGIN, ("claim", 0, 0), ("claim", 1, 0)],
    ),
    Plant(
        "the sweeper does not ask for the lease",
        (
            Swap(claim_rows, "_STRANDED", " AND claims.expires_at <= clock_timestamp()", ""),
            Swap(claim_rows, "_EXPIRED", " AND expires_at <= clock_timestamp()", ""),
        ),
        r"fence: .* was put in doubt while its worker's lease ran",
        [BEGIN, ("claim", 0, 0), ("intend", 0, 0), ("pause", 0, 0), ("sweep", 0, 0)],
        is_rare=True,
    ),
    Plant(
        "a renewal has no fence",
        one(
            claim_rows,
            "_RENEW",
            " AND claims.token = held.token AND claims.owner = :owner",
        ),
        r"fence: w1 renewed claim .*, which is not its own",
        [BEGIN, ("claim", 0, 0), ("stall", 0, 0), ("claim", 1, 0), ("renew", 0, 0)],
    ),
    Plant(
        "the cursor moves without a claim",
        one(
            claims,
            "_hand_out",
            "return await store.insert_range(",
            "return None and store.insert_range(",
        ),
        r"I3 what is queued can be found",
        [BEGIN, ("claim", 0, 0)],
    ),
    Plant(
        "what an attempt decides counts also for a job that has another open",
        one(jobs, "_MOVE", "   AND jobs.open_attempt = move.attempt_id\n"),
        r"I1 ",
        [
            *(BEGIN, ("work", 0, 6), ("write", 0, 0), ("outlast grace", 0, 0)),
            *(("claim", 0, 0), ("claim", 0, 0), ("intend", 0, 2), ("progress", 0, 0)),
            *(("call back", 0, 1), ("fold", 0, 0)),
        ],
        is_rare=True,
        is_slow=True,
    ),
    Plant(
        "a result is written over whatever an attempt came to",
        one(
            attempts,
            "_SETTLE",
            "   AND (attempts.state, result.state) IN (\n"
            "       SELECT * FROM unnest(CAST(:befores AS text[]), CAST(:afters AS text[])))\n",
        ),
        r"I1 an open attempt is its job's",
        [
            *(BEGIN, ("work", 0, 1), ("write", 0, 0), ("progress", 0, 0), ("call back", 0, 1)),
            *(("fold", 0, 0), ("write again", 0, 0)),
        ],
    ),
    Plant(
        "an absence counts before the grace is over",
        one(doubts, "judge", "Absent() if question.is_past_grace else AskAgain()", "Absent()"),
        r"I1 .* was ruled absent and was accepted",
        [
            *(BEGIN, ("claim", 0, 0), ("intend", 0, 0), ("depart", 0, 0), ("lose lease", 0, 2)),
            *(("look at provider", 0, 1), ("arrive", 0, 0)),
        ],
    ),
    Plant(
        "an opt-out does not wait for intents under way",
        one(
            gate,
            "_ENTER",
            "pg_advisory_xact_lock_shared(hashtextextended(business_id, 13))",
            "business_id",
        ),
        r"opt-out: .* had opted out",
        [BEGIN, ("claim", 0, 0), ("overtake intent", 0, 0)],
    ),
    Plant(
        "suppressions are not read in the intent's transaction",
        one(
            intents,
            "commit_intents",
            "await admit_picked(session, claim, run, rules_of(terms, channel), picked)",
            "picked",
        ),
        r"opt-out: .* had opted out",
        [BEGIN, ("claim", 0, 0), ("opt out", 0, 0), ("intend", 0, 0)],
    ),
    Plant(
        "a retry does not ask for the window",
        one(
            admission,
            "admit",
            "if rules.window is not None:",
            "if rules.window is not None and job.attempts == 0:",
        ),
        r"window: that of .* is closed",
        [
            *(BEGIN, ("work", 0, 0), ("write", 0, 0), ("end call", 0, 0), ("fold", 0, 0)),
            *(("shut", 0, 0), ("pass time", 2, 0), ("claim", 0, 0), ("claim", 0, 0)),
            ("intend", 0, 2),
        ],
    ),
    Plant(
        "a window is open where nobody knows the contact's zone",
        one(
            admission,
            "_in_window",
            'return NotBefore(now + ZONE_UNKNOWN, "zone_unknown")',
            "return SendNow()",
        ),
        r"window: that of .* is closed",
        [BEGIN, ("lose zones", 0, 0), ("claim", 0, 0), ("intend", 0, 2)],
    ),
    Plant(
        "a call leaves without a word of it in the tables",
        (
            Swap(
                intents,
                "_write",
                "    await jobs.mark_sending(session, claim, ids, state=state)\n"
                "    await intents.insert_attempts(session, frame, granted)\n",
                "",
            ),
            Swap(
                attempts,
                "open_sends",
                "{row[0] for row in await fetch(session, _OPEN_SENDS, parameters)}",
                "{a.attempt_id for a in new}",
            ),
        ),
        r"I1 .* was sent and is not written down",
        [BEGIN, ("work", 0, 0)],
    ),
    Plant(
        "a slot stays when it is freed",
        one(
            limits,
            "_FREE",
            "DELETE FROM slots WHERE attempt_id = ANY (CAST(:attempts AS text[]))\n"
            "RETURNING run_id, account",
            "SELECT run_id, account FROM slots WHERE attempt_id = ANY (CAST(:attempts AS text[]))",
        ),
        r"I8 ",
        [BEGIN, ("work", 0, 3), ("write", 0, 0)],
    ),
    Plant(
        "a slot is freed twice",
        one(
            limits,
            "_FREE",
            "DELETE FROM slots WHERE attempt_id = ANY (CAST(:attempts AS text[]))\n"
            "RETURNING run_id, account",
            "WITH gone AS (DELETE FROM slots WHERE attempt_id = ANY (CAST(:attempts AS text[])))\n"
            "SELECT run_id, business_id || '/' || account AS account FROM attempts"
            " WHERE attempt_id = ANY (CAST(:attempts AS text[]))",
        ),
        r"limits_in_use_check",
        [
            *(BEGIN, ("work", 0, 0), ("write", 0, 0), ("fall silent", 0, 0)),
            *(("end call", 0, 1), ("fold", 0, 0)),
        ],
    ),
    Plant(
        "room is not asked for",
        (
            Swap(limits, "_ROOM", "min(cap - in_use)", "min(cap)"),
            Swap(gate, "_ENTER", "min(cap - in_use)", "min(cap)"),
            Swap(limits, "_LOCK", "SELECT cap - in_use", "SELECT cap"),
        ),
        r"I8 nobody is over a cap",
        [
            *(("start run", 3, 0), ("claim", 0, 0), ("intend", 0, 0)),
            *(("claim", 1, 0), ("intend", 1, 0)),
        ],
    ),
    Plant(
        "numbers are shared by two requests at once",
        one(
            attempts,
            "open_sends",
            "{row[0] for row in await fetch(session, _OPEN_SENDS, parameters)}",
            "{a.attempt_id for a in new if await fetch(session, _OPEN_SENDS, parameters) or new}",
        ),
        r"I1 numbers are reserved as long as their attempt is open",
        [
            BEGIN,
            ("start run", 1, 0),
            ("claim", 0, 0),
            ("claim", 1, 1),
            ("intend", 0, 2),
            ("intend", 1, 2),
        ],
    ),
    Plant(
        "a run ends whatever its jobs are",
        (
            Swap(
                runs,
                "_complete",
                "    if await store.has_open_work(session, run_id):\n        return False\n",
                "",
            ),
            Swap(run_rows, "_COMPLETABLE", "'sending', 'in_doubt', 'accepted'", "'sending'"),
        ),
        r"I2 a run that has ended has nothing open",
        [
            *(("start run", 0, 4), ("work", 0, 0), ("write", 0, 0), ("let go", 0, 0)),
            ("finish", 0, 0),
        ],
    ),
    Plant(
        "a cancelled run ends whatever its jobs are",
        one(
            cancelling,
            "_end",
            "    if await runs.has_open_work(session, run_id):\n        return False\n",
        ),
        r"I2 a run that has ended has nothing open",
        [BEGIN, ("work", 0, 0), ("write", 0, 0), ("cancel", 0, 0), ("finish", 0, 0)],
    ),
)
