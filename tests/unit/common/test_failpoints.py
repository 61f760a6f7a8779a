"""Places where tests kill processes: they do nothing unless they are named."""

from __future__ import annotations

import pytest

from trunkline_common.failpoints import FailpointReached, Failpoints, failpoint


def test_nothing_happens_without_an_order() -> None:
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


@pytest.mark.parametrize("orders", ["one", "one=explode", "=", "one=kill@often"])
def test_an_order_that_cannot_be_read_is_refused(orders: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Failpoints(orders)
