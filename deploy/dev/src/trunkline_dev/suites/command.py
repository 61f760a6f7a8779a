"""`test [SUITE...]`: every suite against servers of its own, a table, one closing line."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from trunkline_dev.checkout import checkout_root
from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.servers.command import given_by
from trunkline_dev.servers.instance import start_servers, stop_servers
from trunkline_dev.servers.rabbit import series_of
from trunkline_dev.servers.state import Servers, exclusive
from trunkline_dev.settings import Settings
from trunkline_dev.suites.execution import execute
from trunkline_dev.suites.outcome import Outcome, closing
from trunkline_dev.suites.plan import BROKERS, SUITES, Needs, Suite, broker_suite, choose

_INSTANCE = "test-run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which suites; none named means all."""
    names = [suite.name for suite in SUITES]
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(names))
    parser.add_argument("--keep", action="store_true", help="leave the servers running")


def run(args: argparse.Namespace) -> int:
    """Run them; 0 only if nothing failed."""
    unknown = set(args.suites) - {suite.name for suite in SUITES}
    if unknown:
        raise CannotGoOn(f"no suite {', '.join(sorted(unknown))}; see `test --help`")
    settings = Settings()
    if settings.brokers not in {"found", "all"}:
        raise CannotGoOn(f"BROKERS: must be `found` or `all`, not {settings.brokers!r}")
    # `kill` takes the way of Ctrl-C: the servers are stopped. And Ctrl-C itself must be heard, by
    # pytest as well: a shell that starts this in the background has it ignored.
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, signal.default_int_handler)
    outcomes = list(_outcomes(checkout_root(), settings, choose(args.suites), keep=args.keep))
    print("\n== summary")
    print("\n".join(outcome.row() for outcome in outcomes))
    print(closing(outcomes))
    return 1 if any(outcome.failed for outcome in outcomes) else 0


def _outcomes(
    root: Path, settings: Settings, suites: Sequence[Suite], *, keep: bool
) -> Iterator[Outcome]:
    for needs, group in groupby(suites, key=lambda suite: suite.needs):
        if needs is Needs.NOTHING:
            yield from (execute(root, suite, {}) for suite in group)
            continue
        with _servers(root, settings, None, keep=keep) as servers:
            yield from (execute(root, suite, servers.exports(_INSTANCE)) for suite in group)
        if settings.brokers == "all":
            yield from _other_brokers(root, settings, series_of(servers.rabbitmq_version))


def _other_brokers(root: Path, settings: Settings, found: str) -> Iterator[Outcome]:
    for series in BROKERS:
        if series != found:
            with _servers(root, settings, series, keep=False) as servers:
                yield execute(root, broker_suite(series), servers.exports(_INSTANCE))


@contextmanager
def _servers(
    root: Path, settings: Settings, series: str | None, *, keep: bool
) -> Iterator[Servers]:
    """Fresh servers for this run only, stopped however it ends."""
    print("\n== servers", flush=True)
    with exclusive(root / ".local" / f"{_INSTANCE}.run", within=1.0):
        stop_servers(root, _INSTANCE)
        given = given_by(settings)
        try:
            yield start_servers(root, _INSTANCE, series, given=given, report=_say)
        finally:
            if not keep:
                stop_servers(root, _INSTANCE)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
