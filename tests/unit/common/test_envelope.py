"""An event on the wire, held against the CloudEvents SDK's own RabbitMQ binding."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from aio_pika import IncomingMessage
from aiormq.abc import DeliveredMessage
from cloudevents.core.bindings.rabbitmq import RabbitMQMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from trunkline_common.broker.envelope import (
    Outgoing,
    Undecodable,
    Wire,
    attempt_of,
    decode,
    encode,
)
from trunkline_common.broker.parking import parked
from trunkline_common.contracts.outbound import JobEnded
from trunkline_common.ids import new_event_id
from trunkline_common.outcomes import Dead, RetryIn
from trunkline_common.topology import OUTBOUND_CONTROL

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
EVENT = JobEnded(
    run_id="run_1", seq=7, contact_id="con_1", state="done", outcome=None, reason="ünïcode"
)
AT = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


def wire(**changes: object) -> Wire:
    said: dict[str, object] = {
        "event_id": new_event_id(),
        "business_id": "biz_1",
        "name": EVENT.name,
        "subject": EVENT.subject,
        "payload": EVENT.model_dump_json(),
        "correlation_id": "cor_1",
        "occurred_at": AT,
        "causation_id": "cause",
        "sequence": 42,
        "traceparent": TRACE,
        "tracestate": "a=b",
    }
    return Wire(**{**said, **changes})  # type: ignore[arg-type]  # of the test's own table


def delivered(message: Outgoing) -> IncomingMessage:
    """What a consumer gets of it."""
    return IncomingMessage(
        DeliveredMessage(
            delivery=Basic.Deliver("tag", 1, False, message.exchange, message.routing_key),
            header=ContentHeader(properties=message.message.properties),
            body=message.message.body,
            channel=None,  # type: ignore[arg-type]  # decoding has no use for it
        )
    )


def test_what_we_write_is_what_the_sdk_writes() -> None:
    said = wire()
    ours = encode(said, "outbound")
    sdk = to_binary(
        CloudEvent(
            {
                "specversion": "1.0",
                "id": said.event_id,
                "source": "/trunkline/outbound",
                "type": said.name,
                "subject": said.subject,
                "time": said.occurred_at,
                "datacontenttype": "application/json",
                "dataschema": f"urn:trunkline:schema:{said.name}",
                "businessid": "biz_1",
                "correlationid": "cor_1",
                "causationid": "cause",
                "sequence": "00000000000000000042",
                "traceparent": TRACE,
                "tracestate": "a=b",
            },
            json.loads(said.payload),
        ),
        JSONFormat(),
    )
    headers = ours.message.properties.headers or {}
    assert {k: v for k, v in headers.items() if k.startswith("ce-")} == sdk.headers
    assert ours.message.properties.content_type == sdk.content_type
    assert json.loads(ours.message.body) == json.loads(sdk.body)


def test_the_sdk_reads_what_we_write() -> None:
    ours = encode(wire(), "outbound")
    headers = {name: str(value) for name, value in (ours.message.headers or {}).items()}
    event = from_binary(
        RabbitMQMessage(headers, ours.message.properties.content_type, ours.message.body),
        JSONFormat(),
    )
    assert event.get_type() == EVENT.name
    assert event.get_time() == AT
    assert event.get_data() == json.loads(EVENT.model_dump_json())


def test_what_is_said_is_what_is_heard() -> None:
    said = wire()
    message = encode(said, "outbound")
    heard = decode(delivered(message))
    assert heard.event == EVENT
    assert (heard.id, heard.source) == (said.event_id, "/trunkline/outbound")
    assert (heard.business_id, heard.correlation_id) == ("biz_1", "cor_1")
    assert (heard.causation_id, heard.sequence, heard.occurred_at) == ("cause", 42, AT)
    assert (heard.traceparent, heard.tracestate) == (TRACE, "a=b")
    assert (message.exchange, message.routing_key) == (
        "trunkline.outbound",
        f"biz_1.{EVENT.name}",
    )
    properties = message.message.properties
    assert (properties.message_id, properties.message_type) == (said.event_id, EVENT.name)
    assert (properties.correlation_id, properties.app_id) == ("cor_1", "trunkline-outbound")
    assert properties.delivery_mode == 2
    assert (properties.headers or {})["traceparent"] == TRACE


def test_what_is_optional_may_be_absent() -> None:
    bare = wire(causation_id=None, sequence=None, traceparent=None, tracestate=None)
    heard = decode(delivered(encode(bare, "outbound")))
    assert (heard.causation_id, heard.sequence, heard.traceparent) == (None, None, None)


def test_readers_ignore_what_they_do_not_know() -> None:
    payload = json.dumps({**json.loads(EVENT.model_dump_json()), "new_field": 1})
    assert decode(delivered(encode(wire(payload=payload), "outbound"))).event == EVENT


@pytest.mark.parametrize(
    "missing", ["ce-id", "ce-businessid", "ce-correlationid", "ce-source", "ce-time"]
)
def test_a_missing_attribute_is_named(missing: str) -> None:
    message = encode(wire(), "outbound")
    (message.message.headers or {}).pop(missing)
    with pytest.raises(Undecodable, match=missing):
        decode(delivered(message))


@pytest.mark.parametrize(("header", "value"), [("ce-time", "yesterday"), ("ce-sequence", "many")])
def test_an_attribute_that_does_not_parse_is_refused(header: str, value: str) -> None:
    message = encode(wire(), "outbound")
    (message.message.headers or {})[header] = value
    with pytest.raises(Undecodable):
        decode(delivered(message))


def test_a_parked_copy_is_the_same_event_one_attempt_later() -> None:
    message = encode(wire(), "outbound")
    (message.message.headers or {})["x-death"] = [{"count": 3}]
    retry = parked(delivered(message), OUTBOUND_CONTROL, RetryIn(5, "to +4915112345678"))
    assert (retry.exchange, retry.routing_key) == ("", "outbound.control.retry.5s")
    headers = retry.message.headers or {}
    assert (headers["x-attempt"], headers["x-reason"]) == (2, "to +…78")
    assert "x-death" not in headers
    assert decode(delivered(retry)) == decode(delivered(message))
    dead = parked(delivered(retry), OUTBOUND_CONTROL, Dead("no"))
    assert (dead.exchange, dead.routing_key) == ("trunkline.dead", "outbound.control.dead")
    assert (dead.message.headers or {})["x-died-in"] == "outbound.control"
    assert attempt_of(delivered(dead)) == 2


@pytest.mark.parametrize("attempt", [0, -1, "two", None])
def test_a_strange_attempt_counts_as_the_first(attempt: object) -> None:
    message = encode(wire(), "outbound")
    (message.message.headers or {})["x-attempt"] = attempt  # type: ignore[assignment]  # strange
    assert attempt_of(delivered(message)) == 1
