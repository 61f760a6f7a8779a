"""A service as an operating-system process: how it starts, dies, is asked, and ends."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.common.parts import SHORT, applied, declared, progressed, unsent, wire
from tests.integration.common.started import Started, started

from trunkline_common.broker.declaring import COMMAND
from trunkline_common.contracts.outbound import RunProgressed
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.testing import Broker, eventually


@pytest.fixture
def environment(database_url: str, broker: Broker) -> dict[str, str]:
    return {
        "SMALL_DATABASE_URL": database_url,
        "SMALL_BROKER_URL": broker.url,
        "SMALL_POOL_SIZE": "2",
        "SMALL_RELAY_LEASE": "2",
    }


async def say(database: Database, *run_ids: str) -> None:
    async with transaction(database) as session:
        await outbox.add_all(session, [Fact(progressed(run), "biz_1", "cor_1") for run in run_ids])


@pytest.mark.broker
@pytest.mark.parametrize("place", ["relay.claimed", "relay.published"])
async def test_killed_between_commit_and_mark_the_event_still_arrives_and_counts_once(
    database: Database, broker: Broker, environment: dict[str, str], place: str
) -> None:
    await declared(broker)
    await say(database, "run_a", "run_b")
    async with started("relay", {**environment, "TRUNKLINE_FAILPOINTS": f"{place}=kill"}) as relay:
        assert await relay.ended() == -signal.SIGKILL
    assert await unsent(database) == 2
    assert await broker.is_empty(SHORT.name) == (place == "relay.claimed")
    async with started("all", environment):  # the lease of the dead runs out
        await eventually(lambda: applied(database, "run_a"), 40)
        await eventually(lambda: applied(database, "run_b"))
        await eventually(lambda: all_sent(database))
        await eventually(lambda: broker.is_empty(SHORT.name))
    assert len(await applied(database, "run_a")) == len(await applied(database, "run_b")) == 1


async def all_sent(database: Database) -> bool:
    return await unsent(database) == 0


@pytest.mark.broker
@pytest.mark.parametrize(("side", "effects"), [("before", 0), ("after", 1)])
async def test_a_named_commit_can_be_struck_just_before_and_just_after(
    database: Database, broker: Broker, environment: dict[str, str], side: str, effects: int
) -> None:
    await declared(broker)
    await broker.publish(wire(progressed("run_n")), "outbound")
    killed = {**environment, "TRUNKLINE_FAILPOINTS": f"tests.effect.{side}_commit=kill"}
    async with started("consume", killed) as consumer:
        assert await consumer.ended() == -signal.SIGKILL
    assert len(await applied(database, "run_n")) == effects


@pytest.mark.broker
async def test_killed_between_effect_and_ack_the_effect_is_applied_once(
    database: Database, broker: Broker, environment: dict[str, str]
) -> None:
    await declared(broker)
    await broker.publish(wire(progressed("run_c")), "outbound")
    killed = {**environment, "TRUNKLINE_FAILPOINTS": "consumer.applied=kill"}
    async with started("consume", killed) as consumer:
        assert await consumer.ended() == -signal.SIGKILL
    assert len(await applied(database, "run_c")) == 1
    await eventually(lambda: has_one(broker), what="the redelivery")
    async with started("consume", environment) as consumer:
        await eventually(lambda: broker.is_empty(SHORT.name), 20)
        metrics = await eventually(lambda: duplicates(consumer))
    assert metrics
    assert len(await applied(database, "run_c")) == 1
    assert await broker.is_empty(SHORT.name, SHORT.dead_queue, *SHORT.retry_queues)


async def has_one(broker: Broker) -> bool:
    return await broker.depth(SHORT.name) == 1


async def duplicates(consumer: Started) -> bool:
    _, said, _ = await consumer.request("GET", "/metrics")
    return 'trunkline_consumed_total{queue="tests.short",result="duplicate"} 1.0' in said


async def test_a_request_is_answered_and_its_correlation_id_comes_back(
    database: Database, broker: Broker, environment: dict[str, str]
) -> None:
    await declared(broker)
    async with started("all", environment) as service:
        headers = {"X-Correlation-Id": "cor-of-a-caller"}
        status, _, answered = await service.request("POST", "/runs/run_d", headers=headers)
        assert (status, answered["X-Correlation-Id"]) == (202, "cor-of-a-caller")
        await eventually(lambda: applied(database, "run_d"))
        status, problem, answered = await service.request("GET", "/runs/run_d")
        assert (status, answered["Content-Type"]) == (404, "application/problem+json")
        assert problem["type"] == "urn:trunkline:problem:unknown-run"
        assert problem["correlation_id"] == answered["X-Correlation-Id"]
        status, problem, answered = await service.request("GET", "/broken")
        assert (status, problem["title"]) == (500, "Something went wrong on our side")
        assert (await service.request("GET", "/no/such/page"))[0] == 404
        assert (await service.request("GET", "/health/live"))[0] == 200
        assert (await service.request("GET", "/health/ready"))[:2] == (
            200,
            {"status": "ready", "dependencies": {"database": "up", "broker": "up"}},
        )
    assert service.named("http.unexpected")[0]["correlation_id"]


async def test_readiness_names_what_is_down_and_requests_do_without_the_broker(
    database: Database, broker: Broker, environment: dict[str, str]
) -> None:
    away = {**environment, "SMALL_BROKER_URL": "amqp://nobody:none@127.0.0.1:1/"}
    async with started("all", away) as service:
        status, said, _ = await service.request("GET", "/health/ready")
        assert (status, said["dependencies"]["broker"]) == (200, "down: BrokerLost")
        assert (await service.request("POST", "/runs/run_e"))[0] == 202
    assert await unsent(database) == 1
    async with started("worker", away) as service:
        status, said, _ = await service.request("GET", "/health/ready")
        assert (status, said["dependencies"]["database"]) == (503, "up")
    gone = {**environment, "SMALL_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    async with started("serve", gone) as service:
        status, said, _ = await service.request("GET", "/health/ready")
        assert (status, list(said["dependencies"])) == (503, ["database"])


async def test_sigterm_ends_it_soon_and_well(
    database: Database, broker: Broker, environment: dict[str, str]
) -> None:
    await declared(broker)
    async with started("all", environment) as service:
        await eventually(lambda: service.named("consumer.started"), 40)
        await say(database, "run_f")
        await eventually(lambda: applied(database, "run_f"))
        service.process.send_signal(signal.SIGTERM)
        assert await service.ended(5) == 0
        await eventually(lambda: service.named("process.ended"))
    assert not [line for line in service.lines if line["level"] in {"error", "critical"}]


async def test_a_draining_process_is_alive_and_not_ready(
    database: Database, environment: dict[str, str]
) -> None:
    async with started("linger", environment) as service:
        assert (await service.request("GET", "/health/ready"))[0] == 200
        service.process.send_signal(signal.SIGTERM)
        await eventually(lambda: says(service, 503, "draining"))
        assert (await service.request("GET", "/health/live"))[0] == 200
        assert service.process.returncode is None
        async with transaction(database) as session:
            await session.execute(text("INSERT INTO effects VALUES ('run_let_go', 'evt_1')"))
        assert await service.ended(10) == 0


async def says(service: Started, code: int, word: str) -> bool:
    status, said, _ = await service.request("GET", "/health/ready")
    return (status, said["status"]) == (code, word)


async def test_drift_is_refused_with_the_queue_the_argument_and_the_command(
    broker: Broker, environment: dict[str, str]
) -> None:
    await declared(broker)
    async with broker.channel() as channel:
        await channel.queue_delete(SHORT.name)
        await channel.declare_queue(
            SHORT.name, durable=True, arguments={"x-queue-type": "quorum", "x-max-length": 7}
        )
    try:
        async with started("consume", environment) as service:
            assert await service.ended() == 1
            said = await eventually(lambda: "\n".join(service.other))
    finally:
        async with broker.channel() as channel:
            await channel.queue_delete(SHORT.name)
    assert "queue tests.short: x-" in said
    assert f"delete it, then run `{COMMAND}`" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        ({"SMALL_DATABASE_URL": ""}, None),
        ({"SMALL_HTTP_PORT": "many"}, "SMALL_HTTP_PORT: Input should be a valid integer"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL: Input should be"),
        ({"SERVICE_ROLE": "boss"}, "SERVICE_ROLE: Input should be"),
    ],
)
async def test_a_wrong_setting_is_one_line_and_exit_2(
    broken: dict[str, str], line: str | None
) -> None:
    given = {"SMALL_DATABASE_URL": "postgresql://u:secret@h/d", "SMALL_BROKER_URL": "amqp://h"}
    if line is None:
        given.pop("SMALL_DATABASE_URL")
        broken, line = {}, "SMALL_DATABASE_URL: Field required"
    async with started("", {**given, **broken}) as service:
        assert await service.ended() == 2
        await eventually(lambda: service.other)
    assert len(service.other) == 1
    assert line in service.other[0]
    assert "secret" not in service.other[0]


async def test_schedulers_can_be_left_out(broker: Broker, environment: dict[str, str]) -> None:
    await declared(broker)
    async with started("", {**environment, "ENABLE_SCHEDULERS": "false"}) as service:
        lines = await eventually(lambda: service.named("process.started"), 40)
        assert lines[0]["parts"] == "serve,consume,relay"
    async with started("", {**environment, "SERVICE_ROLE": "worker"}) as service:
        lines = await eventually(lambda: service.named("process.started"), 40)
        assert lines[0]["parts"] == "consume,relay,schedule"


async def test_one_request_is_one_trace_from_its_answer_to_its_effect(
    database: Database, broker: Broker, environment: dict[str, str], tmp_path: Path
) -> None:
    await declared(broker)
    caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = {"traceparent": caller, "X-Correlation-Id": "cor-traced"}
    async with started("all", {**environment, "TRUNKLINE_SPANS_DIR": str(tmp_path)}) as service:
        assert (await service.request("POST", "/runs/run_g", headers=headers))[0] == 202
        await eventually(lambda: applied(database, "run_g"))
        service.process.send_signal(signal.SIGTERM)
        assert await service.ended() == 0
    spans = spans_in(tmp_path)
    posted = spans["POST /runs/{run_id}"]
    published = spans[f"publish trunkline.outbound:{RunProgressed.name}"]
    processed = spans[f"process trunkline.outbound:{RunProgressed.name}:tests.short"]
    assert posted["parent_id"] == "0x00f067aa0ba902b7"
    assert published["parent_id"] == posted["context"]["span_id"]
    assert processed["parent_id"] == published["context"]["span_id"]
    assert processed["links"][0]["context"]["span_id"] == published["context"]["span_id"]
    assert {span["kind"] for span in (published, processed)} == {
        "SpanKind.PRODUCER",
        "SpanKind.CONSUMER",
    }
    for span in (posted, published, processed):
        assert span["context"]["trace_id"] == "0x4bf92f3577b34da6a3ce929d0e0e4736"
        assert span["attributes"]["trunkline.correlation_id"] == "cor-traced"
        assert "biz_1" not in span["name"]


def spans_in(folder: Path) -> dict[str, Any]:
    """By name; the last of each."""
    lines = [line for path in folder.iterdir() for line in path.read_text().splitlines()]
    return {span["name"]: span for span in map(json.loads, lines)}


async def test_a_command_ends_by_itself_with_its_exit_code(
    database: Database, environment: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    await say(database, "run_a", "run_b")
    async with started("count said", environment) as command:
        assert await command.ended() == 3
    assert capfd.readouterr().out == "said 2\n"
    assert command.named("process.started") == []
