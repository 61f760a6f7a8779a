"""Fault orders meet the requests they are about, as often as they say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from trunkline_sandbox.faults.book import FaultBook
from trunkline_sandbox.faults.orders import FaultKind, FaultOrder, Subject
from trunkline_sandbox.witness import Witness

CREATE = Subject(
    provider="twilio", method="POST", path="/x/Calls.json", account="AC1", to="+491", creates=True
)
FETCH = Subject(provider="twilio", method="GET", path="/x/Calls/CA1.json", account="AC1")
LIST = Subject(provider="twilio", method="GET", path="/x/Calls.json", account="AC1", lists=True)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    witness = Witness(tmp_path / "log")
    yield witness
    witness.close()


@pytest.fixture
def book(witness: Witness) -> FaultBook:
    return FaultBook(witness)


def hits(book: FaultBook, subject: Subject, times: int) -> list[bool]:
    return [bool(book.effects_for(subject).hits) for _ in range(times)]


@pytest.mark.parametrize(
    ("order", "meets"),
    [
        ({}, {"create"}),
        ({"account": "AC1"}, {"create"}),
        ({"account": "AC2"}, set()),
        ({"to": "+492"}, set()),
        ({"provider": "meta"}, set()),
        ({"path": "*"}, {"create", "fetch", "list"}),
        ({"path": "*/Calls/*.json"}, {"fetch"}),
        ({"path": "*", "method": "POST"}, {"create"}),
    ],
)
def test_which_requests_an_order_is_about(order: dict[str, str], meets: set[str]) -> None:
    fault = FaultOrder.model_validate({"kind": "error_before_accept", **order})
    subjects = {"create": CREATE, "fetch": FETCH, "list": LIST}
    assert {name for name, subject in subjects.items() if fault.fits(subject)} == meets


def test_a_lag_is_about_lists() -> None:
    order = FaultOrder(kind=FaultKind.LIST_LAG)
    assert [order.fits(subject) for subject in (CREATE, FETCH, LIST)] == [False, False, True]


def test_nth_and_times(book: FaultBook) -> None:
    book.add(FaultOrder(kind=FaultKind.REJECT, nth=2))
    assert hits(book, CREATE, 4) == [False, True, False, False]
    assert book.clear() == 1
    book.add(FaultOrder(kind=FaultKind.REJECT, times=2))
    assert hits(book, CREATE, 4) == [True, True, False, False]


def test_a_probability_falls_the_same_way_for_the_same_seed(witness: Witness) -> None:
    fallen: list[list[bool]] = []
    for seed in (1, 1, 2):
        book = FaultBook(witness)
        book.add(FaultOrder(kind=FaultKind.REJECT, probability=0.3, seed=seed))
        fallen.append(hits(book, CREATE, 400))
    assert fallen[0] == fallen[1] != fallen[2]
    assert 80 < sum(fallen[0]) < 160


def test_orders_join_into_mishaps(book: FaultBook) -> None:
    book.add(FaultOrder(kind=FaultKind.CALLBACKS_REPEATED, copies=4))
    book.add(FaultOrder(kind=FaultKind.CALLBACKS_SHUFFLED, milliseconds=250))
    mishaps = book.effects_for(CREATE).mishaps
    assert (mishaps.copies, mishaps.shuffle_seconds, mishaps.lost) == (4, 0.25, False)


@pytest.mark.parametrize(
    "order", [{}, {"kind": "earthquake"}, {"kind": "reject", "nth": 0}, {"kind": "reject", "a": 1}]
)
def test_senseless_orders_are_refused(order: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FaultOrder.model_validate(order)
