"""Api's parts and processes, built and joined: the only place that reads its settings."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fastapi import FastAPI

from trunkline_api import additions, callbacks, feeds, forecasts, idempotency, reruns
from trunkline_api.accounts import Accounts
from trunkline_api.callbacks import Ear
from trunkline_api.consumer import HANDLERS
from trunkline_api.domain.media import MOST_BYTES
from trunkline_api.gateways.forecasts import DraftCounter
from trunkline_api.gateways.outbound import OutboundLog
from trunkline_api.gateways.outcomes import OutcomeReader
from trunkline_api.inbound import quarantine_arguments, show_quarantine
from trunkline_api.parts import Parts
from trunkline_api.routes import routers
from trunkline_api.scripts import Scripts
from trunkline_api.settings import Settings
from trunkline_api.siblings import Siblings
from trunkline_common.broker import Hints
from trunkline_common.http import create_app
from trunkline_common.loops import work_loop
from trunkline_common.processes import (
    Command,
    Process,
    Runtime,
    Service,
    consume,
    prune,
    relay,
    run_service,
    serve,
)
from trunkline_common.sealing import parse_keys

FEED_IDLE_SECONDS: Final = 2.0  # a lost hint delays an audience by this much
DRAFT_IDLE_SECONDS: Final = 5.0
PRUNE_IDLE_SECONDS: Final = 600.0
_FORM_BYTES: Final = 16 * 1024  # what a multipart body has around its file


def parts(runtime: Runtime[Settings]) -> Parts:
    """What requests need, from what the environment says."""
    settings = runtime.settings
    sealer = parse_keys(settings.sealing_keys.get_secret_value())
    accounts = Accounts(runtime.database, sealer)
    return Parts(
        database=runtime.database,
        sealer=sealer,
        accounts=accounts,
        scripts=Scripts(runtime.database),
        siblings=Siblings(Hints(runtime.broker_url, runtime.service), accounts),
        ear=Ear(runtime.database),
        public_url=settings.public_url,
        callback_secret=settings.callback_secret.get_secret_value(),
        operator_token=settings.operator_token.get_secret_value(),
        upload_max_bytes=settings.upload_max_bytes,
        upload_max_rows=settings.upload_max_rows,
        outbound=_outbound(settings),
        business_concurrent=settings.business_concurrent,
        stop=runtime.stop,
    )


def _outbound(settings: Settings) -> OutboundLog:
    token = settings.internal_token
    return OutboundLog(settings.outbound_url, token.get_secret_value() if token else None)


def application(built: Parts) -> FastAPI:
    """The public API, the callbacks and the documentation."""
    app = create_app(
        "Trunkline api",
        routers(),
        body_limits={
            "/v1/imports": built.upload_max_bytes + _FORM_BYTES,
            "/v1/media": MOST_BYTES,
        },
    )
    app.state.parts = built
    return app


async def schedule(runtime: Runtime[Settings]) -> None:
    """Feed audiences, go on with drafts' forecasts, and forget what is past its time.

    Any number of replicas may run this.
    """
    counter = DraftCounter(_outbound(runtime.settings))
    reader = OutcomeReader(_outbound(runtime.settings))

    async def feed() -> bool:
        fed = await feeds.feed_next(runtime.database)
        return await additions.feed_next(runtime.database) or fed

    async def forecast() -> bool:
        return await forecasts.count_next(runtime.database, counter)

    async def gather() -> bool:
        return await reruns.gather_next(runtime.database, reader)

    async def prune_events() -> bool:
        went = await callbacks.prune(runtime.database, days=runtime.settings.events_keep_days)
        return await idempotency.prune(runtime.database) or went

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(prune(runtime))
        bell = runtime.database.waker.flag(feeds.WAKE)
        tasks.create_task(
            work_loop("api.feeds", feed, stop=runtime.stop, flag=bell, idle=FEED_IDLE_SECONDS)
        )
        for name, tick in (("api.forecasts", forecast), ("api.reruns", gather)):
            tasks.create_task(work_loop(name, tick, stop=runtime.stop, idle=DRAFT_IDLE_SECONDS))
        tasks.create_task(
            work_loop("api.prune", prune_events, stop=runtime.stop, idle=PRUNE_IDLE_SECONDS)
        )


async def quarantine(runtime: Runtime[Settings], options: Namespace) -> int:
    """Show an operator the calls to numbers that nobody here has."""
    return await show_quarantine(runtime.database, options.limit)


def service() -> Service[Settings]:
    """Api as an OS process: its parts are made with its routes, and kept in step by `serve`."""
    made: list[Parts] = []

    def routes(runtime: Runtime[Settings]) -> FastAPI:
        made.append(parts(runtime))
        return application(made[-1])

    async def answer(runtime: Runtime[Settings]) -> None:
        await made[-1].siblings.keep_in_step(runtime.stop)

    return Service(
        name="api",
        description="The public API: businesses, keys, contacts, runs, providers' callbacks.",
        settings=Settings,
        commands=(
            Command("quarantine", "calls that led to nobody", quarantine, quarantine_arguments),
        ),
        processes=(
            replace(serve(), run=answer),
            consume(HANDLERS),
            relay(),
            Process("schedule", "feed audiences, forget old events", schedule, scheduler=True),
        ),
        routes=routes,
        migrations="trunkline_api.migrations",
    )


SERVICE: Final = service()


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of the service; the exit code."""
    return run_service(SERVICE, argv)
