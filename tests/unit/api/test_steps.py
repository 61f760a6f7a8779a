"""What a dialogue may be: refused whole, with the place, before anybody is called."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from trunkline_api.domain.steps import (
    Dialogue,
    Say,
    Variable,
    media_of,
    required_of,
    texts_of,
    undeclared_in,
)

ASK: dict[str, Any] = {
    "do": "gather",
    "prompt": [{"do": "say", "text": "Press 1, {{first_name}}"}],
    "actions": {"1": {"do": "confirm", "say": "Noted"}},
}


def say(text: str) -> dict[str, str]:
    return {"do": "say", "text": text}


def test_a_script_is_one_step() -> None:
    assert Dialogue(script="Hello").story == (Say(do="say", text="Hello"),)


def test_texts_and_files_are_found_with_their_places() -> None:
    dialogue = Dialogue.model_validate(
        {
            "steps": [
                say("a"),
                {
                    **ASK,
                    "prompt": [say("b"), {"do": "play", "media_id": "med_1"}],
                    "other": {"do": "connect", "to": "+4930111222", "otherwise": "d"},
                },
                {"do": "play", "media_id": "med_2"},
            ],
            "voicemail": [say("e"), {"do": "play", "media_id": "med_3"}],
        }
    )
    assert dict(texts_of(dialogue)) == {
        "steps/0/text": "a",
        "steps/1/prompt/0/text": "b",
        "steps/1/actions/1/say": "Noted",
        "steps/1/other/otherwise": "d",
        "voicemail/0/text": "e",
    }
    assert dict(media_of(dialogue)) == {
        "steps/1/prompt/1/media_id": "med_1",
        "steps/2/media_id": "med_2",
        "voicemail/1/media_id": "med_3",
    }


def test_what_nobody_declared_is_found() -> None:
    dialogue = Dialogue.model_validate({"steps": [ASK], "voicemail": [say("{{city}} {{day}}")]})
    assert undeclared_in(texts_of(dialogue), {"day"}) == [
        ("steps/0/prompt/0/text", "first_name"),
        ("voicemail/0/text", "city"),
    ]


def test_only_what_has_no_default_is_required() -> None:
    assert required_of({"b": Variable(), "a": Variable(default=""), "c": Variable()}) == ["b", "c"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        pytest.param({"script": "a\x07"}, "script", id="control character"),
        pytest.param({"script": "{{ a b }}"}, "script", id="an expression"),
        pytest.param({"script": "a", "steps": [say("b")]}, "", id="script and steps"),
        pytest.param({"steps": []}, "steps", id="no step"),
        pytest.param({"steps": [say("a")] * 21}, "steps", id="too many steps"),
        pytest.param({"steps": [say("a" * 4000)] * 5}, "", id="too many words"),
        pytest.param({"steps": [{"do": "redirect"}]}, "steps", id="no such step"),
        pytest.param({"steps": [{**say("a"), "url": "http://x"}]}, "steps", id="unknown field"),
        pytest.param({"steps": [{**ASK, "actions": {}}]}, "steps", id="no action"),
        pytest.param({"steps": [{**ASK, "digits": 2}]}, "steps", id="a key too short"),
        pytest.param({"steps": [{**ASK, "digits": 0}]}, "steps", id="no keys"),
        pytest.param(
            {"steps": [{**ASK, "actions": {"A": {"do": "repeat"}}}]}, "steps", id="no such key"
        ),
        pytest.param(
            {"steps": [{**ASK, "actions": {"1": {"do": "opt_out"}}}]}, "steps", id="unsaid opt-out"
        ),
        pytest.param(
            {"steps": [{**ASK, "actions": {"1": {"do": "connect", "to": "030 1234"}}}]},
            "steps",
            id="a national number",
        ),
        pytest.param({"voicemail": [ASK]}, "voicemail", id="a machine presses nothing"),
        pytest.param({"variables": {"a b": {}}}, "variables", id="no name"),
    ],
)
def test_what_cannot_be_done_is_refused(change: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Dialogue.model_validate(change)
    assert str((refused.value.errors()[0]["loc"] or ("",))[0]) == place


def test_what_a_later_version_wrote_is_read_without_it() -> None:
    kept = {"steps": [{**say("a"), "mood": "glad"}], "later": 1}
    assert Dialogue.model_validate(kept, extra="ignore").story == (Say(do="say", text="a"),)
