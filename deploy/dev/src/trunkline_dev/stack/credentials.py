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
    passwords: dict[str, str]  # of database roles


def credentials_in(path: Path) -> Credentials:
    """The secrets kept in this file; new ones if there is none."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(_new()), file, indent=2)
    return Credentials(**json.loads(path.read_text()))


def _new() -> Credentials:
    roles = [role(service) for service in SERVICES for role in (owner_role, app_role)]
    return Credentials(
        sealing_keys="local:" + base64.b64encode(secrets.token_bytes(32)).decode(),
        callback_secret=secrets.token_urlsafe(32),
        operator_token="op_" + secrets.token_urlsafe(24),
        passwords={role: secrets.token_urlsafe(18) for role in roles},
    )
