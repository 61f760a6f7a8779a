"""Credentials at rest and on the wire: AES-GCM, bound to the channel they belong to."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from trunkline_common.outcomes import TrunklineError

_NONCE = 12
_KEY = 32


class CannotUnseal(TrunklineError):
    """The key is unknown, or the sealed text is not what was sealed for this context."""


class Sealer:
    """Seals with the current key and opens with any that it knows."""

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        if current not in keys:
            raise ValueError("the current sealing key is not among the keys")
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = current

    def seal(self, secrets: Mapping[str, str], context: str) -> tuple[str, str]:
        """(key id, sealed text); opens only with the same context."""
        nonce = os.urandom(_NONCE)
        plain = json.dumps(dict(secrets), separators=(",", ":")).encode()
        sealed = nonce + self._keys[self._current].encrypt(nonce, plain, context.encode())
        return self._current, base64.b64encode(sealed).decode()

    def open(self, key_id: str, sealed: str, context: str) -> dict[str, str]:
        """What was sealed, or `CannotUnseal`."""
        key = self._keys.get(key_id)
        if key is None:
            raise CannotUnseal(f"sealing key {key_id!r} is not known here")
        try:
            raw = base64.b64decode(sealed, validate=True)
            plain = key.decrypt(raw[:_NONCE], raw[_NONCE:], context.encode())
        except (InvalidTag, ValueError, binascii.Error):
            raise CannotUnseal(
                f"sealed with another key or for another context: {context}"
            ) from None
        opened: dict[str, str] = json.loads(plain)
        return opened


def parse_keys(text: str) -> Sealer:
    """A sealer of `k1:base64,k0:base64`: the first key seals, all of them open."""
    keys: dict[str, bytes] = {}
    for entry in text.split(","):
        key_id, colon, encoded = entry.strip().partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error):
            key = b""
        if not colon or not key_id or len(key) != _KEY:
            raise ValueError("sealing keys are written as name:base64-of-32-bytes,…")
        keys[key_id] = key
    return Sealer(keys, next(iter(keys)))
