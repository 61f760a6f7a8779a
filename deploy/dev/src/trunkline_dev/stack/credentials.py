"""Every secret of a local stack: made once per instance, kept in a file that only we may read."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from trunkline_common.db.roles import app_role, owner_role
from trunkline_dev.stack.options import SERVICES


@dataclass(frozen=True, slots=True)
class Credentials:
    """What services share with each other, with their database, and with the operator."""

    sealing_keys: str
    callback_secret: str
    operator_token: str
    internal_token: str
    passwords: dict[str, str]  # of database roles


def credentials_in(path: Path) -> Credentials:
    """The secrets kept in this file; new ones for those that it lacks, as an older file may."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    secrets_now = asdict(_new()) | kept
    if secrets_now != kept:
        written = path.with_suffix(".new")
        written.unlink(missing_ok=True)
        descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(secrets_now, file, indent=2)
        written.replace(path)
    return Credentials(**secrets_now)


def _new() -> Credentials:
    roles = [role(service) for service in SERVICES for role in (owner_role, app_role)]
    return Credentials(
        sealing_keys="local:" + base64.b64encode(secrets.token_bytes(32)).decode(),
        callback_secret=secrets.token_urlsafe(32),
        operator_token="op_" + secrets.token_urlsafe(24),
        internal_token=secrets.token_urlsafe(32),
        passwords={role: secrets.token_urlsafe(18) for role in roles},
    )
