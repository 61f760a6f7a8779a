"""TwiML: how long a document talks, and which are none."""

import struct
import wave
from io import BytesIO

import pytest

from trunkline_sandbox.voice.audio import mp3_bytes, wav_chunks, wav_size
from trunkline_sandbox.voice.script import (
    GATHER_SECONDS,
    PLAY_SECONDS,
    SECONDS_PER_CHARACTER,
    UNTIL_HANGUP,
    UnusableScriptError,
    read_script,
)


@pytest.mark.parametrize(
    ("verbs", "seconds"),
    [
        ("", 0.0),
        ("<Say>ten  chars</Say>", 9 * SECONDS_PER_CHARACTER),
        ('<Say loop="2">four</Say>', 8 * SECONDS_PER_CHARACTER),
        ("<Pause/>", 1.0),
        ('<Pause length="7"/>', 7.0),
        ("<Play>http://x/y.mp3</Play>", PLAY_SECONDS),
        ('<Pause length="3"/><Hangup/><Pause length="9"/>', 3.0),
        ("<Gather><Pause/></Gather>", 1.0 + GATHER_SECONDS),
        ('<Gather timeout="2"/><Pause/>', 3.0),
        ('<Record maxLength="30"/>', 30.0),
        ("<Connect><Stream/></Connect>", UNTIL_HANGUP),
    ],
)
def test_how_long_a_document_lasts(verbs: str, seconds: float) -> None:
    assert read_script(f"<Response>{verbs}</Response>").seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    "document",
    ["", "hello", "<Response>", "<response/>", "<!DOCTYPE r [<!ENTITY a 'b'>]><Response/>"],
)
def test_documents_that_are_none(document: str) -> None:
    with pytest.raises(UnusableScriptError):
        read_script(document)


@pytest.mark.parametrize("channels", [1, 2])
def test_wav_files_are_valid_and_their_recordings_own(channels: int) -> None:
    audio = b"".join(wav_chunks("RE1", 19, channels))
    assert len(audio) == wav_size(19, channels)
    assert audio == b"".join(wav_chunks("RE1", 19, channels))
    assert audio != b"".join(wav_chunks("RE2", 19, channels))
    with wave.open(BytesIO(audio)) as file:
        assert file.getnframes() == 19 * file.getframerate()
        assert file.getnchannels() == channels


def test_mp3_files_are_whole_frames_behind_a_tag() -> None:
    audio = mp3_bytes("RE1", 10)
    size = struct.unpack(">I", b"\x00" + audio[7:10])[0]
    frames = audio[10 + size :]
    assert b"RE1" in audio[: 10 + size]
    assert len(frames) % 72 == 0
    assert len(frames) // 72 == 139
    assert frames[:2] == frames[72:74] == b"\xff\xe3"


@pytest.mark.parametrize(
    ("document", "to", "seconds"),
    [
        ("<Dial><Number>+493011100001</Number></Dial>", "+493011100001", 0.0),
        ("<Pause length='3'/><Dial>+493011100001</Dial>", "+493011100001", 3.0),
        ("<Dial><Client>ada</Client></Dial>", None, None),
        ("<Hangup/><Dial>+493011100001</Dial>", None, None),
        ("<Gather action='/a'/><Dial>+493011100001</Dial>", None, None),
    ],
)
def test_a_dial_of_a_number_opens_a_leg(
    document: str, to: str | None, seconds: float | None
) -> None:
    asked = read_script(f"<Response>{document}</Response>").connection
    assert (asked and asked.to, asked and asked.seconds) == (to, seconds)


def test_a_dial_says_what_is_asked_of_its_leg() -> None:
    number = (
        "<Number statusCallback='/leg' statusCallbackEvent='answered completed'>"
        "+493011100001</Number>"
    )
    dial = f"<Dial action='/d' callerId='+15005550006' timeout='20' timeLimit='60'>{number}</Dial>"
    asked = read_script(f"<Response>{dial}</Response>").connection
    assert asked is not None
    assert (asked.action, asked.caller_id, asked.timeout, asked.time_limit) == (
        "/d", "+15005550006", 20.0, 60.0,
    )  # fmt: skip
    assert (asked.callback, asked.callback_method, asked.events) == (
        "/leg", "POST", "answered completed",
    )  # fmt: skip
