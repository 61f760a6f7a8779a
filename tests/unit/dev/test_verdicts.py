"""Each verdict of the demo holds for what is well, and falls for what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from trunkline_dev.demo.evidence import Evidence, Stored, Witnessed
from trunkline_dev.demo.traces import CORRELATION, Span
from trunkline_dev.demo.verdicts import judge, traced

AT = datetime(2026, 11, 24, tzinfo=UTC)
PHONES = ("+49302312501", "+49302312502", "+49302312503")
JOB = {"attempt_id": "att_1", "correlation_id": "cor_1", "state": "read", "recordings": []}
Change = Callable[[Evidence], Evidence]


def witnessed(outcomes: dict[str, int], recordings: int = 0) -> Witnessed:
    return Witnessed(Counter(PHONES), Counter(outcomes), recordings, AT, AT)


def turns(*outcomes: str) -> tuple[dict[str, Any], ...]:
    return tuple({"state": "done", "outcome": outcome} for outcome in outcomes)


def voice() -> Evidence:
    """Three calls, two of them answered, one recorded; all is well."""
    recording = {"id": "rec_1", "state": "stored", "size": 3, "sha256": "aa"}
    return Evidence(
        kind="voice",
        imported={
            "counts": {"rows": 6, "imported": 3, "duplicates": 1, "rejected": 2},
            "rejected_by_reason": {"missing_number": 2},
        },
        run={"state": "completed", "total": 3},
        addresses=frozenset(PHONES),
        contacts=turns("answered", "machine", "no_answer"),
        jobs=({**JOB, "recordings": [recording]}, JOB, JOB),
        witnessed=witnessed({"completed": 2, "no-answer": 1}, recordings=1),
        files={"rec_1": Stored(3, "aa")},
    )


def whatsapp() -> Evidence:
    return replace(
        voice(),
        kind="whatsapp",
        contacts=turns("read", "read", "delivered"),
        jobs=tuple({**JOB, "state": state} for state in ("read", "delivered", "read")),
        witnessed=witnessed({"read": 2, "delivered": 1}),
        files={},
    )


def imported(**counts: int) -> Change:
    def change(e: Evidence) -> Evidence:
        told = {**e.imported, "counts": {**e.imported["counts"], **counts}}
        return replace(e, imported=told)

    return change


def accepted(**times: int) -> Change:
    """How often the provider accepted a request to each number."""

    def change(e: Evidence) -> Evidence:
        found = Counter({f"+{number}": count for number, count in times.items()})
        return replace(e, witnessed=replace(e.witnessed, accepted=Counter(PHONES) + found))

    return change


def first_contact(**told: str) -> Change:
    return lambda e: replace(e, contacts=({**e.contacts[0], **told}, *e.contacts[1:]))


def first_recording(**told: object) -> Change:
    def change(e: Evidence) -> Evidence:
        recording = {**e.jobs[0]["recordings"][0], **told}
        return replace(e, jobs=({**e.jobs[0], "recordings": [recording]}, *e.jobs[1:]))

    return change


def fallen(evidence: Evidence) -> list[str]:
    return [verdict.about for verdict in judge(evidence) if not verdict.holds]


@pytest.mark.parametrize("evidence", [voice(), whatsapp()], ids=["voice", "whatsapp"])
def test_what_is_well_adds_up(evidence: Evidence) -> None:
    assert fallen(evidence) == []
    assert len(judge(evidence)) == 7


@pytest.mark.parametrize(
    ("change", "about"),
    [
        (imported(rows=7), "every row is accounted for"),
        (lambda e: replace(e, imported={**e.imported, "rejected_by_reason": {}}), "every row"),
        (lambda e: replace(e, run={**e.run, "total": 4}), "the run's audience is"),
        (lambda e: replace(e, addresses=e.addresses | {"+1"}), "the run's audience is"),
        (accepted(**{PHONES[0][1:]: 1}), "dialled exactly once each"),
        (accepted(**{"4915100000001": 1}), "dialled exactly once each"),
        (
            lambda e: replace(e, witnessed=replace(e.witnessed, accepted=Counter(PHONES[:2]))),
            "dialled exactly once each",
        ),
        (lambda e: replace(e, run={**e.run, "state": "running"}), "every contact's turn ended"),
        (lambda e: replace(e, contacts=e.contacts[:2]), "every contact's turn ended"),
        (first_contact(state="unknown"), "nothing is in doubt"),
        (first_contact(outcome="busy"), "outcomes are what the provider saw"),
        (lambda e: replace(e, files={}), "every recording is stored, whole"),
        (lambda e: replace(e, files={"rec_1": Stored(2, "aa")}), "every recording is stored"),
        (lambda e: replace(e, files={"rec_1": Stored(3, "bb")}), "every recording is stored"),
        (first_recording(state="failed"), "every recording is stored"),
        (
            lambda e: replace(e, witnessed=replace(e.witnessed, recordings=2)),
            "every recording is stored",
        ),
    ],
)
def test_what_is_wrong_with_a_voice_run_is_seen(change: Change, about: str) -> None:
    assert any(found.startswith(about) for found in fallen(change(voice())))


@pytest.mark.parametrize(
    ("change", "about"),
    [
        (accepted(**{PHONES[0][1:]: 1}), "written to exactly once each"),
        (first_contact(outcome="delivered"), "each contact's turn shows the same"),
        (first_contact(outcome="accepted"), "each contact's turn shows the same"),
        (lambda e: replace(e, jobs=e.jobs[1:]), "each message shows what the provider said last"),
    ],
)
def test_what_is_wrong_with_a_whatsapp_run_is_seen(change: Change, about: str) -> None:
    assert any(found.startswith(about) for found in fallen(change(whatsapp())))


def span(service: str, name: str, trace: str = "call", **about: object) -> Span:
    attributes = {CORRELATION: "cor_1", **about}
    return Span(trace, f"{service} {name}", None, service, name, 0.0, 1.0, attributes)


SENT = {"trunkline.attempt_id": "att_1"}
CALL_WAY = (
    span("api", "POST /runs/{run_id}/start", "run"),
    span("outbound", "POST Calls", **SENT),
    span("api", "POST /twilio/{channel_id}/{run_id}/{attempt_id}/{token}/status"),
    span("outbound", "process trunkline.api:call.status_reported.v1:outbound.callbacks"),
)
MESSAGE_WAY = (
    span("api", "POST /runs/{run_id}/start", "run"),
    span("messaging", "POST messages", **SENT),
    span("outbound", "process trunkline.messaging:message.read.v1:outbound.results"),
)


@pytest.mark.parametrize(("evidence", "way"), [(voice(), CALL_WAY), (whatsapp(), MESSAGE_WAY)])
def test_every_step_of_a_jobs_way_is_needed_under_its_correlation_id(
    evidence: Evidence, way: tuple[Span, ...]
) -> None:
    assert traced(evidence, JOB, way).holds
    assert not traced(evidence, {**JOB, "correlation_id": "cor_2"}, way).holds
    assert not traced(evidence, {**JOB, "attempt_id": "att_2"}, way).holds
    for at, step in enumerate(way):
        assert not traced(evidence, JOB, [*way[:at], *way[at + 1 :]]).holds, step.name
        elsewhere = replace(step, attributes={**step.attributes, CORRELATION: "cor_2"})
        assert not traced(evidence, JOB, [*way[:at], elsewhere, *way[at + 1 :]]).holds, step.name


def test_a_callback_about_another_call_of_the_run_does_not_count() -> None:
    other = [replace(step, trace="another") if at > 1 else step for at, step in enumerate(CALL_WAY)]
    assert "missing: a callback, its processing" in traced(voice(), JOB, other).told
