"""Places where tests strike processes: they do nothing unless they are named."""

from __future__ import annotations

import json
import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from trunkline_common.failpoints import (
    ARMED,
    FailpointReached,
    Failpoints,
    OrdersInFile,
    failpoint,
)


class Laboratory(socketserver.TCPServer):
    """Answers every process that has reached a place, and remembers what it said."""

    def __init__(self, word: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Listener)
        self.word = word
        self.told: list[dict[str, Any]] = []
        self.address = f"127.0.0.1:{self.server_address[1]}"


class Listener(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        laboratory = self.server
        assert isinstance(laboratory, Laboratory)
        laboratory.told.append(json.loads(self.rfile.readline()))
        self.wfile.write(laboratory.word)


@contextmanager
def laboratory(word: bytes = b"go\n") -> Iterator[Laboratory]:
    with Laboratory(word) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(timeout=5)


def test_nothing_happens_without_an_order() -> None:
    assert not ARMED
    failpoint("relay.published")
    Failpoints("").reach("anything")


def test_the_nth_passing_is_the_one() -> None:
    points = Failpoints("one=raise, two=raise@3")
    with pytest.raises(FailpointReached):
        points.reach("one")
    points.reach("one")
    points.reach("two")
    points.reach("two")
    with pytest.raises(FailpointReached):
        points.reach("two")


@pytest.mark.parametrize(
    "orders", ["one", "one=explode", "=", "one=kill@often", "one=database_gone", "one=broker_gone"]
)
def test_an_order_that_cannot_be_carried_out_is_refused(orders: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Failpoints(orders)


@pytest.mark.parametrize("action", ["database_gone", "broker_gone", "raise"])
def test_the_laboratory_hears_of_it_before_anything_happens(action: str) -> None:
    with laboratory() as server:
        points = Failpoints(f"one={action}", server.address)
        if action == "raise":
            with pytest.raises(FailpointReached):
                points.reach("one")
        else:
            points.reach("one")
    assert server.told == [{"name": "one", "action": action, "pid": os.getpid()}]


def test_the_laboratory_may_say_that_another_was_faster() -> None:
    with laboratory(b"no\n") as server:
        Failpoints("one=raise", server.address).reach("one")
    assert len(server.told) == 1


def test_without_its_laboratory_a_process_goes_on() -> None:
    with laboratory() as server:
        address = server.address
    Failpoints("one=raise", address).reach("one")


def test_a_running_process_is_given_its_orders_by_a_file(tmp_path: Path) -> None:
    path = tmp_path / "orders.json"

    def order(orders: str, at: int) -> None:
        path.write_text(json.dumps({"orders": orders, "laboratory": server.address}))
        os.utime(path, ns=(at, at))

    with laboratory() as server:
        order("", 1)
        points = OrdersInFile(path)
        points.reach("one")
        order("one=raise@2", 2)
        points.reach("one")
        with pytest.raises(FailpointReached):
            points.reach("one")
        order("", 3)
        points.reach("one")
    assert len(server.told) == 1
