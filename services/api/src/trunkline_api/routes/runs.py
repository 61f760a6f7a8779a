"""/v1/runs."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field, computed_field, model_validator

from trunkline_api import contents, errors, runs
from trunkline_api.domain.paces import ended_of
from trunkline_api.domain.steps import Dialogue
from trunkline_api.routes.answers import (
    AFTER_EVERY_ID,
    Asked,
    Cursor,
    Id,
    Limit,
    Page,
    Told,
    page_of,
    position_in,
)
from trunkline_api.routes.callers import (
    RunsReader,
    RunsWriter,
    ServiceParts,
)
from trunkline_api.routes.contents import EXAMPLE
from trunkline_api.routes.guards import PublicRoute
from trunkline_api.routes.values import MOVES, Moment, WallClock
from trunkline_common.contracts.api import ChannelKind
from trunkline_common.contracts.runs import Forecast
from trunkline_common.http import correlation_id

router = APIRouter(prefix="/runs", tags=["runs"], route_class=PublicRoute)


class AudienceAsked(Asked):
    """Whom the run is for: exactly one of these."""

    import_id: Id | None = None
    contact_ids: list[Id] | None = Field(default=None, min_length=1, max_length=1000)
    all: bool | None = None

    @model_validator(mode="after")
    def _is_one(self) -> AudienceAsked:
        if sum((self.import_id is not None, self.contact_ids is not None, self.all is True)) != 1:
            message = "give exactly one of import_id, contact_ids and all: true"
            raise ValueError(message)
        return self


class WindowAsked(Asked):
    """When contacts may be called, on their own wall clock; `closes` is not in it any more."""

    opens: WallClock = time(9)
    closes: WallClock = time(20)
    weekdays: list[Annotated[int, Field(ge=1, le=7)]] = Field(
        default=[1, 2, 3, 4, 5, 6, 7], max_length=7, description="ISO: Monday is 1"
    )


class RetryAsked(Asked):
    """Tries after one kind of end: the n-th waits the n-th delay, later ones the last."""

    most: int = Field(ge=0, le=10)
    delays: list[Annotated[int, Field(ge=1, le=7 * 86_400)]] = Field(min_length=1, max_length=10)


Pace = Annotated[float, Field(ge=0.001, le=1000, allow_inf_nan=False)]
Places = Annotated[int, Field(ge=1, le=100_000)]


class AutoPauseAsked(Asked):
    """Pause the run by itself once so large a share of those who ended had these outcomes.

    Counted over all whose turn ended after a try, since the start or the last resume; looked at
    about once a second.
    """

    share: float = Field(default=0.5, gt=0, le=1, allow_inf_nan=False)
    minimum: int = Field(default=20, ge=1, le=1_000_000, description="not before so many ended")
    outcomes: list[Literal["failed", "busy", "no_answer", "machine", "canceled", "unknown"]] = (
        Field(default=["failed"], min_length=1, max_length=6)
    )


class PolicyAsked(Asked):
    """How the run behaves. Times in seconds, pace in requests per second."""

    per_second: Annotated[Pace | None, MOVES] = None
    concurrent: Annotated[Places | None, MOVES] = None
    record: bool = True
    ring_timeout: int = Field(default=30, ge=5, le=600)
    time_limit: int = Field(default=600, ge=10, le=14_400)
    max_attempts: int = Field(default=1, ge=1, le=10)
    retry_after: int = Field(
        default=900, ge=1, le=7 * 86_400, description="after busy and no answer, without `retries`"
    )
    retries: dict[Literal["busy", "no_answer", "machine", "failed"], RetryAsked] | None = Field(
        default=None, description="by outcome; `max_attempts` bounds all of them together"
    )
    window: WindowAsked | None = Field(
        default=None, description="in the contact's zone, else its number's, else the business's"
    )
    when_absent: Literal["never", "resend"] = Field(
        default="never",
        description="when an answer was lost and the provider turns out not to have the call: "
        "end the contact's turn as unknown, or try again",
    )
    auto_pause: AutoPauseAsked | None = Field(
        default=None, description="`reason` of the run then says why; a resume counts anew"
    )
    detect_machines: bool = Field(
        default=False,
        description="find out who answers before anything is said, which takes some seconds; "
        "always so with `content.voicemail`, without which a machine is hung up on",
    )
    detection_timeout: int = Field(
        default=30, ge=3, le=59, description="then it counts as a person"
    )


class RunAsked(Asked):
    """A run to draft. Nothing is sent before it is started."""

    name: str = Field(min_length=1, max_length=200)
    channel: ChannelKind
    channel_id: Id
    audience: AudienceAsked
    content: Dialogue = Field(examples=[EXAMPLE])
    policy: PolicyAsked = PolicyAsked()

    @model_validator(mode="after")
    def _says_something(self) -> RunAsked:
        lacking = contents.unsaid(self.channel, self.content)
        if lacking is not None:
            raise ValueError(lacking)
        return self


class RunTold(Told):
    """A run: how many contacts are in each state, and how those that are done ended."""

    id: str
    name: str
    channel: ChannelKind
    channel_id: str
    audience: str
    content: dict[str, Any]
    policy: dict[str, Any]
    state: str
    reason: str | None
    total: int | None = Field(description="contacts; known once the audience is frozen")
    rejects: int | None = Field(description="of the audience, such as repeated addresses")
    states: dict[str, int]
    outcomes: dict[str, int]
    correlation_id: str
    created_at: datetime
    requested_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    start_at: datetime | None = Field(description="when a scheduled run starts")
    rate: float | None = Field(
        description="contacts whose turn ended, per second, over the last minute; null as long as "
        "it is not known, and when the run does not move"
    )
    estimated_end: datetime | None = Field(
        description="the end at that rate; later tries and closed windows are not foreseen"
    )

    forecast: Forecast | None = Field(
        description="what was foreseen last: at the latest when the audience was frozen"
    )
    forecast_at: datetime | None
    parent_id: str | None = Field(description="of a child: the run whose contacts it tries again")
    preparing: bool = Field(description="its audience is still being gathered from its parent's")

    @computed_field(description="share of contacts whose turn is over, 0 to 1")  # type: ignore[prop-decorator]
    @property
    def progress(self) -> float:
        """What is under way is counted, so that a final state that is new to us is over too."""
        if not self.total:
            return 0.0
        return round(ended_of(self.states) / self.total, 4)


@router.post("", status_code=201)
async def create_run(asked: RunAsked, caller: RunsWriter, parts: ServiceParts) -> RunTold:
    """Draft a run."""
    opens_at_all(asked.policy)
    audience = runs.Audience(asked.audience.import_id, asked.audience.contact_ids or ())
    draft = runs.Draft(
        name=asked.name,
        channel=asked.channel,
        channel_id=asked.channel_id,
        audience=audience,
        content=contents.kept_form(asked.content),
        policy=asked.policy.model_dump(mode="json", exclude_none=True),
    )
    made = await runs.create(
        parts.database, caller.business_id, draft, correlation_id=correlation_id()
    )
    return RunTold.model_validate(made)


class StartAsked(Asked):
    """When to start; without it, as soon as the audience is frozen."""

    start_at: Moment | None = None


def opens_at_all(policy: PolicyAsked | None) -> None:
    """A window that never opens would keep a run for ever."""
    window = policy.window if policy else None
    if window is not None and (not window.weekdays or window.opens >= window.closes):
        raise errors.window_never_opens()


def named_in(policy: PolicyAsked | None) -> dict[str, Any]:
    """What of a policy was named, each whole: what is named in part has its defaults."""
    return policy.model_dump(mode="json", include=policy.model_fields_set) if policy else {}


def ahead(start_at: datetime | None) -> datetime | None:
    """A start that lies ahead, or none."""
    if start_at is not None and start_at <= datetime.now(UTC):
        raise errors.start_in_past()
    return start_at


@router.post("/{run_id}/start", status_code=202)
async def start_run(
    run_id: str, caller: RunsWriter, parts: ServiceParts, asked: StartAsked | None = None
) -> RunTold:
    """Start a draft. To start a run again changes nothing and answers with the run as it is."""
    start_at = ahead(asked.start_at if asked else None)
    started = await runs.start(
        parts.database,
        caller.business_id,
        run_id,
        by=caller.key_id,
        correlation_id=correlation_id(),
        now=datetime.now(UTC),
        start_at=start_at,
    )
    return RunTold.model_validate(started)


@router.get("")
async def list_runs(
    caller: RunsReader, parts: ServiceParts, limit: Limit = 50, cursor: Cursor = None
) -> Page[RunTold]:
    """Runs, newest first."""
    before = position_in(cursor, start=AFTER_EVERY_ID)
    rows = await runs.page(parts.database, caller.business_id, before=before, limit=limit + 1)
    return page_of(rows, limit, RunTold.model_validate, lambda row: row.id)


class WaitedFor(Told):
    """A control without an answer. An addition keeps its run from ending until all of it came."""

    control: str
    control_id: str
    asked_at: datetime


class RunDetail(RunTold):
    """A run, and what it waits for."""

    waiting_for: list[WaitedFor] = Field(
        description="controls without an answer, the oldest first; an `add` that stays here has "
        "lost a part of its contacts on the way: it ends by itself, or with a cancel"
    )


@router.get("/{run_id}")
async def get_run(run_id: str, caller: RunsReader, parts: ServiceParts) -> RunDetail:
    """One run."""
    run, pending = await runs.detail(parts.database, caller.business_id, run_id)
    if run is None:
        raise errors.not_found("run")
    told = RunTold.model_validate(run).model_dump(exclude={"progress"})
    waited = [
        WaitedFor(control=one.control, control_id=one.id, asked_at=one.asked_at) for one in pending
    ]
    return RunDetail(**told, waiting_for=waited)
