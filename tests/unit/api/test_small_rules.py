"""Keys, cursors, scripts, and what a provider's callback says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_api.domain.cursors import read_cursor, write_cursor
from trunkline_api.domain.provider_facts import Place, call_status, meta_elements
from trunkline_api.domain.scopes import digest_of, read_key, same, shown_prefix, whole_key
from trunkline_api.feeds import CHUNK_BYTES, fitting
from trunkline_common.contracts.api import AudienceContact, MessageStatusReported, RunAudienceAdded
from trunkline_common.ids import ATTEMPT, KEY, new_id

PLACE = Place("chn_1", "AC1", "att_1")


def test_a_key_is_read_back() -> None:
    key_id = new_id(KEY)
    whole = whole_key(key_id, "a" * 40)
    read = read_key(whole)
    assert read is not None
    assert (read.key_id, read.digest) == (key_id, digest_of("a" * 40))
    assert whole.startswith(shown_prefix(key_id))
    assert "a" * 40 not in read.digest


@pytest.mark.parametrize("text", ["", "tk_live_", "tk_live_x_y", "sk_" + "a" * 70, "\x00"])
def test_what_is_no_key_is_none(text: str) -> None:
    assert read_key(text) is None


def test_digests_are_told_apart() -> None:
    assert same("é", "é")
    assert not same("a", "b")


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=40))
def test_a_cursor_is_read_back(position: str) -> None:
    assert read_cursor(write_cursor(position)) == position


@given(st.text(max_size=50))
def test_any_text_is_a_cursor_or_none(text: str) -> None:
    read_cursor(text)


def test_a_status_is_one_event_however_often_it_comes() -> None:
    form = {"CallSid": "CA1", "CallStatus": "completed", "SequenceNumber": "3",
            "CallDuration": "12", "Timestamp": "Mon, 23 Nov 2026 10:00:00 +0000"}  # fmt: skip
    one = call_status(form, PLACE, "raw")
    assert one.key == call_status(form, PLACE, "raw").key
    assert one.key != call_status({**form, "CallStatus": "busy"}, PLACE, "raw").key
    assert one.event is not None
    said = one.event.model_dump(mode="json")
    assert said["duration"] == 12
    assert said["reported_at"] == "2026-11-23T10:00:00Z"


def test_a_status_without_what_matters_is_an_error() -> None:
    with pytest.raises(KeyError):
        call_status({"CallSid": "CA1"}, PLACE, "")
    with pytest.raises(ValueError, match="not a word"):
        call_status({"CallSid": "CA\x00", "CallStatus": "x"}, PLACE, "")


def test_one_bad_element_does_not_fail_the_rest() -> None:
    attempt = new_id(ATTEMPT)
    statuses = [
        {"id": "wamid.1", "status": "sent", "timestamp": "1700000000",
         "biz_opaque_callback_data": attempt},
        {"status": "sent"},
        "nonsense",
        {"id": "wamid.2", "status": "failed", "timestamp": "never"},
        {"id": "wamid.3", "status": "failed", "timestamp": "1700000001",
         "errors": [{"code": 131026, "title": "undeliverable"}]},
    ]  # fmt: skip
    own = {"metadata": {"phone_number_id": "1"}, "statuses": statuses}
    foreign = {"metadata": {"phone_number_id": "2"}, "statuses": statuses[:1]}
    body = {"entry": [{"changes": [{"value": own}, {"value": foreign}, {"value": None}]}]}
    heard = list(meta_elements(json.dumps(body).encode(), "chn_1", "1"))

    events = [one.event for one in heard if isinstance(one.event, MessageStatusReported)]
    assert [(event.provider_message_id, event.attempt_id) for event in events] == [
        ("wamid.1", attempt),
        ("wamid.3", None),
    ]
    assert events[1].error_code == 131026
    assert len([one for one in heard if one.problem]) == 5
    assert len({one.key for one in heard}) == len(heard)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"entry": 1}', b"\xff", b'{"entry": [1]}'])
def test_what_is_no_batch_is_kept_with_the_reason(body: bytes) -> None:
    [heard] = meta_elements(body, "chn_1", "1")
    assert heard.problem is not None
    assert heard.event is None


def test_a_chunk_never_grows_over_its_bytes() -> None:
    contacts = [
        AudienceContact(contact_id=f"con_{n}", address="+49", variables={"x": "ü" * 2000})
        for n in range(100)
    ]
    chunk = fitting(contacts)
    assert 1 < len(chunk) < 100
    event = RunAudienceAdded(run_id=new_id("run"), chunk=99, contacts=tuple(chunk))
    assert len(event.model_dump_json().encode()) <= CHUNK_BYTES
    assert len(fitting(contacts[:3])) == 3
    assert fitting([]) == []
