"""An account's way out: calls wait here for their turn by calls per second and calls in the air."""

import time
from collections import deque
from collections.abc import Callable

from trunkline_sandbox.agenda import Agenda
from trunkline_sandbox.voice.accounts import Account
from trunkline_sandbox.voice.calls import Call

Dial = Callable[[Call], None]


class Line:
    """First come, first served; limits are read at each turn, so they may change under way."""

    def __init__(
        self,
        agenda: Agenda,
        account: Callable[[], Account | None],
        dial: Dial,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._agenda = agenda
        self._account = account
        self._dial = dial
        self._now = now
        self._waiting: deque[Call] = deque()
        self._in_air = 0
        self._next_turn = 0.0
        self._turn_planned = False

    def enter(self, call: Call) -> None:
        """Queue a call."""
        self._waiting.append(call)
        self._take_turns()

    def leave(self) -> None:
        """A call that was dialled is over."""
        self._in_air -= 1
        self._take_turns()

    def rejoin(self) -> None:
        """A call that an earlier process dialled is still in the air."""
        self._in_air += 1

    def _planned_turn(self) -> None:
        self._turn_planned = False
        self._take_turns()

    def _take_turns(self) -> None:
        account = self._account()
        pace = account.calls_per_second if account else 0.0
        room = account.concurrent_calls if account else 0
        while self._waiting:
            if self._waiting[0].over:
                self._waiting.popleft()
                continue
            if room and self._in_air >= room:
                return
            now = self._now()
            if pace and now < self._next_turn:
                self._plan(self._next_turn - now)
                return
            if pace:
                self._next_turn = max(now, self._next_turn) + 1 / pace
            self._in_air += 1
            self._dial(self._waiting.popleft())

    def _plan(self, seconds: float) -> None:
        if not self._turn_planned:
            self._turn_planned = True
            self._agenda.after(seconds, self._planned_turn)
