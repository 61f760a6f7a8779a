"""Recordings in a local folder: the storage of one machine, or of a shared file system."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import ParamSpec, TypeVar
from uuid import uuid4

from trunkline_recordings.storage.port import AlreadyStored, StorageFailed

PARTIAL = ".partial"
_CHUNK = 1024 * 1024
_LOST_AFTER = 86_400.0  # seconds: no writer takes that long

P = ParamSpec("P")
T = TypeVar("T")


class FolderStore:
    """Files are written aside, flushed to the disk, and only then linked under their key."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def create(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """See `RecordingStore.create`. A link, unlike a rename, refuses to replace."""
        final = self._path(key)
        partial = self._root / PARTIAL / uuid4().hex
        try:
            file = await _in_thread(_open_partial, partial)
            try:
                async for chunk in chunks:
                    await _in_thread(file.write, chunk)
                await _in_thread(_publish, file, partial, final)
            finally:
                with contextlib.suppress(OSError):  # a full disk has been reported already
                    file.close()
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """See `RecordingStore.read`."""
        with await asyncio.to_thread(self._path(key).open, "rb") as file:
            while chunk := await _in_thread(file.read, _CHUNK):
                yield chunk

    async def delete(self, key: str) -> None:
        """See `RecordingStore.delete`."""
        await _in_thread(lambda: self._path(key).unlink(missing_ok=True))

    async def tidy(self) -> int:
        """See `RecordingStore.tidy`."""
        return await _in_thread(_remove_lost, self._root / PARTIAL)

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if any(part in ("", ".", "..", PARTIAL) for part in parts):
            raise ValueError("not a key of this storage")
        return self._root.joinpath(*parts)


async def _in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except FileExistsError as error:
        raise AlreadyStored(str(error.filename2 or error.filename)) from error
    except OSError as error:
        raise StorageFailed(f"{type(error).__name__}: {error.strerror}") from error


def _open_partial(partial: Path) -> io.BufferedWriter:
    partial.parent.mkdir(parents=True, exist_ok=True)
    return partial.open("xb")


def _publish(file: io.BufferedWriter, partial: Path, final: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    final.parent.mkdir(parents=True, exist_ok=True)
    os.link(partial, final)
    folder = os.open(final.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # without it, a power cut may take the name and leave the row
    finally:
        os.close(folder)


def _remove_lost(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    lost = [p for p in folder.iterdir() if time.time() - p.stat().st_mtime > _LOST_AFTER]
    for path in lost:
        path.unlink(missing_ok=True)
    return len(lost)
