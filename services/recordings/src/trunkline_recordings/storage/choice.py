"""Which storage a URL names: a local folder, or a bucket."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from trunkline_recordings.storage.folder import FolderStore
from trunkline_recordings.storage.port import RecordingStore


@dataclass(frozen=True, slots=True)
class Bucket:
    """How an S3 is reached. Without keys, by the machine's own role."""

    endpoint: str | None = None
    region: str = "us-east-1"
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    spool: Path | None = None


def open_storage(url: str, bucket: Bucket) -> RecordingStore:
    """The storage that the URL names; nothing is asked of it yet."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return FolderStore(Path(unquote(parts.path)))
    from trunkline_recordings.storage.s3 import S3Recordings, open_s3

    client = open_s3(
        parts.netloc,
        parts.path,
        endpoint=bucket.endpoint,
        region=bucket.region,
        access_key=bucket.access_key,
        secret_key=bucket.secret_key,
    )
    return S3Recordings(client, spool=bucket.spool)
