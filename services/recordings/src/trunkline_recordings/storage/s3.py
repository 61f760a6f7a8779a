"""Recordings in S3, or in what speaks like it.

obstore's synchronous calls in threads: its asynchronous ones abort processes that end soon after.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, ParamSpec, TypeVar
from uuid import uuid4

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import S3Store

from trunkline_recordings.storage.port import AlreadyStored, StorageFailed

if TYPE_CHECKING:
    from obstore.store import S3Config

PARTIAL = ".partial"
_PART = 5 * 1024 * 1024
_IN_ONE = 16 * 1024 * 1024  # what a single conditional request may hold in memory
_AT_ONCE = 4
_DEADLINE = timedelta(seconds=60)

P = ParamSpec("P")
T = TypeVar("T")


def open_s3(
    bucket: str,
    prefix: str,
    *,
    endpoint: str | None,
    region: str,
    access_key: str | None,
    secret_key: str | None,
) -> S3Store:
    """A client of one bucket; makes no request. Without keys, those of the machine's role."""
    options: S3Config = {"region": region, "copy_if_not_exists": "multipart"}
    if endpoint:
        options["endpoint"] = endpoint
    if access_key and secret_key:
        options["access_key_id"] = access_key
        options["secret_access_key"] = secret_key
    return S3Store(
        bucket,
        prefix=prefix.strip("/") or None,
        config=options,
        client_options={
            "timeout": _DEADLINE,
            "allow_http": endpoint is not None and endpoint.startswith("http://"),
        },
        retry_config={"max_retries": 3, "retry_timeout": _DEADLINE},
    )


class S3Recordings:
    """Objects are spooled to a file until they are verified, then uploaded under a condition.

    A small one goes in one request; a large one in parts beside its key, then is copied to it.
    """

    def __init__(self, store: S3Store, *, spool: Path | None, in_one: int = _IN_ONE) -> None:
        self._store = store
        self._spool = spool
        self._in_one = in_one

    async def create(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """See `RecordingStore.create`."""
        with await _in_thread(self._open_spool) as file:
            async for chunk in chunks:
                await _in_thread(file.write, chunk)
            await _in_thread(self._upload, key, file)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """See `RecordingStore.read`."""
        result = await _in_thread(obstore.get, self._store, key)
        stream = iter(result.stream(min_chunk_size=_PART))
        while (chunk := await _in_thread(next, stream, None)) is not None:
            yield bytes(chunk)

    async def delete(self, key: str) -> None:
        """See `RecordingStore.delete`."""
        await _in_thread(obstore.delete, self._store, key)

    async def tidy(self) -> int:
        """See `RecordingStore.tidy`. Parts of lost uploads are the bucket's own to expire."""
        return 0

    def _open_spool(self) -> IO[bytes]:
        return tempfile.TemporaryFile(dir=self._spool)

    def _upload(self, key: str, file: IO[bytes]) -> None:
        size = file.tell()
        file.seek(0)
        if size <= self._in_one:
            obstore.put(self._store, key, file.read(), mode="create")
            return
        partial = f"{PARTIAL}/{uuid4().hex}"
        try:
            obstore.put(self._store, partial, file, chunk_size=_PART, max_concurrency=_AT_ONCE)
            obstore.copy(self._store, partial, key, overwrite=False)
        finally:
            with suppress(BaseError):
                obstore.delete(self._store, partial)


async def _in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except AlreadyExistsError as error:
        raise AlreadyStored("there is an object under this key") from error
    except (FileNotFoundError, NotFoundError) as error:
        raise FileNotFoundError("no object under this key") from error
    except (BaseError, OSError) as error:
        raise StorageFailed(f"{type(error).__name__} of the storage") from error
