"""The witness: an append-only file of JSON lines that says what this provider was really asked."""

import fcntl
import json
import os
from array import array
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

Entry = dict[str, Any]

# Every call leaves a dozen lines: the compiled serialiser costs a tenth of `json.dumps`.
LINE = TypeAdapter(Entry)


class WitnessInUseError(Exception):
    """Another process writes this file; two writers would number their lines twice."""


class Witness:
    """Numbers every fact and writes it before anybody hears of it.

    The file is only ever appended to, also over restarts: numbering goes on where it ended, and a
    line that a crash tore in two is closed and left out.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            raise WitnessInUseError(str(path)) from error
        self._starts = array("Q")
        self._ends = array("Q")
        self._end = os.fstat(self._file).st_size
        self._last = 0
        self._listeners: list[Callable[[Entry], None]] = []
        self._close_torn_line()

    @property
    def last(self) -> int:
        """The number of the newest line."""
        return self._last

    def listen(self, listener: Callable[[Entry], None]) -> None:
        """Hear every later line as it is written."""
        self._listeners.append(listener)

    def write(self, kind: str, **facts: Any) -> int:
        """Append one fact and return its number. On return the line is in the file."""
        number = self._last + 1
        entry: Entry = {"n": number, "at": datetime.now(UTC).isoformat(), "kind": kind, **facts}
        line = LINE.dump_json(entry) + b"\n"
        written = os.write(self._file, line)
        if written != len(line):
            raise OSError(f"the witness took {written} of {len(line)} bytes")
        self._index(self._end, self._end + written)
        self._last = number
        for listener in self._listeners:
            listener(entry)
        return number

    def read(self, after: int = 0, limit: int = 10_000) -> list[bytes]:
        """Up to `limit` raw lines with a number above `after`, oldest first."""
        chosen = range(max(after, 0), min(max(after, 0) + limit, len(self._starts)))
        return [
            os.pread(self._file, self._ends[at] - self._starts[at], self._starts[at]).rstrip()
            for at in chosen
        ]

    def history(self) -> Iterator[Entry]:
        """Everything an earlier process wrote, oldest first; read once, before the first write."""
        start = 0
        with os.fdopen(os.dup(self._file), "rb") as lines:
            lines.seek(0)
            for line in lines:
                stop = start + len(line)
                entry = _parsed(line)
                if entry is not None:
                    self._starts.append(start)
                    self._ends.append(stop)
                    self._last = len(self._starts)
                    yield entry
                start = stop

    def close(self) -> None:
        os.close(self._file)

    def _index(self, start: int, stop: int) -> None:
        self._starts.append(start)
        self._ends.append(stop)
        self._end = stop

    def _close_torn_line(self) -> None:
        if self._end and os.pread(self._file, 1, self._end - 1) != b"\n":
            self._end += os.write(self._file, b"\n")


def _parsed(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "n" in entry else None
