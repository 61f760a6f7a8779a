"""What a service hears is a table, and a handler only writes rows."""

from __future__ import annotations

from importlib import import_module

import pytest
from tests.architecture import rules
from tests.architecture.sources import ROOT, tree

from trunkline_common import topology
from trunkline_common.contracts import EVENTS, OWNED


def _consumer(service: str) -> str:
    return f"services/{service}/src/trunkline_{service}/consumer.py"


@pytest.mark.parametrize("service", topology.SERVICES)
def test_handlers_are_exactly_what_topology_says_is_heard(service: str) -> None:
    handlers = import_module(f"trunkline_{service}.consumer").HANDLERS

    assert {queue: set(table) for queue, table in handlers.items()} == {
        queue: set(queue.hears) for queue in topology.queues_of(service)
    }


@pytest.mark.parametrize("service", topology.SERVICES)
def test_handlers_are_short_and_await_only_the_session(service: str) -> None:
    module = tree(ROOT / _consumer(service))

    assert not list(rules.has_a_long_handler(module))
    assert not list(rules.awaits_the_world(module))


def test_every_event_has_one_owner() -> None:
    owned = [event.name for events in OWNED.values() for event in events]

    assert sorted(owned) == sorted(set(owned)) == sorted(EVENTS)
    assert set(OWNED) <= set(topology.SERVICES)


def test_every_event_is_heard_by_somebody() -> None:
    """What nobody hears ends in `unrouted`; while we own both ends that is an oversight."""
    heard = {event.name for queue in topology.QUEUES for event in queue.hears}

    assert set(EVENTS) - heard == set()
