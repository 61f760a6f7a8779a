"""Whether nobody was reached twice, nobody forgotten and nothing is stuck: over three records."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.faults.records import Records, Row
from tests.faults.stages import Campaign

from trunkline_outbound.domain.states import FINAL_JOB

_AGAIN: Final = frozenset({"busy", "no-answer"})  # after these a run may call once more
_OURS: Final = {
    "completed": {"answered", "machine"},
    "busy": {"busy"},
    "no-answer": {"no_answer"},
    "failed": {"failed"},
    "canceled": {"failed", "canceled", "cancelled"},
}
_ENDS: Final = {"calls": "completed", "doubts": "completed", "messages": "completed"}

_QUERIES: Final = {
    "run": "SELECT state, receipt, policy FROM outbound.runs WHERE run_id = '{run}'",
    "cursor": "SELECT next_seq, total FROM outbound.cursors WHERE run_id = '{run}'",
    "jobs": "SELECT seq, address, state, reason, outcome, attempts FROM outbound.jobs"
    " WHERE run_id = '{run}' ORDER BY seq",
    "attempts": "SELECT attempt_id, seq, state, provider_id FROM outbound.attempts"
    " WHERE run_id = '{run}' ORDER BY intent_at",
    "surplus": "SELECT attempt_id FROM outbound.surplus_calls JOIN outbound.attempts"
    " USING (attempt_id) WHERE run_id = '{run}'",
    "shown": "SELECT state, total, states, outcomes FROM api.runs WHERE id = '{run}'",
    "turns": "SELECT seq, state, outcome FROM api.run_contacts WHERE run_id = '{run}' ORDER BY seq",
    "calls": "SELECT attempt_id, state FROM api.calls WHERE run_id = '{run}'",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything about one run: our tables, and what the provider wrote down of each attempt."""

    campaign: Campaign
    found: Mapping[str, Sequence[Row]]
    accepted: Counter[str]  # requests by attempt
    last: Mapping[str, str]  # the provider's last word, by attempt

    def only(self, what: str) -> Row:
        return self.found[what][0]


def gather(
    records: Records, campaigns: Sequence[Campaign], lines: Sequence[Row] | None = None
) -> list[Evidence]:
    """Ask once for all of them; `lines` are those of the provider's log that may be about them."""
    lines = records.witness() if lines is None else lines
    evidence = []
    for campaign in campaigns:
        rows = records.many(sql.format(run=campaign.run_id) for sql in _QUERIES.values())
        found = dict(zip(_QUERIES, rows, strict=True))
        ours = {attempt["attempt_id"] for attempt in found["attempts"]}
        evidence.append(Evidence(campaign, found, *_witnessed(lines, campaign, ours)))
    return evidence


def _witnessed(
    lines: Sequence[Row], campaign: Campaign, ours: set[str]
) -> tuple[Counter[str], dict[str, str]]:
    """Acceptances and last words of a run's attempts; a voice run is named in its callback URL."""
    accepted: Counter[str] = Counter()
    by_sid: dict[str, str] = {}
    last: dict[str, str] = {}
    for line in lines:
        if line.get("account") != campaign.account:
            continue
        if line["kind"] == "call_accepted" and f"/{campaign.run_id}/" in line["reference"]:
            attempt = line["reference"].partition(f"/{campaign.run_id}/")[2].partition("/")[0]
            by_sid[line["sid"]] = attempt
            accepted[attempt] += 1
        elif line["kind"] == "message_accepted" and line["reference"] in ours:
            by_sid[line["sid"]] = line["reference"]
            accepted[line["reference"]] += 1
        elif line["kind"] in {"call_status", "message_status"} and line["sid"] in by_sid:
            last[by_sid[line["sid"]]] = line["status"]
    return accepted, last


def violations(evidence: Evidence) -> list[str]:
    """What does not hold of this run, in words; nothing if all does."""
    found = [
        *_lost(evidence),
        *_twice(evidence),
        *_told(evidence),
        *_cancelled(evidence),
    ]
    return [f"{evidence.campaign.stage} {evidence.campaign.run_id}: {one}" for one in found]


def _lost(evidence: Evidence) -> Iterator[str]:
    """Every contact that api accepted is a job, and every job ended with a reason."""
    campaign, jobs = evidence.campaign, evidence.found["jobs"]
    addresses = [job["address"] for job in jobs]
    if sorted(addresses) != sorted(campaign.audience):
        yield f"{len(campaign.audience)} contacts were accepted, {len(set(addresses))} are jobs"
    if evidence.only("cursor")["total"] != len(jobs):
        yield f"the cursor counts {evidence.only('cursor')['total']} of {len(jobs)} jobs"
    for job in jobs:
        if job["state"] not in FINAL_JOB or not job["reason"]:
            yield f"job {job['seq']} is {job['state']} ({job['reason']})"
    state = evidence.only("run")["state"]
    wanted = _ENDS.get(campaign.stage)
    if state != wanted if wanted else state not in {"cancelled", "completed"}:
        yield f"the run is {state}"


def _twice(evidence: Evidence) -> Iterator[str]:
    """At most one accepted request an attempt, and a second attempt only where the policy says."""
    yield from _attempts(evidence)
    by_job: dict[int, list[str]] = defaultdict(list)
    for one in evidence.found["attempts"]:
        if evidence.accepted[one["attempt_id"]]:
            by_job[one["seq"]].append(one["attempt_id"])
    for seq, made in by_job.items():
        early = [attempt for attempt in made[:-1] if evidence.last.get(attempt) not in _AGAIN]
        if len(made) > evidence.campaign.max_attempts or early:
            yield f"job {seq} was reached {len(made)} times, without need after {early}"
    for one in evidence.found["surplus"]:
        yield f"attempt {one['attempt_id']} has a second call"
    yield from _outcomes(evidence, by_job)


def _attempts(evidence: Evidence) -> Iterator[str]:
    """Attempts say what the provider's log says; of messages outbound knows the hand-over only."""
    states = {one["attempt_id"]: one["state"] for one in evidence.found["attempts"]}
    handed_over = evidence.campaign.kind == "whatsapp"
    for attempt, count in evidence.accepted.items():
        if count > 1:
            yield f"attempt {attempt} was accepted {count} times"
        if states.get(attempt) not in ({"accepted", "unknown"} if handed_over else {"accepted"}):
            yield f"attempt {attempt} was accepted and is {states.get(attempt, 'not there')}"
    for attempt, state in states.items():
        if state == "accepted" and not handed_over and not evidence.accepted[attempt]:
            yield f"attempt {attempt} is accepted, and the provider never had it"


def _outcomes(evidence: Evidence, by_job: Mapping[int, Sequence[str]]) -> Iterator[str]:
    """What we say of a call is what the provider said last."""
    if evidence.campaign.kind != "voice":
        return
    latest = {one["seq"]: one["state"] for one in evidence.found["attempts"]}
    for job in evidence.found["jobs"]:
        made = by_job.get(job["seq"], ())
        if job["state"] in {"done", "exhausted"} and not made:
            yield f"job {job['seq']} is {job['state']}, and nobody was called"
        elif job["state"] == "unknown" and latest.get(job["seq"]) != "accepted":
            continue  # a later attempt was lost with its worker: what an earlier one met is no end
        elif made and job["outcome"] not in _OURS.get(evidence.last.get(made[-1], ""), set()):
            yield (
                f"job {job['seq']} is {job['state']}, {job['outcome']}; the provider said"
                f" {evidence.last.get(made[-1])}"
            )


def _told(evidence: Evidence) -> Iterator[str]:
    """What api shows is what outbound has, each turn once, and counters are sums."""
    jobs, shown = evidence.found["jobs"], evidence.only("shown")
    ours = [(job["seq"], job["state"], job["outcome"]) for job in jobs]
    theirs = [(turn["seq"], turn["state"], turn["outcome"]) for turn in evidence.found["turns"]]
    # The turns of jobs that a cancel closed have no event of their own.
    spoken = [one for one in ours if one[1] != "cancelled"]
    if [one for one in theirs if one[1] != "cancelled"] != spoken:
        yield f"api shows other ends: {_difference(spoken, theirs)}"
    if shown["state"] != evidence.only("run")["state"]:
        yield f"api shows the run {shown['state']}, it is {evidence.only('run')['state']}"
    counted = Counter(job["state"] for job in jobs)
    said = {state: n for state, n in _json(shown["states"]).items() if n}
    if said != dict(counted) or shown["total"] != len(jobs):
        yield f"api counts {said} of {shown['total']}, there are {dict(counted)} of {len(jobs)}"
    called = Counter(call["attempt_id"] for call in evidence.found["calls"])
    accepted = {attempt for attempt in evidence.accepted if evidence.campaign.kind == "voice"}
    if accepted - called.keys():
        yield f"api does not show {len(accepted - called.keys())} calls"


def _cancelled(evidence: Evidence) -> Iterator[str]:
    """I4: what the receipt calls stopped was never attempted."""
    receipt = _json(evidence.only("run")["receipt"])
    if not receipt:
        return
    left = sum(job["state"] == "cancelled" for job in evidence.found["jobs"])
    admitted = len({one["seq"] for one in evidence.found["attempts"]})
    if left < receipt["stopped"]:
        yield f"the cancel stopped {receipt['stopped']}, and only {left} were left out"
    if admitted > receipt["in_flight"] + receipt["ended"] + _waiting(evidence):
        yield f"{admitted} jobs were admitted, the receipt says {receipt}"


def _waiting(evidence: Evidence) -> int:
    """Jobs that had been tried and were stopped while they waited for another try."""
    tried = {one["seq"] for one in evidence.found["attempts"]}
    return sum(
        job["state"] == "cancelled" and job["seq"] in tried for job in evidence.found["jobs"]
    )


def _difference(ours: Sequence[Any], theirs: Sequence[Any]) -> str:
    missing = sorted(set(ours) - set(theirs), key=str)
    strange = sorted(set(theirs) - set(ours), key=str)
    return f"missing {missing[:5]}, strange {strange[:5]}"


def _json(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    loaded: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
    return loaded
