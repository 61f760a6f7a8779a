"""Whose turn it is: urgent messages first, then the business that was served longest ago."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from trunkline_messaging.store.channels import Channel


class Turns:
    """What one sender remembers of its rounds. Losing it costs one unfair round."""

    def __init__(self) -> None:
        self._served: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._count = itertools.count(1)

    def order(self, due: Sequence[Channel], *, now: float) -> list[Channel]:
        """Channels whose pace has room, in their turn. Forgets those with nothing due."""
        known = {channel.channel_id for channel in due}
        self._not_before = {c: at for c, at in self._not_before.items() if c in known}
        ready = [c for c in due if self._not_before.get(c.channel_id, now) <= now]
        return sorted(
            ready, key=lambda c: (not c.urgent, self._served.get(c.business_id, 0), c.channel_id)
        )

    def served(self, channel: Channel, *, not_before: float) -> None:
        """Note that a channel had its turn, and when asking again makes sense."""
        self._served[channel.business_id] = next(self._count)
        self._not_before[channel.channel_id] = not_before

    def next_look(self, due: Sequence[Channel], *, now: float) -> float:
        """Seconds until a channel with something due may have room; infinite if none waits."""
        waits = [
            at - now
            for channel in due
            if (at := self._not_before.get(channel.channel_id, -math.inf)) > now
        ]
        return max(min(waits, default=math.inf), 0.005)


def share(room: int, channels: int) -> int:
    """An equal share of the room, at least one message while there is any."""
    return min(room, max(1, room // max(channels, 1)))
