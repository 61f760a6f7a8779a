"""WhatsApp business numbers that this sandbox knows, and where their webhooks go."""

import time
from collections import deque
from hmac import compare_digest
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from trunkline_sandbox.whatsapp import errors


class BusinessNumber(BaseModel):
    """One number and its app. Limits of 0 do not limit; both count real time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phone_number_id: Annotated[str, Field(pattern=r"^[0-9]{5,20}$")]
    access_token: Annotated[str, Field(min_length=1)]
    app_secret: Annotated[str, Field(min_length=1)]
    webhook_url: Annotated[str, Field(pattern=r"^https?://")] = ""
    verify_token: str = ""
    business_account_id: str = "102290129340398"
    display_phone_number: str = "15550783881"
    messages_per_second: Annotated[int, Field(ge=0)] = 0
    pair_seconds: Annotated[float, Field(ge=0)] = 0.0


class BusinessNumbers:
    """The register, and the two limits that Meta keeps per number and per pair."""

    def __init__(self) -> None:
        self._known: dict[str, BusinessNumber] = {}
        self._last_second: dict[str, deque[float]] = {}
        self._last_to: dict[tuple[str, str], float] = {}

    def put(self, number: BusinessNumber) -> None:
        self._known[number.phone_number_id] = number

    def get(self, phone_number_id: str) -> BusinessNumber | None:
        return self._known.get(phone_number_id)

    def all(self) -> list[BusinessNumber]:
        return list(self._known.values())

    def authenticate(self, phone_number_id: str, authorization: str | None) -> BusinessNumber:
        """The number that the path names, if the token may use it."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        known = [
            number
            for number in self._known.values()
            if compare_digest(number.access_token.encode(), token.encode())
        ]
        if scheme.lower() != "bearer" or not known:
            raise errors.refusal(errors.BAD_TOKEN)
        for number in known:
            if number.phone_number_id == phone_number_id:
                return number
        raise errors.unknown_object(phone_number_id)

    def spend(self, number: BusinessNumber, to: str) -> None:
        """Count a message against the limits, or refuse it."""
        now = time.monotonic()
        if number.messages_per_second:
            recent = self._last_second.setdefault(number.phone_number_id, deque())
            while recent and recent[0] <= now - 1.0:
                recent.popleft()
            if len(recent) >= number.messages_per_second:
                raise errors.refusal(errors.RATE_LIMIT)
            recent.append(now)
        if number.pair_seconds:
            pair = (number.phone_number_id, to)
            if now - self._last_to.get(pair, float("-inf")) < number.pair_seconds:
                raise errors.refusal(errors.PAIR_LIMIT)
            self._last_to[pair] = now
