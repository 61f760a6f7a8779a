"""The telephone exchange: takes each call through its life, at the speed that was asked for."""

import math
from collections.abc import Callable
from functools import partial
from uuid import uuid4

from trunkline_sandbox.agenda import Agenda
from trunkline_sandbox.courier import Courier
from trunkline_sandbox.fates import call_fate
from trunkline_sandbox.mailbox import Mishaps
from trunkline_sandbox.tally import Tally
from trunkline_sandbox.voice.accounts import Account, Accounts
from trunkline_sandbox.voice.archive import Archive
from trunkline_sandbox.voice.calls import Call, CallStatus, called_in
from trunkline_sandbox.voice.hearing import Heard, answer_of, answered_by
from trunkline_sandbox.voice.herald import Herald
from trunkline_sandbox.voice.legs import Legs, told_of
from trunkline_sandbox.voice.line import Line
from trunkline_sandbox.voice.orders import CallOrder
from trunkline_sandbox.voice.progress import call_parameters, signed_letter
from trunkline_sandbox.voice.recordings import Recording, Source, recording_of
from trunkline_sandbox.voice.script import Connection, Script, UnusableScriptError, read_script
from trunkline_sandbox.voice.tempo import Tempo
from trunkline_sandbox.witness import Entry

SETUP_SECONDS = 1.0
# The answer to the create request should leave before the first callback: real time, any speed.
HEAD_START = 0.02
# Twilio lets the phone ring a little longer than asked.
TIMEOUT_GRACE = 5.0
APOLOGY_SECONDS = 4.0
PROCESSING_SECONDS = 2.0

ERROR_FETCH = 11200
ERROR_SCRIPT = 12100


class Exchange:
    """All calls of all accounts. Each step looks whether its call is over: cancels cross steps."""

    def __init__(
        self,
        tempo: Tempo,
        agenda: Agenda,
        courier: Courier,
        accounts: Accounts,
        archive: Archive,
        *,
        herald: Herald,
        tally: Tally,
    ) -> None:
        self._tempo = tempo
        self._agenda = agenda
        self._courier = courier
        self._tally = tally
        self._accounts = accounts
        self._archive = archive
        self._herald = herald
        self._lines: dict[str, Line] = {}
        self._legs = Legs(tempo, archive, herald, self._later)

    def accept(self, account: Account, order: CallOrder, public_url: str, mishaps: Mishaps) -> Call:
        """Take a call on. When this returns, the witness has it."""
        at = self._tempo.now()
        nth = self._tally.accepted_for(account.account_sid, order.to)
        call = Call(
            sid=f"CA{uuid4().hex}",
            account_sid=account.account_sid,
            order=order,
            fate=call_fate(self._tempo.seed, order.to, nth, self._tempo.mix),
            public_url=public_url,
            created=at,
            updated=at,
            mishaps=mishaps,
        )
        self._herald.call_accepted(call, nth)
        self._archive.add_call(call)
        self._agenda.after(HEAD_START, partial(self._line(call).enter, call))
        return call

    def receive(self, order: CallOrder, account_sid: str, public_url: str) -> Call:
        """Somebody calls a number of the account's: its webhook is asked what to do."""
        at = self._tempo.now()
        fate = call_fate(self._tempo.seed, order.from_number, 0, {"answered": 100.0})
        call = called_in(order, account_sid, public_url, fate, at)
        self._herald.note(call, "call_received", caller=order.from_number)
        self._archive.add_call(call)
        self._courier.submit(f"{call.sid}:script", partial(self._fetch_script, call))
        return call

    def hang_up(self, call: Call) -> None:
        """End a call on the customer's word: canceled before the answer, completed after it."""
        if call.status != "in-progress":
            self._end(call, "canceled", 0)
            return
        talked = (self._tempo.now() - call.updated).total_seconds() * self._tempo.speed
        self._end(call, "completed", math.ceil(talked))

    def delete_recording(self, recording: Recording) -> None:
        call = self._archive.call(recording.account_sid, recording.call_sid)
        recording.deleted = True
        if call is not None:
            self._herald.recording_moved(recording, call)

    def remember(self, entry: Entry) -> None:
        """Take in one line of an earlier process's log."""
        fate = None
        if entry["kind"] == "call_accepted":
            fate = call_fate(self._tempo.seed, entry["to"], entry["nth"], self._tempo.mix)
        self._archive.remember(entry, fate)

    def resume(self) -> None:
        """Go on with what an earlier process left open: a provider's restart loses no call."""
        for call in self._archive.unfinished():
            if call.initiated:
                self._line(call).rejoin()
            if call.status == "in-progress":
                talk = call.fate.talk_seconds
                self._later(talk, partial(self._end, call, "completed", math.ceil(talk)))
            elif call.status == "ringing":
                self._await_pick_up(call)
            elif call.initiated:
                self._later(SETUP_SECONDS, partial(self._ring, call))
            else:
                self._line(call).enter(call)
        for recording in self._archive.unprocessed():
            self._later(PROCESSING_SECONDS, partial(self._publish_recording, recording))

    def _line(self, call: Call) -> Line:
        line = self._lines.get(call.account_sid)
        if line is None:
            account = partial(self._accounts.get, call.account_sid)
            line = self._lines[call.account_sid] = Line(self._agenda, account, self._dial)
        return line

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        self._agenda.after(seconds / self._tempo.speed, action)

    def _dial(self, call: Call) -> None:
        call.initiated = True
        call.started = self._tempo.now()
        self._herald.call_moved(call, "initiated", "initiated", call.started)
        self._later(SETUP_SECONDS, partial(self._ring, call))

    def _ring(self, call: Call) -> None:
        if call.over:
            return
        if call.fate.outcome == "failed":
            call.sip_code = call.fate.sip_code
            self._end(call, "failed", 0)
            return
        call.status = "ringing"
        self._herald.call_moved(call, "ringing", "ringing", self._tempo.now())
        self._await_pick_up(call)

    def _await_pick_up(self, call: Call) -> None:
        patience = call.order.timeout + TIMEOUT_GRACE
        rings = call.fate.ring_seconds
        if call.fate.picks_up and rings <= patience:
            self._later(rings, partial(self._pick_up, call))
        elif call.fate.outcome == "busy":
            self._later(rings, partial(self._end, call, "busy", 0))
        else:
            self._later(min(rings, patience), partial(self._end, call, "no-answer", 0))

    def _pick_up(self, call: Call) -> None:
        if call.over:
            return
        at = self._tempo.now()
        call.status = "in-progress"
        if call.order.machine_detection:
            call.answered_by = answered_by(call)
        self._herald.call_moved(call, "answered", "in-progress", at)
        if call.parent is not None:  # an agent has no script: they talk
            talk = min(call.fate.talk_seconds, float(call.order.time_limit))
            self._later(talk, partial(self._end, call, "completed", math.ceil(talk)))
            return
        if call.order.record:
            self._record(call, "OutboundAPI")
        if call.order.twiml:
            self._perform(call, call.order.twiml)
        else:
            self._courier.submit(f"{call.sid}:script", partial(self._fetch_script, call))

    async def _fetch_script(self, call: Call) -> None:
        order = call.order
        sources = ((order.url, order.method), (order.fallback_url, order.fallback_method))
        for url, method in sources:
            if url and await self._ask_customer(call, url, method):
                return
        self._apologise(call)

    async def _ask_customer(self, call: Call, url: str, method: str, **more: str) -> bool:
        """Ask what the call does next, and do it; whether that is settled."""
        account = self._accounts.get(call.account_sid)
        if account is None or call.over:
            return True
        parameters = {**call_parameters(call, call.status), **more}
        reply = await self._courier.send(signed_letter(account, url, method, parameters))
        self._herald.note(
            call, "twiml_fetch", url=url, status=reply.status, problem=reply.problem, **more
        )
        if reply.fine:
            self._perform(call, reply.text)
        else:
            self._herald.note(call, "call_error", error_code=ERROR_FETCH, url=url)
        return reply.fine

    def _perform(self, call: Call, document: str) -> None:
        try:
            script = read_script(document)
        except UnusableScriptError as error:
            self._herald.note(call, "call_error", error_code=ERROR_SCRIPT, reason=str(error))
            self._apologise(call)
            return
        if call.status == "ringing":  # on the way in: the document decides whether it is answered
            if script.rejects:
                self._end(call, "busy" if script.rejects == "busy" else "no-answer", 0)
                return
            call.status = "in-progress"
            self._herald.call_moved(call, "answered", "in-progress", self._tempo.now())
        if call.answered_by is not None or script.question is not None or call.talked:
            self._herald.note(call, "spoken", text=script.spoken, answered_by=call.answered_by)
        if script.records and not call.order.record and not call.over:
            self._record_message(call, script)
        patience = min(call.fate.talk_seconds, float(call.order.time_limit)) - call.talked
        heard = answer_of(call, script.question, patience)
        if heard is not None:
            call.talked += heard.seconds
            told = partial(self._tell_keys, call, heard)
            self._later(heard.seconds, partial(self._courier.submit, f"{call.sid}:script", told))
            return
        asked = script.connection
        if asked is not None and asked.seconds <= patience:
            call.talked += asked.seconds
            goes_on = partial(self._go_on, asked)
            opens = partial(self._legs.open, call, asked, self._ring, goes_on)
            self._later(asked.seconds, opens)
            return
        seconds = max(0.0, min(script.seconds, patience))
        total = math.ceil(call.talked + seconds)
        self._later(seconds, partial(self._end, call, "completed", total))

    def _go_on(self, asked: Connection, call: Call, leg: Call) -> None:
        """A leg is over: its opener's customer says what comes next, if anything does."""
        call.talked += leg.duration or 0
        if asked.action:
            told = partial(self._tell_keys, call, told_of(leg, asked))
            self._courier.submit(f"{call.sid}:script", told)
        else:
            self._end(call, "completed", math.ceil(call.talked))

    async def _tell_keys(self, call: Call, heard: Heard) -> None:
        if not await self._ask_customer(call, heard.action, heard.method, **heard.pressed):
            self._apologise(call)

    def _apologise(self, call: Call) -> None:
        """Without a usable document Twilio says that an error has occurred, and hangs up."""
        self._later(
            APOLOGY_SECONDS, partial(self._end, call, "completed", math.ceil(APOLOGY_SECONDS))
        )

    def _end(self, call: Call, status: CallStatus, seconds: int) -> None:
        if call.over:
            return
        call.status = status
        call.ended = self._tempo.now()
        call.duration = seconds
        self._herald.call_moved(call, "completed", status, call.ended)
        for recording in self._archive.recordings(call.account_sid, call.sid):
            recording.status = "processing"
            recording.seconds = max(1, seconds)
            self._herald.recording_moved(recording, call)
            self._later(PROCESSING_SECONDS, partial(self._publish_recording, recording))
        if call.initiated:
            self._line(call).leave()
        self._legs.over(call, self.hang_up)

    def _record(self, call: Call, source: Source) -> Recording:
        recording = recording_of(call, source, self._tempo.now())
        self._archive.add_recording(recording)
        self._herald.recording_moved(recording, call)
        return recording

    def _record_message(self, call: Call, script: Script) -> None:
        recording = self._record(call, "RecordVerb")
        recording.callback = script.recording_callback
        recording.callback_method = script.recording_callback_method

    def _publish_recording(self, recording: Recording) -> None:
        call = self._archive.call(recording.account_sid, recording.call_sid)
        if recording.deleted or call is None:
            return
        recording.status = "completed"
        recording.updated = self._tempo.now()
        self._herald.recording_moved(recording, call)
