"""Says what happens to calls and recordings: to the witness always, to the customer as asked."""

from datetime import datetime

from trunkline_sandbox.mailbox import Mailbox
from trunkline_sandbox.voice.accounts import Accounts
from trunkline_sandbox.voice.archive import Archive
from trunkline_sandbox.voice.calls import Call
from trunkline_sandbox.voice.orders import CallEvent
from trunkline_sandbox.voice.progress import (
    progress_parameters,
    recording_parameters,
    signed_letter,
)
from trunkline_sandbox.voice.recordings import Recording
from trunkline_sandbox.witness import Witness


class Herald:
    """Turns state changes into lines of the witness and signed callbacks."""

    def __init__(
        self, accounts: Accounts, archive: Archive, mailbox: Mailbox, witness: Witness
    ) -> None:
        self._accounts = accounts
        self._archive = archive
        self._mailbox = mailbox
        self._witness = witness

    def call_accepted(self, call: Call, nth: int) -> None:
        """A create request is accepted: in the witness before anything else happens."""
        order = call.order
        self._witness.write(
            "call_accepted",
            account=call.account_sid,
            sid=call.sid,
            to=order.to,
            **{"from": order.from_number},
            reference=order.status_callback,
            callback=order.status_callback,
            nth=nth,
            public_url=call.public_url,
            form=order.form,
        )

    def note(self, call: Call, kind: str, **facts: object) -> None:
        """Something about a call that no customer is told."""
        self._witness.write(kind, account=call.account_sid, sid=call.sid, to=call.order.to, **facts)

    def call_moved(self, call: Call, event: CallEvent, status: str, at: datetime) -> None:
        """A call entered a state; `status` is the callback's word for it."""
        call.updated = at
        asked = bool(call.order.status_callback) and event in call.order.events
        facts = {"account": call.account_sid, "sid": call.sid, "to": call.order.to}
        self._witness.write(
            "call_status",
            **facts,
            status=status,
            final=call.over,
            duration=call.duration,
            answered_by=call.answered_by,
            events_said=call.events_said + asked,
        )
        account = self._accounts.get(call.account_sid)
        if not asked or account is None:
            return
        recording = self._archive.recording_of_call(call)
        parameters = progress_parameters(call, status, at, recording)
        call.events_said += 1
        letter = signed_letter(
            account, call.order.status_callback, call.order.status_callback_method, parameters
        )
        facts |= {"event": event, "call_status": status}
        self._mailbox.post(
            call.sid, letter, facts, mishaps=call.mishaps, sent=call.first_callback.set
        )

    def recording_moved(self, recording: Recording, call: Call) -> None:
        """A recording entered a state."""
        facts = {
            "account": recording.account_sid,
            "sid": recording.sid,
            "call_sid": recording.call_sid,
            "to": call.order.to,
        }
        self._witness.write(
            "recording",
            **facts,
            status="deleted" if recording.deleted else recording.status,
            seconds=recording.seconds,
            channels=recording.channels,
            source=recording.source,
            callback=recording.callback,
        )
        account = self._accounts.get(recording.account_sid)
        wanted = recording.status in recording.events and not recording.deleted
        if not wanted or not recording.callback or account is None:
            return
        parameters = recording_parameters(recording)
        letter = signed_letter(account, recording.callback, recording.callback_method, parameters)
        facts["event"] = f"recording-{recording.status}"
        self._mailbox.post(call.sid, letter, facts, mishaps=call.mishaps)
