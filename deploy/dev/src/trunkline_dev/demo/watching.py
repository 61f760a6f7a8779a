"""A run as it goes: a live bar with the counts of each state, and when nothing more will come."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from trunkline_dev.customer import FINAL, Customer, Kind
from trunkline_dev.demo.evidence import Told, witness_of

_LOOK_SECONDS: Final = 0.5
_LINE_SECONDS: Final = 3.0
_SETTLE_LOOK_SECONDS: Final = 1.0

Show = Callable[[Told], None]


class TooSlow(Exception):
    """The deadline came first; says where things stand."""


def watch(customer: Customer, run_id: str, console: Console, *, deadline: float) -> Told:
    """Show a run until it ends; the run. `deadline` is a moment of the monotonic clock."""
    pause = Event()
    with _shown_on(console) as show:
        while True:
            run = customer.run(run_id)
            show(run)
            if run["state"] in FINAL:
                return run
            if time.monotonic() > deadline:
                raise TooSlow(f"the run is still {run['state']}: {counts(run)}")
            pause.wait(_LOOK_SECONDS)


def settle(customer: Customer, kind: Kind, run_id: str, *, deadline: float) -> None:
    """Wait for what comes after the run's end: last projections, recordings, statuses."""
    pause = Event()
    while (missing := _missing(customer, kind, run_id)) is not None:
        if time.monotonic() > deadline:
            return  # the verdicts will say the same with all numbers
        pause.wait(_SETTLE_LOOK_SECONDS if missing else _LOOK_SECONDS)


def _missing(customer: Customer, kind: Kind, run_id: str) -> str | None:
    """What the API has not told yet; None if that is everything."""
    api, witnessed = customer.api, witness_of(customer.witnessed(kind))
    total = customer.run(run_id)["total"]
    if sum(1 for _ in api.pages(f"/v1/runs/{run_id}/contacts")) != total:
        return "ends of turns"
    if kind == "whatsapp":
        shown = [message["state"] for message in api.pages(f"/v1/runs/{run_id}/messages")]
        turns = [turn["outcome"] for turn in api.pages(f"/v1/runs/{run_id}/contacts")]
        return None if Counter(shown) == Counter(turns) == witnessed.outcomes else "statuses"
    if any(call["state"] != "ended" for call in api.pages(f"/v1/runs/{run_id}/calls")):
        return "ends of calls"
    folder = customer.stack.layout.recordings / customer.business["id"]
    if sum(1 for _ in folder.rglob("*.wav")) != witnessed.recordings:
        return "recordings"
    return None if _told_recordings(customer, run_id) == witnessed.recordings else "recordings told"


def _told_recordings(customer: Customer, run_id: str) -> int:
    """How many the API tells of; it is asked last, because it is asked call by call."""
    calls = customer.api.pages(f"/v1/runs/{run_id}/calls")
    answered = [call["id"] for call in calls if call["outcome"] in {"answered", "machine"}]
    told = (customer.api.get(f"/v1/calls/{call_id}")["recordings"] for call_id in answered)
    return sum(len(recordings) for recordings in told)


def counts(run: Told) -> str:
    """The counts of each state and outcome, in words."""
    states = [f"{count} {state}" for state, count in run["states"].items() if count]
    ends = [f"{count} {name}" for name, count in run["outcomes"].items() if count]
    return " · ".join(states) + (f"   ({', '.join(ends)})" if ends else "")


@contextmanager
def _shown_on(console: Console) -> Iterator[Show]:
    if not console.is_terminal:
        yield _plain(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=40),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[counts]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("run", total=1.0, counts="")

        def show(run: Told) -> None:
            progress.update(
                task, completed=run["progress"], counts=counts(run), description=run["state"]
            )

        yield show


def _plain(console: Console) -> Show:
    last = 0.0

    def show(run: Told) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _LINE_SECONDS or run["state"] in FINAL:
            last = now
            console.print(
                f"{run['state']:<10}{run['progress']:>5.0%}  {counts(run)}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )

    return show
