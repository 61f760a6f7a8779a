"""Whose turn it is among channels with messages due."""

from __future__ import annotations

import math

from trunkline_messaging.store.channels import Channel
from trunkline_messaging.turns import Turns, share


def channel(name: str, *, business: str | None = None, urgent: bool = False) -> Channel:
    return Channel(name, business or name, 1, "1234567", "k1", "", urgent)


def names(turns: Turns, due: list[Channel], now: float = 0.0) -> list[str]:
    return [each.channel_id for each in turns.order(due, now=now)]


def test_who_was_served_longest_ago_is_first() -> None:
    turns, due = Turns(), [channel("a"), channel("b"), channel("c")]
    turns.served(due[0], not_before=0.0)
    turns.served(due[1], not_before=0.0)
    assert names(turns, due) == ["c", "a", "b"]


def test_a_business_does_not_gain_by_having_many_channels() -> None:
    turns = Turns()
    due = [channel("a1", business="a"), channel("a2", business="a"), channel("b")]
    turns.served(due[0], not_before=0.0)
    assert names(turns, due)[0] == "b"


def test_urgent_goes_first() -> None:
    turns, due = Turns(), [channel("a"), channel("b", urgent=True)]
    turns.served(due[1], not_before=0.0)
    assert names(turns, due) == ["b", "a"]


def test_a_sender_without_pace_is_left_alone_until_it_has_some() -> None:
    turns, due = Turns(), [channel("a"), channel("b")]
    turns.served(due[0], not_before=5.0)
    assert names(turns, due, now=1.0) == ["b"]
    assert turns.next_look(due, now=1.0) == 4.0
    assert names(turns, due, now=5.0) == ["b", "a"]
    assert turns.next_look(due, now=6.0) == math.inf


def test_the_room_is_shared() -> None:
    assert share(100, 1) == 100
    assert share(100, 3) == 33
    assert share(2, 50) == 1
    assert share(0, 3) == 0
