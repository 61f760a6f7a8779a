"""/v1/runs/{run_id}/events: a run as it changes, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from trunkline_api import errors, runs
from trunkline_api.routes.answers import ProblemAnswer
from trunkline_api.routes.callers import RunsReader, ServiceParts
from trunkline_api.routes.guards import PublicRoute
from trunkline_api.routes.runs import RunTold
from trunkline_api.store.runs import CHANGED
from trunkline_api.streams import Watch, follow

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"], route_class=PublicRoute)

LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", description="`id` of the last event that was seen")
]
_FULL: Final[dict[int | str, dict[str, Any]]] = {
    429: {"model": ProblemAnswer, "description": "This key watches too many runs"},
    503: {"model": ProblemAnswer, "description": "Every stream is taken: `Retry-After`"},
}


async def watched(
    run_id: str, caller: RunsReader, parts: ServiceParts, last_event_id: LastEventId = None
) -> AsyncIterator[Watch]:
    """A place, a bell and the right to watch this run; refused before the stream begins."""
    if await runs.get(parts.database, caller.business_id, run_id) is None:
        raise errors.not_found("run")
    with parts.streams.place(caller.key_id), parts.database.waker.bell(CHANGED) as bell:
        known = last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit()
        yield Watch(caller.business_id, run_id, int(last_event_id or 0) if known else None, bell)


@router.get("/events", response_class=EventSourceResponse, responses=_FULL)
async def watch_run(
    watch: Annotated[Watch, Depends(watched)], parts: ServiceParts
) -> AsyncIterator[ServerSentEvent]:
    """The run now (`event: run`), after every change, and `event: end` when it is over.

    Changes within a quarter of a second are told as one. A stream that ends without `end` is to be
    opened again with `Last-Event-ID`; nothing is lost, since each event holds the whole run.
    """
    async for event, run in follow(parts.database, parts.stop, watch):
        data = RunTold.model_validate(run) if event == "run" else {"state": run.state}
        yield ServerSentEvent(event=event, id=str(run.version), data=data)
