"""Recordings: the resource, its files, and the two shapes in which the API lists it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from trunkline_sandbox.voice.calls import API, Call, derived_sid, moment

RecordingStatus = Literal["in-progress", "processing", "completed"]
Source = Literal["OutboundAPI", "RecordVerb"]


@dataclass(slots=True, eq=False)
class Recording:
    """One recording of one call."""

    sid: str
    account_sid: str
    call_sid: str
    public_url: str
    channels: int
    source: Source
    callback: str
    callback_method: str
    events: frozenset[str]
    created: datetime
    updated: datetime
    status: RecordingStatus = "in-progress"
    seconds: int = 0
    deleted: bool = False

    @property
    def uri(self) -> str:
        return f"{API}/Accounts/{self.account_sid}/Recordings/{self.sid}"

    @property
    def media_url(self) -> str:
        """Where the audio is; `.wav` or `.mp3` may be added."""
        return f"{self.public_url}{self.uri}"


def recording_of(call: Call, source: Source, at: datetime) -> Recording:
    """The recording that begins when this call is answered."""
    return Recording(
        sid=derived_sid("RE", f"{call.sid}:{source}"),
        account_sid=call.account_sid,
        call_sid=call.sid,
        public_url=call.public_url,
        channels=call.order.channels if source == "OutboundAPI" else 1,
        source=source,
        callback=call.order.recording_callback,
        callback_method=call.order.recording_callback_method,
        events=call.order.recording_events,
        created=at,
        updated=at,
    )


def recording_resource(recording: Recording) -> dict[str, Any]:
    """As `/Recordings` shows it."""
    done = recording.status == "completed"
    return {
        **_shared(recording),
        "price": None,
        "uri": f"{recording.uri}.json",
        "media_url": recording.media_url if done else None,
        "subresource_uris": {
            "add_on_results": f"{recording.uri}/AddOnResults.json",
            "transcriptions": f"{recording.uri}/Transcriptions.json",
        },
    }


def call_recording_resource(recording: Recording) -> dict[str, Any]:
    """As `/Calls/{sid}/Recordings` shows it."""
    under_call = f"{API}/Accounts/{recording.account_sid}/Calls/{recording.call_sid}"
    return {
        **_shared(recording),
        "price": None,
        "uri": f"{under_call}/Recordings/{recording.sid}.json",
        "track": "both",
    }


def _shared(recording: Recording) -> dict[str, Any]:
    done = recording.status == "completed"
    return {
        "sid": recording.sid,
        "account_sid": recording.account_sid,
        "api_version": API.strip("/"),
        "call_sid": recording.call_sid,
        "conference_sid": None,
        "channels": recording.channels,
        "date_created": moment(recording.created),
        "date_updated": moment(recording.updated),
        "start_time": moment(recording.created),
        "price_unit": "USD",
        "duration": str(recording.seconds) if done else None,
        "source": recording.source,
        "status": recording.status,
        "error_code": None,
        "encryption_details": None,
    }
