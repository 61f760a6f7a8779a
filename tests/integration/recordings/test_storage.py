"""The port's contract, over both adapters: whole or not there, and never replaced."""

from __future__ import annotations

import os
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from trunkline_recordings.storage.choice import Bucket, open_storage
from trunkline_recordings.storage.port import AlreadyStored, RecordingStore, StorageFailed

KEY = "biz_1/2026/11/rec_1.wav"
BODY = os.urandom(700_000)


class Broken(Exception):
    """The source of the bytes gave up."""


async def pieces(body: bytes = BODY, *, fail_after: int | None = None) -> AsyncIterator[bytes]:
    for number, start in enumerate(range(0, len(body), 100_000)):
        if number == fail_after:
            raise Broken
        yield body[start : start + 100_000]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def content(storage: RecordingStore, key: str = KEY) -> bytes:
    return b"".join([chunk async for chunk in storage.read(key)])


async def test_what_was_stored_is_read(storage: RecordingStore) -> None:
    await storage.create(KEY, pieces())
    assert await content(storage) == BODY


async def test_a_larger_object_than_a_part(storage: RecordingStore) -> None:
    body = BODY * 17  # 11.9 MB: three parts
    await storage.create(KEY, pieces(body))
    assert await content(storage) == body


async def test_nothing_is_replaced_and_the_source_is_read_to_its_end(
    storage: RecordingStore,
) -> None:
    await storage.create(KEY, pieces())
    source = pieces(b"something else")
    with pytest.raises(AlreadyStored):
        await storage.create(KEY, source)
    assert [chunk async for chunk in source] == []
    assert await content(storage) == BODY


async def test_a_source_that_gives_up_leaves_nothing(storage: RecordingStore) -> None:
    with pytest.raises(Broken):
        await storage.create(KEY, pieces(fail_after=3))
    with pytest.raises(FileNotFoundError):
        await content(storage)
    await storage.create(KEY, pieces())  # and takes nobody's place
    assert await content(storage) == BODY


async def test_what_is_not_there(storage: RecordingStore) -> None:
    with pytest.raises(FileNotFoundError):
        await content(storage, "biz_1/none.wav")
    await storage.delete("biz_1/none.wav")


async def test_deleted_is_gone(storage: RecordingStore) -> None:
    await storage.create(KEY, pieces())
    await storage.delete(KEY)
    with pytest.raises(FileNotFoundError):
        await content(storage)


async def test_a_storage_that_is_away_says_so(tmp_path: Path) -> None:
    away = Bucket(endpoint="http://127.0.0.1:9", access_key="key", secret_key="secret")
    with pytest.raises(StorageFailed):
        await open_storage("s3://bucket/prefix", away).create(KEY, pieces())
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageFailed):
        await open_storage(f"file://{tmp_path}/file/store", Bucket()).create(KEY, pieces())


async def test_a_disk_that_takes_no_more_leaves_nothing(tmp_path: Path) -> None:
    storage = open_storage(f"file://{tmp_path}/store", Bucket())
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, usual[1]))  # writes fail as on a full disk
    try:
        with pytest.raises(StorageFailed):
            await storage.create(KEY, pieces())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert files(tmp_path) == []
    await storage.create(KEY, pieces())
    assert await content(storage) == BODY


@pytest.mark.parametrize("key", ["../x", "a//b", "/etc/x", "a/../b", ".partial/x", ""])
async def test_a_folder_is_not_left(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        await open_storage(f"file://{tmp_path}/store", Bucket()).create(key, pieces())


async def test_lost_halves_are_tidied_away_after_a_day(tmp_path: Path) -> None:
    storage = open_storage(f"file://{tmp_path}", Bucket())
    (tmp_path / ".partial").mkdir()
    for name, age in (("young", 0), ("old", 100_000)):
        path = tmp_path / ".partial" / name
        path.write_bytes(b"half")
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age))
    assert await storage.tidy() == 1
    assert [path.name for path in (tmp_path / ".partial").iterdir()] == ["young"]
