"""Our frames against those of the driver: the same message, read back by its own decoder."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from trunkline_common.broker.frames import publish_frames

FRAME_MAX = 4_096
short = st.text(max_size=60)
whole = st.integers(-(2**31), 2**31 - 1)
name = st.text(min_size=1, max_size=32)  # of a header: 128 bytes at most
value = st.one_of(
    st.text(), whole, st.booleans(), st.none(), st.lists(whole | short, max_size=3),
    st.dictionaries(name, whole, max_size=3),
)  # fmt: skip
headers = st.dictionaries(name, value, max_size=12)
properties = st.fixed_dictionaries(
    {"headers": st.none() | headers},
    optional={
        "content_type": short,
        "content_encoding": short,
        "delivery_mode": st.sampled_from([1, 2]),
        "priority": st.integers(0, 9),
        "correlation_id": short,
        "reply_to": short,
        "expiration": st.integers(0, 10**6).map(str),
        "message_id": short,
        "timestamp": st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001
            lambda at: at.replace(microsecond=0, tzinfo=UTC)
        ),
        "message_type": short,
        "user_id": short,
        "app_id": short,
    },
)


def decoded(data: bytes) -> list[tuple[int, Any]]:
    """What the driver reads: the channel and the frame of each."""
    frames = []
    while data:
        used, channel, found = frame.unmarshal(data)
        frames.append((channel, found))
        data = data[used:]
    return frames


@given(properties, st.binary(max_size=3 * FRAME_MAX), short, short, st.integers(1, 65_535))
def test_the_driver_reads_what_was_meant(
    said: dict[str, Any], body: bytes, exchange: str, key: str, channel: int
) -> None:
    meant = Basic.Properties(**said)
    data = publish_frames(channel, exchange, key, meant, body, frame_max=FRAME_MAX)
    theirs = frame.marshal(ContentHeader(properties=meant, body_size=len(body)), channel)
    (_, method), (_, header), *bodies = decoded(data)
    assert isinstance(method, Basic.Publish)
    assert (method.exchange, method.routing_key) == (exchange, key)
    assert (method.mandatory, method.immediate) == (True, False)
    assert isinstance(header, ContentHeader)
    assert header.body_size == len(body)
    (_, read) = decoded(theirs)[0]
    assert header.properties == read.properties
    assert all(isinstance(piece, ContentBody) for _, piece in bodies)
    assert b"".join(piece.value for _, piece in bodies) == body
    assert all(number == channel for number, _ in decoded(data))


def test_the_bytes_are_those_of_the_driver() -> None:
    meant = Basic.Properties(
        content_type="application/json",
        delivery_mode=2,
        message_id="evt_1",
        timestamp=datetime(2026, 11, 25, tzinfo=UTC),
        headers={"ce-id": "evt_1", "ce-type": "a.b.v1", "x-attempt": 1},
    )
    ours = publish_frames(7, "trunkline.api", "biz.a.b.v1", meant, b"{}", frame_max=FRAME_MAX)
    publish = Basic.Publish(exchange="trunkline.api", routing_key="biz.a.b.v1", mandatory=True)
    header = ContentHeader(properties=meant, body_size=2)
    assert ours == b"".join(frame.marshal(one, 7) for one in (publish, header, ContentBody(b"{}")))


@pytest.mark.parametrize("field", ["correlation_id", "message_id"])
def test_what_does_not_fit_into_a_short_string_is_refused(field: str) -> None:
    meant = Basic.Properties(**{field: "ä" * 128})  # type: ignore[arg-type]  # a field of texts
    with pytest.raises(ValueError, match="256 bytes are too many"):
        publish_frames(1, "e", "k", meant, b"", frame_max=FRAME_MAX)


def test_the_name_of_a_header_is_not_cut_but_refused() -> None:
    meant = Basic.Properties(headers={"x" * 129: "y"})
    with pytest.raises(ValueError, match="129 bytes are too many"):
        publish_frames(1, "e", "k", meant, b"", frame_max=FRAME_MAX)


def test_a_frame_is_never_longer_than_agreed() -> None:
    data = publish_frames(1, "e", "k", Basic.Properties(), b"x" * 20_000, frame_max=FRAME_MAX)
    longest = 0
    while data:
        used, _, _ = frame.unmarshal(data)
        longest, data = max(longest, used), data[used:]
    assert longest == FRAME_MAX
