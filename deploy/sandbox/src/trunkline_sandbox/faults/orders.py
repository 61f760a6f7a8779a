"""One fault as it is ordered: its kind, which requests it meets, and how often."""

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class FaultKind(StrEnum):
    """What can go wrong. The first block happens before a request is accepted."""

    REJECT = "reject"
    RATE_LIMIT = "rate_limit"
    ERROR_BEFORE_ACCEPT = "error_before_accept"
    NEVER_ANSWER = "never_answer"

    ERROR_AFTER_ACCEPT = "error_after_accept"
    ACCEPT_NEVER_ANSWER = "accept_never_answer"
    ACCEPT_THEN_RESET = "accept_then_reset"
    SLOW_BODY = "slow_body"
    DELAY_ANSWER = "delay_answer"

    CALLBACKS_LOST = "callbacks_lost"
    CALLBACKS_REPEATED = "callbacks_repeated"
    CALLBACKS_SHUFFLED = "callbacks_shuffled"
    CALLBACKS_DELAYED = "callbacks_delayed"
    CALLBACKS_FORGED = "callbacks_forged"
    CALLBACKS_EARLY = "callbacks_early"

    LIST_LAG = "list_lag"


Provider = Literal["twilio", "meta"]


@dataclass(frozen=True, slots=True)
class Subject:
    """One request, as far as a fault can see it."""

    provider: Provider
    method: str
    path: str
    account: str = ""
    to: str = ""
    creates: bool = False
    lists: bool = False


class FaultOrder(BaseModel):
    """A fault on order. Without `path` it meets the requests that create a call or a message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    provider: Provider | None = None
    account: str | None = None
    to: str | None = Field(None, description="An exact address")
    path: str | None = Field(None, description="A shell pattern over the path, like */Recordings/*")
    method: Literal["GET", "POST", "DELETE"] | None = None
    nth: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Only the nth request that matches"
    )
    times: Annotated[int, Field(ge=1)] | None = Field(None, description="At most so many hits")
    probability: float = Field(1.0, gt=0.0, le=1.0)
    seed: int = 0

    code: int | None = Field(None, description="reject: the provider's error code")
    retry_after: int = Field(1, ge=0, description="rate_limit: seconds in Retry-After")
    copies: int = Field(2, ge=2, le=20, description="callbacks_repeated: deliveries of each")
    milliseconds: int = Field(500, ge=0, description="delay_answer; callbacks_shuffled: within")
    seconds: float = Field(
        2.0, ge=0.0, description="slow_body, list_lag, callbacks_delayed: real seconds"
    )

    def fits(self, subject: Subject) -> bool:
        """Whether this order is about such a request at all, before counting and dice."""
        if self.path is not None:
            if not fnmatchcase(subject.path, self.path):
                return False
        elif self.kind is FaultKind.LIST_LAG:
            if not subject.lists:
                return False
        elif not subject.creates:
            return False
        wanted = (
            (self.provider, subject.provider),
            (self.account, subject.account),
            (self.to, subject.to),
            (self.method, subject.method),
        )
        return all(order is None or order == seen for order, seen in wanted)
