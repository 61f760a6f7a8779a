"""Registered accounts and numbers, kept beside the witness so that a restart knows them."""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from trunkline_sandbox.voice.accounts import Account
from trunkline_sandbox.whatsapp.numbers import BusinessNumber


class Registered(BaseModel):
    """The file's content."""

    model_config = ConfigDict(frozen=True)

    accounts: list[Account] = []
    numbers: list[BusinessNumber] = []


class Vault:
    """A small file of our own credentials, readable by its owner only, replaced whole."""

    def __init__(self, log: Path) -> None:
        self._path = log.with_name(log.name + ".accounts.json")

    def load(self) -> Registered:
        if not self._path.exists():
            return Registered()
        return Registered.model_validate_json(self._path.read_bytes())

    def save(self, registered: Registered) -> None:
        draft = self._path.with_name(self._path.name + ".new")
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as out:
            out.write(registered.model_dump_json(indent=1))
        draft.replace(self._path)
