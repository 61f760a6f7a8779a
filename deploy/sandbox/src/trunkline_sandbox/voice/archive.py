"""Every call and recording there was, by sid, by account and by address, oldest first."""

from datetime import datetime
from typing import cast

from trunkline_sandbox.bodies import Form
from trunkline_sandbox.fates import CallFate
from trunkline_sandbox.refusals import RefusalError
from trunkline_sandbox.voice.calls import Call, CallStatus
from trunkline_sandbox.voice.orders import read_order
from trunkline_sandbox.voice.recordings import Recording, RecordingStatus, Source, recording_of
from trunkline_sandbox.witness import Entry


class Archive:
    """Calls and recordings in memory."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}
        self._calls_of: dict[str, list[Call]] = {}
        self._calls_to: dict[tuple[str, str], list[Call]] = {}
        self._recordings: dict[str, Recording] = {}
        self._recordings_of: dict[str, list[Recording]] = {}
        self._recordings_of_call: dict[str, list[Recording]] = {}

    def add_call(self, call: Call) -> None:
        self._calls[call.sid] = call
        self._calls_of.setdefault(call.account_sid, []).append(call)
        self._calls_to.setdefault((call.account_sid, call.order.to), []).append(call)

    def add_recording(self, recording: Recording) -> None:
        self._recordings[recording.sid] = recording
        self._recordings_of.setdefault(recording.account_sid, []).append(recording)
        self._recordings_of_call.setdefault(recording.call_sid, []).append(recording)

    def call(self, account_sid: str, sid: str) -> Call | None:
        call = self._calls.get(sid)
        return call if call is not None and call.account_sid == account_sid else None

    def recording(self, account_sid: str, sid: str) -> Recording | None:
        """A recording that was not deleted."""
        recording = self._recordings.get(sid)
        if recording is None or recording.account_sid != account_sid or recording.deleted:
            return None
        return recording

    def calls(self, account_sid: str, to: str | None = None) -> list[Call]:
        """An account's calls, oldest first."""
        if to is not None:
            return self._calls_to.get((account_sid, to), [])
        return self._calls_of.get(account_sid, [])

    def recordings(self, account_sid: str, call_sid: str | None = None) -> list[Recording]:
        """An account's recordings, oldest first, without deleted ones."""
        if call_sid is None:
            found = self._recordings_of.get(account_sid, [])
        else:
            found = self._recordings_of_call.get(call_sid, [])
        return [each for each in found if not each.deleted and each.account_sid == account_sid]

    def recording_of_call(self, call: Call) -> Recording | None:
        """The recording that the create request ordered."""
        for recording in self._recordings_of_call.get(call.sid, ()):
            if recording.source == "OutboundAPI":
                return recording
        return None

    def unfinished(self) -> list[Call]:
        return [call for call in self._calls.values() if not call.over]

    def unprocessed(self) -> list[Recording]:
        """Recordings whose call may be over but whose file is not said to be ready."""
        return [each for each in self._recordings.values() if each.status == "processing"]

    def remember(self, entry: Entry, fate: CallFate | None) -> None:
        """Take in one line of an earlier process's log."""
        kind = entry["kind"]
        if kind == "call_accepted" and fate is not None:
            self._remember_call(entry, fate)
        elif kind == "call_status":
            call = self._calls.get(entry["sid"])
            if call is not None:
                _apply(call, entry)
        elif kind == "recording":
            self._remember_recording(entry)

    def _remember_call(self, entry: Entry, fate: CallFate) -> None:
        try:
            order = read_order(cast("Form", entry["form"]))
        except RefusalError:
            return
        at = datetime.fromisoformat(entry["at"])
        self.add_call(
            Call(
                sid=entry["sid"],
                account_sid=entry["account"],
                order=order,
                fate=fate,
                public_url=entry["public_url"],
                created=at,
                updated=at,
            )
        )

    def _remember_recording(self, entry: Entry) -> None:
        recording = self._recordings.get(entry["sid"])
        at = datetime.fromisoformat(entry["at"])
        if recording is None:
            call = self._calls.get(entry["call_sid"])
            if call is None:
                return
            recording = recording_of(call, cast("Source", entry["source"]), at)
            self.add_recording(recording)
        recording.updated = at
        recording.deleted = entry["status"] == "deleted"
        if not recording.deleted:
            recording.status = cast("RecordingStatus", entry["status"])
            recording.seconds = entry["seconds"]
            recording.callback = entry["callback"]


def _apply(call: Call, entry: Entry) -> None:
    at = datetime.fromisoformat(entry["at"])
    call.updated = at
    call.events_said = entry.get("events_said", call.events_said)
    if entry["status"] == "initiated":
        call.initiated = True
        call.started = at
        return
    call.status = cast("CallStatus", entry["status"])
    call.answered_by = entry.get("answered_by")
    if call.over:
        call.ended = at
        call.duration = entry.get("duration")
