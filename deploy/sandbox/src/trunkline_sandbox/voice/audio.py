"""Audio for recordings: valid files of the call's length, the same bytes for the same recording."""

import math
import struct
from collections.abc import Iterator
from hashlib import blake2b

SAMPLE_RATE = 8_000
CHUNK_SECONDS = 8

# MPEG 2.5 layer III, 8 kHz, 8 kbit/s, mono: 72 bytes hold 72 ms; zeros decode as silence.
MP3_HEADER = bytes((0xFF, 0xE3, 0x18, 0xC4))
MP3_FRAME = MP3_HEADER + bytes(72 - len(MP3_HEADER))
MP3_FRAME_SECONDS = 0.072


def wav_size(seconds: int, channels: int) -> int:
    """The size of the file that `wav_chunks` makes."""
    return 44 + seconds * SAMPLE_RATE * channels


def wav_chunks(recording_sid: str, seconds: int, channels: int) -> Iterator[bytes]:
    """PCM, 8 bit, 8 kHz: one tone, whose pitch is the recording's own."""
    data_size = seconds * SAMPLE_RATE * channels
    yield struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + data_size, b"WAVE", b"fmt ", 16, 1, channels),
        *(SAMPLE_RATE, SAMPLE_RATE * channels, channels, 8, b"data", data_size),
    )
    second = _one_second(recording_sid, channels)
    for start in range(0, seconds, CHUNK_SECONDS):
        yield second * min(CHUNK_SECONDS, seconds - start)


def mp3_bytes(recording_sid: str, seconds: int) -> bytes:
    """Silent frames behind an ID3 tag that carries the recording's sid as its title."""
    text = b"\x03" + recording_sid.encode()
    frame = b"TIT2" + len(text).to_bytes(4) + b"\x00\x00" + text
    size = len(frame)
    # ID3 sizes keep the top bit of every byte clear.
    tag = b"ID3\x03\x00\x00" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + frame
    return tag + MP3_FRAME * math.ceil(seconds / MP3_FRAME_SECONDS)


def _one_second(recording_sid: str, channels: int) -> bytes:
    digest = blake2b(recording_sid.encode(), digest_size=2).digest()
    # Whole cycles in a second, so that seconds join without a click.
    pitch = 200 + int.from_bytes(digest) % 400
    wave = bytes(
        128 + round(60 * math.sin(2 * math.pi * pitch * at / SAMPLE_RATE))
        for at in range(SAMPLE_RATE)
    )
    if channels == 1:
        return wave
    return b"".join(bytes((sample, 128)) for sample in wave)
