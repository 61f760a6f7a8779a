"""Whether a run adds up: pure judgements over the evidence, each in words that name the numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from trunkline_dev.demo.evidence import Evidence, Stored, Told
from trunkline_dev.demo.traces import CORRELATION, Span, of_attempt

# How the provider's last word on a call reads in ours.
_CALL_WORDS: Final = {
    "answered": "completed",
    "machine": "completed",
    "busy": "busy",
    "no_answer": "no-answer",
    "failed": "failed",
    "canceled": "canceled",
}
_NAMED: Final = 5
_CALLBACK: Final = "/twilio/"  # of its route
_REPORTED: Final = ":call.status_reported."


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that must hold, and the numbers that say whether it does."""

    holds: bool
    about: str
    told: str


def judge(evidence: Evidence) -> list[Verdict]:
    """Every verdict; the run adds up if all hold."""
    return [*_import(evidence), *_once_each(evidence), *_ends(evidence), *_outcomes(evidence)]


def _import(evidence: Evidence) -> Iterator[Verdict]:
    counts = evidence.imported["counts"]
    whole = counts["imported"] + counts["duplicates"] + counts["rejected"]
    reasons = sum(evidence.imported["rejected_by_reason"].values())
    yield Verdict(
        counts["rows"] == whole and counts["rejected"] == reasons,
        "every row is accounted for",
        f"{counts['rows']} rows = {counts['imported']} imported + {counts['duplicates']} duplicates"
        f" + {counts['rejected']} rejected, {reasons} with a reason",
    )
    yield Verdict(
        len(evidence.addresses) == counts["imported"] == evidence.run["total"],
        "the run's audience is what was imported",
        f"{counts['imported']} imported, {len(evidence.addresses)} contacts,"
        f" {evidence.run['total']} in the run",
    )


def _once_each(evidence: Evidence) -> Iterator[Verdict]:
    accepted = evidence.witnessed.accepted
    twice = [address for address, count in accepted.items() if count > 1]
    missed = evidence.addresses - accepted.keys()
    strange = accepted.keys() - evidence.addresses
    word = "dialled" if evidence.kind == "voice" else "written to"
    yield Verdict(
        not twice and not missed and not strange,
        f"{word} exactly once each, by the provider's own log",
        f"{accepted.total()} requests accepted for {len(accepted)} of"
        f" {len(evidence.addresses)} contacts; twice {_few(twice)}, never {_few(missed)},"
        f" strangers {_few(strange)}",
    )


def _ends(evidence: Evidence) -> Iterator[Verdict]:
    run, states = evidence.run, Counter(contact["state"] for contact in evidence.contacts)
    yield Verdict(
        run["state"] == "completed" and len(evidence.contacts) == run["total"],
        "every contact's turn ended with a reason",
        f"run {run['state']}; {len(evidence.contacts)} of {run['total']} turns ended: "
        + _listed(states),
    )
    yield Verdict(
        set(states) == {"done"},
        "nothing is in doubt",
        f"ended other than done: {_listed(states - Counter(done=states['done'])) or 'none'}",
    )


def _outcomes(evidence: Evidence) -> Iterator[Verdict]:
    theirs = evidence.witnessed.outcomes
    ours = Counter(contact["outcome"] for contact in evidence.contacts)
    if evidence.kind == "whatsapp":
        shown = Counter(message["state"] for message in evidence.jobs)
        yield Verdict(
            shown == theirs,
            "each message shows what the provider said last",
            f"ours {_listed(shown)}; theirs {_listed(theirs)}",
        )
        yield Verdict(
            ours == theirs,
            "each contact's turn shows the same",
            f"ours {_listed(ours)}; theirs {_listed(theirs)}",
        )
        return
    translated: Counter[str] = Counter()
    for outcome, count in ours.items():
        translated[_CALL_WORDS.get(outcome, str(outcome))] += count
    yield Verdict(
        translated == theirs,
        "outcomes are what the provider saw",
        f"ours {_listed(ours)}; theirs {_listed(theirs)}",
    )
    yield from _recordings(evidence)


def _recordings(evidence: Evidence) -> Iterator[Verdict]:
    told = {
        recording["id"]: recording for call in evidence.jobs for recording in call["recordings"]
    }
    wrong = [
        name
        for name, one in told.items()
        if one["state"] != "stored"
        or evidence.files.get(name) != Stored(one["size"], one["sha256"])
    ]
    made = evidence.witnessed.recordings
    size = sum(one.size for one in evidence.files.values()) / 1_000_000
    yield Verdict(
        len(told) == len(evidence.files) == made and not wrong,
        "every recording is stored, whole",
        f"{made} made by the provider, {len(told)} told by the API, {len(evidence.files)} files"
        f" ({size:.1f} MB); wrong size or checksum {_few(wrong)}",
    )


def traced(evidence: Evidence, job: Told, spans: Sequence[Span]) -> Verdict:
    """Whether one job can be followed from the request that started its run, and back."""
    joined = [s for s in spans if s.attributes.get(CORRELATION) == job["correlation_id"]]
    found = _voice_way(job, joined) if evidence.kind == "voice" else _message_way(job, joined)
    found["the request that started the run"] = any(
        s.service == "api" and s.name.startswith("POST") and s.name.endswith("/start")
        for s in joined
    )
    missing = sorted(step for step, there in found.items() if not there)
    own = of_attempt(joined, job["attempt_id"])
    services = sorted({span.service for span in own})
    return Verdict(
        not missing,
        "one job can be followed to the provider and back by its correlation id",
        f"{len(own)} spans of its own in {', '.join(services) or 'no service'}, of {len(joined)}"
        " of its run" + (f"; missing: {', '.join(missing)}" if missing else ""),
    )


def _voice_way(job: Told, joined: Sequence[Span]) -> dict[str, bool]:
    """Twilio calls back at a URL of ours, so its callbacks are in the very trace of the call."""
    traces = _traces_of(job, "POST Calls", joined)
    back = [span for span in joined if span.trace in traces]
    return {
        "POST Calls": bool(traces),
        "a callback": any(
            s.service == "api" and s.name.startswith("POST") and _CALLBACK in s.name for s in back
        ),
        "its processing": any(
            s.service == "outbound" and s.name.startswith("process") and _REPORTED in s.name
            for s in back
        ),
    }


def _message_way(job: Told, joined: Sequence[Span]) -> dict[str, bool]:
    """Meta gives back an attempt id and no correlation: messaging says its news under ours."""
    traces = _traces_of(job, "POST messages", joined)
    heard = [s for s in joined if s.trace in traces and s.name.startswith("process")]
    return {
        "POST messages": bool(traces),
        "its processing": any(
            s.service in {"api", "outbound"} and f":message.{job['state']}." in s.name
            for s in heard
        ),
    }


def _traces_of(job: Told, request: str, joined: Sequence[Span]) -> set[str]:
    """The traces in which this very attempt was sent."""
    return {
        span.trace
        for span in joined
        if span.name == request and span.attributes.get("trunkline.attempt_id") == job["attempt_id"]
    }


def _few(names: object) -> str:
    listed = sorted(names) if isinstance(names, (set, frozenset, list)) else []
    if not listed:
        return "none"
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return f"{len(listed)} ({', '.join(listed[:_NAMED])}{more})"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common() if count)
