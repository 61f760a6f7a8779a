"""What Twilio says while a call goes on: parameters, signature, and the request they make."""

from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from urllib.parse import quote_plus

from twilio.request_validator import RequestValidator

from trunkline_sandbox.courier import Letter
from trunkline_sandbox.voice.accounts import Account
from trunkline_sandbox.voice.calls import API, Call
from trunkline_sandbox.voice.recordings import Recording

SIGNATURE = "X-Twilio-Signature"
Parameters = dict[str, str]

# The words of a call come back in each of its callbacks.
quoted = lru_cache(maxsize=32_768)(quote_plus)


def signed_letter(account: Account, url: str, method: str, parameters: Parameters) -> Letter:
    """The request with the signature over its exact address and, for POST, its parameters."""
    validator = RequestValidator(account.auth_token)
    address = url.partition("#")[0]
    if method == "GET":
        joint = "&" if "?" in address else "?"
        address = f"{address}{joint}{encoded(parameters)}"
        signature = validator.compute_signature(address, {})
        return Letter(address, "GET", headers={SIGNATURE: signature})
    return Letter(
        address,
        "POST",
        body=encoded(parameters).encode(),
        headers={
            SIGNATURE: validator.compute_signature(address, parameters),
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        },
    )


def encoded(parameters: Parameters) -> str:
    """The parameters as a form."""
    return "&".join(f"{name}={quoted(text)}" for name, text in parameters.items())


def call_parameters(call: Call, status: str) -> Parameters:
    """What is in every request about a call."""
    parameters = {
        "CallSid": call.sid,
        "AccountSid": call.account_sid,
        "From": call.order.from_number,
        "To": call.order.to,
        "Caller": call.order.from_number,
        "Called": call.order.to,
        "CallStatus": status,
        "ApiVersion": API.strip("/"),
        "Direction": call.direction,
    }
    if call.parent is not None:
        parameters["ParentCallSid"] = call.parent
    if call.answered_by is not None:
        parameters["AnsweredBy"] = call.answered_by
    return parameters


def progress_parameters(
    call: Call, status: str, at: datetime, recording: Recording | None
) -> Parameters:
    """A status callback. The number counts the events that were asked for, from 0."""
    parameters = call_parameters(call, status)
    parameters["Timestamp"] = format_datetime(at)
    parameters["CallbackSource"] = "call-progress-events"
    parameters["SequenceNumber"] = str(call.events_said)
    if call.over:
        seconds = call.duration or 0
        parameters["CallDuration"] = str(seconds)
        # Billed minutes, begun ones counted whole.
        parameters["Duration"] = str(-(-seconds // 60))
    if call.sip_code is not None:
        parameters["SipResponseCode"] = str(call.sip_code)
    if recording is not None and call.over:
        parameters["RecordingSid"] = recording.sid
        parameters["RecordingUrl"] = recording.media_url
        parameters["RecordingDuration"] = str(call.duration or 0)
    return parameters


def recording_parameters(recording: Recording) -> Parameters:
    """A recording's status callback."""
    parameters = {
        "AccountSid": recording.account_sid,
        "CallSid": recording.call_sid,
        "RecordingSid": recording.sid,
        "RecordingUrl": recording.media_url,
        "RecordingStatus": recording.status,
        "RecordingChannels": str(recording.channels),
        "RecordingSource": recording.source,
        "RecordingTrack": "both",
        "RecordingStartTime": format_datetime(recording.created),
        "ErrorCode": "0",
    }
    if recording.status == "completed":
        parameters["RecordingDuration"] = str(recording.seconds)
    return parameters
