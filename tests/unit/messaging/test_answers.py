"""What an answer of Meta means for an attempt: protocol section 5, row by row."""

from __future__ import annotations

import pytest

from trunkline_messaging.domain.answers import Reply, ResultKind, classify_reply, classify_silence


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(200, provider_id="wamid.1"), "accepted"),
        (Reply(200), "in_doubt"),
        (Reply(429), "later"),
        (Reply(429, code=130429), "later"),
        (Reply(429, code=131056), "later"),
        (Reply(400, code=80007), "later"),
        (Reply(400, code=131048), "later"),
        (Reply(401, code=190), "misconfigured"),
        (Reply(400, code=190), "misconfigured"),
        (Reply(403, code=10), "misconfigured"),
        (Reply(400, code=200), "misconfigured"),
        (Reply(400, code=100, subcode=33), "misconfigured"),
        (Reply(400, code=100), "rejected"),
        (Reply(400, code=131026), "rejected"),
        (Reply(404), "rejected"),
        (Reply(408), "in_doubt"),
        (Reply(307), "in_doubt"),
        (Reply(500, code=131000), "in_doubt"),
        (Reply(503, code=130429), "in_doubt"),
    ],
)
def test_an_answer(reply: Reply, kind: ResultKind) -> None:
    assert classify_reply(reply).kind == kind


def test_a_pair_limit_leaves_other_recipients_alone() -> None:
    assert not classify_reply(Reply(429, code=131056)).whole_sender
    assert classify_reply(Reply(429, code=130429)).whole_sender


def test_retry_after_is_believed_within_reason() -> None:
    assert classify_reply(Reply(429, retry_after=7)).retry_after == 7
    assert classify_reply(Reply(429, retry_after=0)).retry_after == 1
    assert classify_reply(Reply(429, retry_after=999_999)).retry_after == 3600
    assert classify_reply(Reply(429)).retry_after is None


def test_silence_is_judged_by_the_last_byte_alone() -> None:
    assert classify_silence(released=False, reason="refused").kind == "not_sent"
    assert classify_silence(released=True, reason="reset").kind == "in_doubt"
