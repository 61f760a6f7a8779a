"""How outbound is put together: the parts of each process, opened in order, closed in reverse."""

from __future__ import annotations

import asyncio
import os
import socket
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from fastapi import FastAPI

from trunkline_common.db import Database
from trunkline_common.db.retry import retried
from trunkline_common.http import create_app
from trunkline_common.last_byte import open_http
from trunkline_common.loops import work_loop
from trunkline_common.processes import (
    Command,
    Process,
    Runtime,
    Service,
    consume,
    prune,
    relay,
    serve,
)
from trunkline_common.sealing import parse_keys
from trunkline_outbound import claims, runs
from trunkline_outbound.acceptance import SURPLUS
from trunkline_outbound.accounts import Accounts
from trunkline_outbound.after_calls import ask_prices, poll_silent_legs
from trunkline_outbound.auditing import audit_arguments, audit_nightly, audit_now
from trunkline_outbound.audits import AT_ONCE as AUDIT_AT_ONCE
from trunkline_outbound.audits import Auditor
from trunkline_outbound.cancelling import finish_cancelled
from trunkline_outbound.cohorts import keep_cohorts, keep_statistics
from trunkline_outbound.consumer import HANDLERS
from trunkline_outbound.controls import GATE
from trunkline_outbound.dispatch import Dispatcher, DispatchSettings
from trunkline_outbound.doubts import BATCH as DOUBTS_BATCH
from trunkline_outbound.doubts import Patience, resolve_doubts
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.forecasting import count_next
from trunkline_outbound.forgetting import forget_old
from trunkline_outbound.gateways.twilio import TwilioGateway
from trunkline_outbound.gateways.twilio_calls import TwilioCalls
from trunkline_outbound.gateways.voice import CallRegistry
from trunkline_outbound.horizons import Horizons, close_silent
from trunkline_outbound.late_additions import watch_additions
from trunkline_outbound.legs import close_silent_legs, fold_legs
from trunkline_outbound.news import hang_up, poll_silent_calls
from trunkline_outbound.progress import tell_progress
from trunkline_outbound.results import fold_messages
from trunkline_outbound.routes import internal_router
from trunkline_outbound.routes_audits import audit_router
from trunkline_outbound.routes_forecasts import forecast_router
from trunkline_outbound.routes_outcomes import outcome_router
from trunkline_outbound.sending import CallSender
from trunkline_outbound.settings import Settings
from trunkline_outbound.store.events import FOLD_CALLS, FOLD_MESSAGES
from trunkline_outbound.store.forecasts import WANTED
from trunkline_outbound.store.legs import FOLD_LEGS
from trunkline_outbound.surplus import brake_surplus

FOLD_BATCH: Final = 500
ASK_AT_ONCE: Final = 40
FORECAST_IDLE: Final = 2.0  # a lost hint delays a forecast by this much
COHORTS_IDLE_SECONDS: Final = 3_600.0
STATISTICS_IDLE_SECONDS: Final = 2.0


def application(runtime: Runtime[Settings]) -> FastAPI:
    """What api may ask; nothing of it is for the public."""
    token = runtime.settings.internal_token
    secret = token.get_secret_value() if token is not None else None
    makers = (internal_router, forecast_router, outcome_router, audit_router)
    routers = [make(runtime.database, secret) for make in makers]
    return create_app("Trunkline outbound", routers, openapi_url=None)


async def dispatch(runtime: Runtime[Settings]) -> None:
    """Claim, send and record, until stopped; then leave nothing in doubt."""
    settings = runtime.settings
    async with open_http(
        settings.concurrency,
        total=settings.answer_seconds + settings.send_deadline_seconds,
        read=settings.answer_seconds,
    ) as http:
        sender = CallSender(
            TwilioGateway(http, settings.twilio_base_url),
            sealer=parse_keys(settings.sealing_keys.get_secret_value()),
            callback_base=settings.callback_base_url,
            callback_secret=settings.callback_secret.get_secret_value(),
        )
        worker = Dispatcher(runtime.database, sender, _dispatch_settings(settings))
        await worker.run(runtime.stop)


def _dispatch_settings(settings: Settings) -> DispatchSettings:
    return DispatchSettings(
        owner=f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}",
        lease=settings.lease_seconds,
        renew_every=settings.renew_seconds,
        margin=settings.margin_seconds,
        send_deadline=settings.send_deadline_seconds,
        concurrency=settings.concurrency,
        claim_size=settings.claim_size,
        micro_batch=settings.micro_batch,
    )


async def reconcile(runtime: Runtime[Settings]) -> None:
    """Fold what was said of attempts, complete runs, and sweep up after lost hints."""
    async with open_http(
        ASK_AT_ONCE, total=runtime.settings.answer_seconds, read=runtime.settings.answer_seconds
    ) as http:
        registry = TwilioCalls(http, runtime.settings.twilio_base_url)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_reconcile_rows(runtime), name="rows")
            tasks.create_task(_ask_providers(runtime, registry), name="providers")


async def _ask_providers(runtime: Runtime[Settings], registry: CallRegistry) -> None:
    """Ask about doubts and silent calls, and end calls that should not be."""
    database, settings = runtime.database, runtime.settings
    accounts = Accounts(database, parse_keys(settings.sealing_keys.get_secret_value()))

    async def doubts() -> bool:
        patience = Patience(grace=settings.grace_seconds)
        return await resolve_doubts(database, registry, accounts, patience) == DOUBTS_BATCH

    async def silent() -> bool:
        first = settings.call_poll_seconds
        return await poll_silent_calls(database, registry, accounts, first=first) > 0

    async def hang_ups() -> bool:
        return await hang_up(database, registry, accounts) > 0

    async def brake() -> bool:
        return await brake_surplus(database, registry, accounts) > 0

    async def silent_legs() -> bool:
        first = settings.call_poll_seconds
        asked = await poll_silent_legs(database, registry, accounts, first=first)
        return await close_silent_legs(database) + asked > 0

    async def prices() -> bool:
        return await ask_prices(database, registry, accounts) > 0

    async with asyncio.TaskGroup() as tasks:
        for name, tick, flag, idle in (
            ("doubts", doubts, None, 1.0),
            ("silent calls", silent, None, settings.sweep_seconds),
            ("silent legs", silent_legs, None, settings.sweep_seconds),
            ("prices", prices, None, settings.sweep_seconds),
            ("hang up", hang_ups, GATE, settings.sweep_seconds),
            ("surplus", brake, SURPLUS, settings.sweep_seconds),
        ):
            bell = None if flag is None else database.waker.flag(flag)
            loop = work_loop(name, tick, stop=runtime.stop, flag=bell, idle=idle)
            tasks.create_task(loop, name=name)


async def _reconcile_rows(runtime: Runtime[Settings]) -> None:
    database, stop, settings = runtime.database, runtime.stop, runtime.settings

    async def fold_of_calls() -> bool:
        work = partial(fold_calls, database, batch=FOLD_BATCH)
        return await retried("fold.calls", work) > 0

    async def fold_of_legs() -> bool:
        work = partial(fold_legs, database, batch=FOLD_BATCH)
        return await retried("fold.legs", work) > 0

    async def fold_of_messages() -> bool:
        work = partial(fold_messages, database, batch=FOLD_BATCH)
        return await retried("fold.messages", work) > 0

    async def completion() -> bool:
        await runs.complete_finished(database)
        return await finish_cancelled(database)

    async def sweep() -> bool:
        await _sweep(database, settings)
        return False

    async with asyncio.TaskGroup() as tasks:
        for name, tick, flag, idle in (
            ("fold.calls", fold_of_calls, FOLD_CALLS, 1.0),
            ("fold.legs", fold_of_legs, FOLD_LEGS, 1.0),
            ("fold.messages", fold_of_messages, FOLD_MESSAGES, 1.0),
            ("completion", completion, runs.ENDED, settings.sweep_seconds),
            ("sweep", sweep, None, settings.sweep_seconds),
        ):
            bell = None if flag is None else database.waker.flag(flag)
            tasks.create_task(work_loop(name, tick, stop=stop, flag=bell, idle=idle), name=name)


async def _sweep(database: Database, settings: Settings) -> None:
    await runs.start_due_runs(database)
    await runs.reject_hopeless(database)
    await claims.doubt_stranded(database, lease=settings.lease_seconds)
    horizons = Horizons(
        in_doubt=settings.in_doubt_horizon_seconds,
        call_margin=settings.call_margin_seconds,
        message=settings.message_horizon_seconds,
        unheard=settings.message_unheard_seconds,
    )
    await close_silent(database, horizons)
    await watch_additions(database, horizon=settings.addition_horizon_seconds)


@asynccontextmanager
async def _auditor(runtime: Runtime[Settings]) -> AsyncIterator[Auditor]:
    """What compares accounts' calls with ours, and its own way to their providers."""
    settings = runtime.settings
    async with open_http(
        AUDIT_AT_ONCE, total=settings.answer_seconds, read=settings.answer_seconds
    ) as http:
        accounts = Accounts(runtime.database, parse_keys(settings.sealing_keys.get_secret_value()))
        yield Auditor(runtime.database, TwilioCalls(http, settings.twilio_base_url), accounts)


async def audit(runtime: Runtime[Settings], options: Namespace) -> int:
    """Audit a day of an account now, whatever was audited of it before."""
    async with _auditor(runtime) as auditor:
        return await audit_now(auditor, options, runtime.stop)


async def schedule(runtime: Runtime[Settings]) -> None:
    """Tell how far runs are and what would become of them; audit accounts; prune old rows."""

    async def progress() -> bool:
        await tell_progress(runtime.database)
        return False

    async def forecast() -> bool:
        return await count_next(runtime.database)

    async def forget() -> bool:
        return await forget_old(runtime.database, keep_days=runtime.settings.run_keep_days)

    async def cohorts() -> bool:
        return await keep_cohorts(runtime.database, keep_days=runtime.settings.run_keep_days)

    async def statistics() -> bool:
        return await keep_statistics(runtime.database) > 0

    async with _auditor(runtime) as auditor, asyncio.TaskGroup() as tasks:
        tasks.create_task(
            work_loop("statistics", statistics, stop=runtime.stop, idle=STATISTICS_IDLE_SECONDS)
        )
        tasks.create_task(
            work_loop("cohorts", cohorts, stop=runtime.stop, idle=COHORTS_IDLE_SECONDS)
        )
        tasks.create_task(work_loop("progress", progress, stop=runtime.stop, idle=0.5))
        bell = runtime.database.waker.flag(WANTED)
        tasks.create_task(
            work_loop("forecasts", forecast, stop=runtime.stop, flag=bell, idle=FORECAST_IDLE)
        )
        tasks.create_task(work_loop("forget", forget, stop=runtime.stop, idle=60.0))
        tasks.create_task(prune(runtime))
        tasks.create_task(audit_nightly(auditor, runtime.settings.audit_at, runtime.stop))


SERVICE: Final = Service(
    name="outbound",
    description="Runs campaigns: claims jobs, places calls once each, and follows every call.",
    settings=Settings,
    migrations="trunkline_outbound.migrations",
    processes=(
        serve(),
        consume(HANDLERS),
        relay(),
        Process("dispatch", "claim jobs, place calls, record results", dispatch),
        Process("reconcile", "fold callbacks, complete runs, sweep", reconcile),
        Process("schedule", "tell progress, audit, prune", schedule, scheduler=True),
    ),
    # Protocol 4.2: a plan for good, made while a table was small, reads whole runs later.
    database_settings={"plan_cache_mode": "force_custom_plan"},
    routes=application,
    commands=(
        Command("audit", "compare a day's calls with the provider's", audit, audit_arguments),
    ),
)
