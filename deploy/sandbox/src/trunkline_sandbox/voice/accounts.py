"""Twilio accounts that this sandbox knows, and who may act for them."""

import base64
import binascii
from hmac import compare_digest
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from trunkline_sandbox.voice import errors

AccountSid = Annotated[str, Field(pattern=r"^AC[0-9a-fA-F]{32}$")]
E164 = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]


class Account(BaseModel):
    """One account. Limits of 0 do not limit; both count real seconds, whatever the speed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account_sid: AccountSid
    auth_token: Annotated[str, Field(min_length=1)]
    numbers: Annotated[frozenset[E164], Field(min_length=1)]
    calls_per_second: Annotated[float, Field(ge=0)] = 0.0
    concurrent_calls: Annotated[int, Field(ge=0)] = 0


class Accounts:
    """The register. Registering a sid again replaces its token, numbers and limits."""

    def __init__(self) -> None:
        self._known: dict[str, Account] = {}

    def put(self, account: Account) -> None:
        self._known[account.account_sid] = account

    def get(self, account_sid: str) -> Account | None:
        return self._known.get(account_sid)

    def all(self) -> list[Account]:
        return list(self._known.values())

    def authenticate(self, account_sid: str, authorization: str | None) -> Account:
        """The account that the path names, if the credentials are its own."""
        user, token = _credentials(authorization)
        account = self._known.get(account_sid)
        if account is None or user != account_sid:
            raise errors.refusal(errors.AUTHENTICATE)
        if not compare_digest(token.encode(), account.auth_token.encode()):
            raise errors.refusal(errors.AUTHENTICATE)
        return account


def _credentials(authorization: str | None) -> tuple[str, str]:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, token = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, token
