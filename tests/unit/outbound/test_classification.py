"""What a provider's answer means, row by row of the protocol's table."""

from __future__ import annotations

import pytest

from trunkline_outbound.domain.classification import Result, classify_answer, classify_silence


def classified(
    status: int,
    code: int | None = None,
    provider_id: str | None = None,
    retry_after: float | None = None,
) -> Result:
    return classify_answer(
        status, code=code, provider_id=provider_id, retry_after=retry_after, text="said"
    )


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, 21211, "rejected"),
        (404, 20404, "rejected"),
        (400, 21210, "misconfigured"),
        (401, 20003, "misconfigured"),
        (403, None, "misconfigured"),
        (429, 20429, "later"),
        (400, 10004, "later"),
        (408, None, "in_doubt"),
        (500, None, "in_doubt"),
        (503, 20503, "in_doubt"),
        (307, None, "in_doubt"),
    ],
)
def test_answers_without_acceptance(status: int, code: int | None, kind: str) -> None:
    assert classified(status, code).kind == kind


def test_acceptance_needs_a_readable_id() -> None:
    assert classified(201, provider_id="CA1") == Result("accepted", provider_id="CA1")
    assert classified(201).kind == "in_doubt"


@pytest.mark.parametrize(
    ("asked", "waits"), [(None, 5.0), (0.0, 1.0), (7.0, 7.0), (99_999.0, 3600.0)]
)
def test_a_limit_waits_as_long_as_the_provider_says(asked: float | None, waits: float) -> None:
    assert classified(429, 20429, retry_after=asked).retry_after == waits


def test_silence_is_told_apart_by_the_last_byte_alone() -> None:
    assert classify_silence(released=False, reason="x").kind == "not_sent"
    assert classify_silence(released=True, reason="x").kind == "in_doubt"
