"""Legs that a Dial opens: each a call of its own, whose parent goes on when it is over."""

from collections.abc import Callable
from functools import partial
from uuid import uuid4

from trunkline_sandbox.fates import call_fate
from trunkline_sandbox.voice.archive import Archive
from trunkline_sandbox.voice.calls import Call
from trunkline_sandbox.voice.hearing import Heard
from trunkline_sandbox.voice.herald import Herald
from trunkline_sandbox.voice.orders import read_order
from trunkline_sandbox.voice.script import Connection
from trunkline_sandbox.voice.tempo import Tempo

SETUP_SECONDS = 1.0

Step = Callable[[Call], None]
GoesOn = Callable[[Call, Call], None]  # the opener, and its leg that is over


class Legs:
    """Opens legs, and tells the call that opened one of its end. Either's end ends the other."""

    def __init__(
        self,
        tempo: Tempo,
        archive: Archive,
        herald: Herald,
        later: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self._tempo = tempo
        self._archive = archive
        self._herald = herald
        self._later = later
        self._opened: dict[str, tuple[Call, GoesOn]] = {}  # by the leg
        self._legs: dict[str, Call] = {}  # by the opener

    def open(self, call: Call, asked: Connection, begin: Step, goes_on: GoesOn) -> None:
        """Call the agent on behalf of a call that is up."""
        if call.over:
            return
        at = self._tempo.now()
        leg = Call(
            sid=f"CA{uuid4().hex}",
            account_sid=call.account_sid,
            order=read_order(_form(call, asked)),
            fate=call_fate(self._tempo.seed, asked.to, 0, self._tempo.mix),
            public_url=call.public_url,
            created=at,
            updated=at,
            started=at,
            direction="outbound-dial",
            parent=call.sid,
        )
        self._archive.add_call(leg)
        self._opened[leg.sid], self._legs[call.sid] = (call, goes_on), leg
        self._herald.note(leg, "leg_opened", parent=call.sid)
        self._herald.call_moved(leg, "initiated", "initiated", at)
        self._later(SETUP_SECONDS, partial(begin, leg))

    def over(self, call: Call, hang_up: Step) -> None:
        """A call is over: its opener goes on, and nobody talks to a leg whose opener is gone."""
        leg = self._legs.pop(call.sid, None)
        if leg is not None and not leg.over:
            hang_up(leg)
        opener, goes_on = self._opened.pop(call.sid, (None, None))
        if opener is not None and goes_on is not None and not opener.over:
            self._legs.pop(opener.sid, None)
            goes_on(opener, call)


def told_of(leg: Call, asked: Connection) -> Heard:
    """What the opener's customer is told when its leg is over."""
    told = {"DialCallSid": leg.sid, "DialCallStatus": leg.status}
    if leg.status == "completed":
        told["DialCallDuration"] = str(leg.duration or 0)
    return Heard(0.0, told, asked.action, asked.method)


def _form(call: Call, asked: Connection) -> dict[str, list[str]]:
    """The leg in the form of a create request; without a callerId the caller's number is shown."""
    caller = call.order.to if call.direction == "inbound" else call.order.from_number
    return {
        "To": [asked.to],
        "From": [asked.caller_id or caller],
        "StatusCallback": [asked.callback],
        "StatusCallbackMethod": [asked.callback_method],
        "StatusCallbackEvent": asked.events.split(),
        "Timeout": [str(int(min(asked.timeout, 600)))],
        "TimeLimit": [str(int(min(asked.time_limit, 14_400)))],
    }
