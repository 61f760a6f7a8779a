"""Dialogues as TwiML: each document, each key, each end."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_api.domain.speech import Speaker, is_machine, values_of
from trunkline_api.domain.steps import Dialogue

ASKING: dict[str, Any] = {
    "language": "de-DE",
    "voice": "Polly.Vicki",
    "variables": {"first_name": {}, "city": {"default": "Berlin"}},
    "steps": [
        {"do": "say", "text": "Hallo {{first_name}} in {{city}}", "language": "fr-FR"},
        {
            "do": "gather",
            "prompt": [{"do": "play", "media_id": "med_1"}, {"do": "say", "text": "Taste?"}],
            "timeout": 7,
            "most_repeats": 1,
            "actions": {
                "1": {"do": "confirm", "say": "Danke {{first_name}}"},
                "2": {"do": "connect", "to": "+4930111222", "otherwise": "Niemand da"},
                "3": {"do": "hang_up"},
                "9": {"do": "opt_out", "say": "Nie wieder"},
            },
        },
        {"do": "say", "text": "Ende"},
    ],
    "voicemail": [{"do": "say", "text": "Hier Nachricht, {{first_name}}"}],
}


class Paths:
    """Addresses that tell what was asked."""

    def digits(self, step: int, turn: int) -> str:
        return f"/digits/{step}/{turn}"

    def dialled(self, step: int, digits: str) -> str:
        return f"/dialled/{step}/{digits}"

    def leg(self) -> str:
        return "/leg"

    def media(self, media_id: str) -> str:
        return f"/media/{media_id}"


def speaker(name: str = "Ada", **changes: Any) -> Speaker:
    dialogue = Dialogue.model_validate({**ASKING, **changes})
    values = values_of(dialogue, {"first_name": name})
    return Speaker(dialogue, Paths(), values, "+15005550006")


def verbs(document: str | None) -> list[tuple[str, str, dict[str, str]]]:
    assert document is not None
    root = ET.fromstring(document)  # noqa: S314  # our own answer
    assert root.tag == "Response"
    return [(verb.tag, verb.text or "", verb.attrib) for verb in root.iter() if verb is not root]


def said(document: str | None) -> list[str]:
    return [text for tag, text, _ in verbs(document) if tag == "Say"]


def test_the_opening_goes_up_to_the_question() -> None:
    greeting, gather, play, ask = verbs(speaker().opening())
    assert greeting == ("Say", "Hallo Ada in Berlin", {"language": "fr-FR", "voice": "Polly.Vicki"})
    assert gather[0] == "Gather"
    assert gather[2] == {
        "action": "/digits/1/0",
        "actionOnEmptyResult": "true",
        "finishOnKey": "",
        "input": "dtmf",
        "method": "POST",
        "numDigits": "1",
        "timeout": "7",
    }
    assert play[:2] == ("Play", "/media/med_1")
    assert ask[:2] == ("Say", "Taste?")


def test_a_confirmation_goes_on() -> None:
    reaction = speaker().answer(1, 0, "1")
    assert reaction is not None
    assert (reaction.meaning, said(reaction.document)) == ("confirm", ["Danke Ada", "Ende"])


def test_an_opt_out_is_told_and_ends_the_call() -> None:
    reaction = speaker().answer(1, 0, "9")
    assert reaction is not None
    assert reaction.meaning == "opt_out"
    assert [verb[:2] for verb in verbs(reaction.document)] == [
        ("Say", "Nie wieder"),
        ("Hangup", ""),
    ]


def test_a_connection_shows_our_number_and_has_its_limits() -> None:
    reaction = speaker().answer(1, 0, "2")
    assert reaction is not None
    dial, number = verbs(reaction.document)
    assert (reaction.meaning, dial[0], number[:2]) == (
        "connect",
        "Dial",
        ("Number", "+4930111222"),
    )
    assert dial[2] == {
        "action": "/dialled/1/2",
        "callerId": "+15005550006",
        "method": "POST",
        "timeLimit": "3600",
        "timeout": "20",
    }
    assert number[2]["statusCallback"] == "/leg"


@pytest.mark.parametrize(
    ("status", "words"),
    [("completed", []), ("no-answer", ["Niemand da"]), ("busy", ["Niemand da"])],
)
def test_after_a_connection_the_call_is_over(status: str, words: list[str]) -> None:
    document = speaker().after_connection(1, "2", status)
    assert said(document) == words
    assert verbs(document)[-1][0] == "Hangup"


@pytest.mark.parametrize(("step", "digits"), [(0, "2"), (7, "2"), (-1, "2"), (1, "1")])
def test_no_connection_ends_where_none_was_asked_for(step: int, digits: str) -> None:
    assert speaker().after_connection(step, digits, "completed") is None


def test_other_keys_ask_again_until_it_is_enough() -> None:
    first = speaker().answer(1, 0, "5")
    assert first is not None
    assert first.meaning == "repeat"
    assert verbs(first.document)[0][2]["action"] == "/digits/1/1"
    second = speaker().answer(1, 1, "5")
    assert second is not None
    assert said(second.document) == ["Ende"]


@pytest.mark.parametrize(
    ("no_input", "tags"),
    [("go_on", ["Say"]), ("repeat", ["Gather", "Play", "Say"]), ("hang_up", ["Hangup"])],
)
def test_silence_has_its_own_rule(no_input: str, tags: list[str]) -> None:
    steps = [ASKING["steps"][0], {**ASKING["steps"][1], "no_input": no_input}, ASKING["steps"][2]]
    reaction = speaker(steps=steps).answer(1, 0, "")
    assert reaction is not None
    assert (reaction.meaning, [verb[0] for verb in verbs(reaction.document)]) == ("no_input", tags)


@pytest.mark.parametrize("step", [-1, 0, 2, 3, 99])
def test_nothing_is_answered_where_nothing_is_asked(step: int) -> None:
    assert speaker().answer(step, 0, "1") is None


def test_a_machine_hears_the_message_or_nothing() -> None:
    assert said(speaker().to_a_machine()) == ["Hier Nachricht, Ada"]
    assert verbs(speaker(voicemail=None).to_a_machine()) == [("Hangup", "", {})]


@pytest.mark.parametrize(
    ("answered_by", "machine"),
    [("machine_start", True), ("machine_end_beep", True), ("machine_end_silence", True),
     ("fax", True), ("human", False), ("unknown", False), ("", False)],
)  # fmt: skip
def test_machines_are_told_from_people(answered_by: str, machine: bool) -> None:
    assert is_machine(answered_by) is machine


def test_a_default_stands_in_for_what_a_contact_lacks() -> None:
    dialogue = Dialogue.model_validate(ASKING)
    assert values_of(dialogue, {"city": "", "other": "x"}) == {"first_name": "", "city": "Berlin"}


@pytest.mark.parametrize(
    "name", ['</Say><Dial>+4900</Dial> Tom & "Jerry" \'', "{{city}}", "\x00\x0b\ud800 ü 🎉"]
)
def test_a_value_cannot_leave_its_element(name: str) -> None:
    first = verbs(speaker(name).opening())[0]
    assert first[0] == "Say"
    assert len(verbs(speaker(name).opening())) == 4
    assert "Berlin" in first[1]
    assert ("{{city}}" in first[1]) == (name == "{{city}}")


@given(st.text(max_size=5000))
def test_any_value_makes_a_document(name: str) -> None:
    assert len(verbs(speaker(name).opening())[0][1]) <= 4_096
