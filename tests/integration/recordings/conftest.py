"""A provider of audio that does as told, storages of both kinds, and recordings' stage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from moto.server import ThreadedMotoServer
from tests.integration.recordings.provider import AudioProvider, providing
from tests.integration.recordings.scene import Scene

from trunkline_common.db import Database
from trunkline_recordings.storage.choice import Bucket, open_storage
from trunkline_recordings.storage.port import RecordingStore


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3", "s3 in parts"])
async def storage(
    request: pytest.FixtureRequest, tmp_path: Path, s3_endpoint: str
) -> RecordingStore:
    """Each adapter in turn; a large object goes another way into S3 than a small one."""
    if request.param == "folder":
        return open_storage(f"file://{tmp_path}/store", Bucket())
    from trunkline_recordings.storage.s3 import S3Recordings, open_s3

    bucket = f"bucket-{tmp_path.name.replace('_', '-').lower()[-40:].strip('-')}"
    await asyncio.to_thread(httpx.put, f"{s3_endpoint}/{bucket}")
    client = open_s3(
        bucket,
        "kept/here",
        endpoint=s3_endpoint,
        region="us-east-1",
        access_key="key",
        secret_key="secret",
    )
    in_one = 16 * 1024 * 1024 if request.param == "s3" else 1000
    return S3Recordings(client, spool=tmp_path, in_one=in_one)


@pytest.fixture
async def provider() -> AsyncIterator[AudioProvider]:
    async with providing() as provider:
        yield provider


@pytest.fixture
async def scene(recordings_database: Database, provider: AudioProvider, tmp_path: Path) -> Scene:
    """A business with an open voice channel, and an empty folder."""
    stage = Scene(recordings_database, provider, tmp_path / "store")
    await stage.open_channel()
    return stage
