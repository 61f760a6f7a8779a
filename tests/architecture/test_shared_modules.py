"""What every service shares is a list: adding to it is a line in review."""

from __future__ import annotations

from tests.architecture.sources import module_name, programs

LINES = 6_400  # the alarm: what is this large has begun to hold what it should not

MODULES = [
    "broker",
    "broker.arrivals",
    "broker.batches",
    "broker.confirms",
    "broker.connect",
    "broker.consumer",
    "broker.dead_letters",
    "broker.declare",
    "broker.declaring",
    "broker.envelope",
    "broker.frames",
    "broker.hints",
    "broker.management",
    "broker.parking",
    "broker.publisher",
    "broker.relay",
    "callbacks",
    "contracts",
    "contracts.api",
    "contracts.content",
    "contracts.envelope",
    "contracts.limits",
    "contracts.inbound",
    "contracts.messaging",
    "contracts.outbound",
    "contracts.recordings",
    "contracts.runs",
    "contracts.suppressions",
    "db",
    "db.commits",
    "db.driver",
    "db.engine",
    "db.faults",
    "db.inbox",
    "db.leases",
    "db.migrate",
    "db.outbox",
    "db.pace",
    "db.retry",
    "db.roles",
    "db.together",
    "db.transaction",
    "db.wake",
    "failpoints",
    "foreign",
    "http",
    "http.correlation",
    "http.health",
    "http.problems",
    "http.requests",
    "http.server",
    "ids",
    "last_byte",
    "loops",
    "outcomes",
    "placeholders",
    "processes",
    "processes.collector",
    "processes.command",
    "processes.leading",
    "processes.parts",
    "processes.runtime",
    "schemas",
    "sealing",
    "settings",
    "telemetry",
    "telemetry.correlation",
    "telemetry.exceptions",
    "telemetry.logs",
    "telemetry.metrics",
    "telemetry.redaction",
    "telemetry.traces",
    "testing",
    "testing.brokers",
    "testing.databases",
    "testing.facts",
    "testing.plugin",
    "topology",
    "topology_file",
]


def test_the_list_is_what_is_there() -> None:
    """A module is admitted if two services use it and no noun of the domain occurs in it."""
    there = {module_name(path) for path in programs() if "trunkline_common" in path.parts}

    assert sorted(name.removeprefix("trunkline_common.") for name in there) == sorted(
        ["trunkline_common", *MODULES]
    )


def test_it_is_not_yet_a_dumping_ground() -> None:
    """Machinery is counted: contracts grow with the product, and no service imports `testing`."""
    paths = [path for path in programs() if "trunkline_common" in path.parts]
    running = [path for path in paths if not {"contracts", "testing"} & set(path.parts)]

    assert sum(len(path.read_text().splitlines()) for path in running) < LINES
