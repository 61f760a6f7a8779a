"""Fates are a function of seed, address and attempt, in the shares that were asked for."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline_sandbox.fates import (
    MAGIC_CALLS,
    MAGIC_MESSAGES,
    USUAL_MIX,
    call_fate,
    message_fate,
    parse_mix,
)

NUMBERS = [f"+49170{n * 7919 % 10**7:07}" for n in range(5, 2500)]


def test_the_usual_mix_comes_out() -> None:
    seen = Counter(call_fate(1, number).outcome for number in NUMBERS)
    for outcome, share in USUAL_MIX.items():
        assert abs(100 * seen[outcome] / len(NUMBERS) - share) < 3.0


@settings(max_examples=40)
@given(st.integers(), st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True), st.integers(0, 9))
def test_the_same_question_has_the_same_answer(seed: int, to: str, nth: int) -> None:
    fate = call_fate(seed, to, nth)
    assert fate == call_fate(seed, to, nth)
    assert fate.ring_seconds >= 1.0
    assert 5.0 <= fate.talk_seconds <= 60.0
    assert message_fate(seed, to, nth) == message_fate(seed, to, nth)


def test_seed_and_attempt_change_fates() -> None:
    first = [call_fate(1, number).outcome for number in NUMBERS]
    assert first != [call_fate(2, number).outcome for number in NUMBERS]
    assert first != [call_fate(1, number, 1).outcome for number in NUMBERS]


@pytest.mark.parametrize(("digits", "outcome"), list(MAGIC_CALLS.items()))
def test_magic_numbers_order_a_call(digits: str, outcome: str) -> None:
    mix = parse_mix("busy=1" if outcome != "busy" else "answered=1")
    assert {call_fate(seed, f"+4917{digits}", 0, mix).outcome for seed in range(9)} == {outcome}


@pytest.mark.parametrize(("digits", "journey"), list(MAGIC_MESSAGES.items()))
def test_magic_numbers_order_a_message(digits: str, journey: str) -> None:
    assert {message_fate(seed, f"+4917{digits}").journey for seed in range(9)} == {journey}


@pytest.mark.parametrize("text", ["", "answered=0", "answered=-1,busy=2", "sleepy=3", "busy=x"])
def test_a_senseless_mix_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_mix(text)


def test_a_share_of_nothing_never_comes() -> None:
    mix = parse_mix("answered=0,busy=1,failed=0")
    assert {call_fate(3, number, 0, mix).outcome for number in NUMBERS} == {"busy"}
