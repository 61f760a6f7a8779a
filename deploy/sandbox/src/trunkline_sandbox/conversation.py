"""One request from its first byte to its answer: body, faults, the deed, the answer or none."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from trunkline_sandbox.answers import Drip, Reset, Silence
from trunkline_sandbox.bodies import UnfinishedBodyError, read_body
from trunkline_sandbox.faults.book import Effects, FaultBook
from trunkline_sandbox.faults.orders import FaultKind, FaultOrder, Subject
from trunkline_sandbox.refusals import RefusalError
from trunkline_sandbox.witness import Witness

# An early callback that never goes out must not hold the answer for ever.
LONGEST_HEAD_START = 10.0


class Dialect(Protocol):
    """How one provider reads a request and words an error."""

    def subject(self, request: Request, body: bytes) -> Subject:
        """The request as a fault order sees it."""

    def rejection(self, order: FaultOrder) -> RefusalError:
        """The error body for a code on order."""

    def too_many(self, retry_after: int) -> RefusalError: ...

    def broken(self) -> RefusalError: ...

    def stalled(self) -> RefusalError: ...


@dataclass(frozen=True, slots=True)
class Deed:
    """What a request did: the answer, and the sign of its first callback if there will be one."""

    answer: Response
    first_callback: asyncio.Event | None = None


Act = Callable[[bytes, Effects], Awaitable[Deed]]


@dataclass(frozen=True, slots=True)
class Conversation:
    """Everything a conversation needs but the request itself."""

    dialect: Dialect
    book: FaultBook
    witness: Witness
    body_seconds: float

    async def hold(self, request: Request, act: Act) -> Response:
        """Answer one request, or fail it in the way that was ordered."""
        try:
            body = await read_body(request, self.body_seconds)
        except UnfinishedBodyError as unfinished:
            self.witness.write("incomplete", path=request.url.path, reason=unfinished.reason)
            return self.dialect.stalled().answer() if unfinished.stalled else Silence()
        subject = self.dialect.subject(request, body)
        effects = self.book.effects_for(subject)
        if effects.first(FaultKind.NEVER_ANSWER):
            return Silence()
        try:
            self._fail_before(effects)
            deed = await act(body, effects)
        except RefusalError as refusal:
            self.witness.write(
                "rejected",
                account=subject.account,
                to=subject.to,
                method=subject.method,
                path=subject.path,
                status=refusal.status,
                code=refusal.code,
            )
            return refusal.answer()
        return await self._answer(deed, effects)

    def _fail_before(self, effects: Effects) -> None:
        order = effects.first(FaultKind.REJECT, FaultKind.RATE_LIMIT, FaultKind.ERROR_BEFORE_ACCEPT)
        if order is None:
            return
        if order.kind is FaultKind.REJECT:
            raise self.dialect.rejection(order)
        if order.kind is FaultKind.RATE_LIMIT:
            raise self.dialect.too_many(order.retry_after)
        raise self.dialect.broken()

    async def _answer(self, deed: Deed, effects: Effects) -> Response:
        if effects.first(FaultKind.CALLBACKS_EARLY) and deed.first_callback is not None:
            await _head_start(deed.first_callback)
        delay = effects.first(FaultKind.DELAY_ANSWER)
        if delay is not None:
            await asyncio.sleep(delay.milliseconds / 1000)
        ending = effects.first(
            FaultKind.ERROR_AFTER_ACCEPT,
            FaultKind.ACCEPT_NEVER_ANSWER,
            FaultKind.ACCEPT_THEN_RESET,
            FaultKind.SLOW_BODY,
        )
        if ending is None:
            return deed.answer
        if ending.kind is FaultKind.ERROR_AFTER_ACCEPT:
            return self.dialect.broken().answer()
        if ending.kind is FaultKind.ACCEPT_NEVER_ANSWER:
            return Silence()
        if ending.kind is FaultKind.ACCEPT_THEN_RESET:
            return Reset()
        return Drip(deed.answer, ending.seconds)


async def _head_start(first_callback: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LONGEST_HEAD_START):
            await first_callback.wait()
    except TimeoutError:
        return
