"""`test [SUITE...]`: every suite against servers of its own, a table, one closing line."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
from trunkline_dev.suites.plan import BROKERS, SUITES, Needs, broker_suite, choose

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
    # `kill` on this process takes the way of Ctrl-C: the servers are stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    root = checkout_root()
    outcomes: list[Outcome] = []
    suites = choose(args.suites)
    for suite in (one for one in suites if one.needs is Needs.NOTHING and one.name != "demo"):
        outcomes.append(execute(root, suite, {}))
    if any(suite.needs is Needs.SERVERS for suite in suites):
        with _servers(root, settings, None, keep=args.keep) as servers:
            for suite in (one for one in suites if one.needs is Needs.SERVERS):
                outcomes.append(execute(root, suite, servers.exports(_INSTANCE)))
            found = series_of(servers.rabbitmq_version)
        if settings.brokers == "all":
            outcomes += _other_brokers(root, settings, found)
    outcomes += [execute(root, suite, {}) for suite in suites if suite.name == "demo"]
    print("\n== summary")
    print("\n".join(outcome.row() for outcome in outcomes))
    print(closing(outcomes))
    return 1 if any(outcome.failed for outcome in outcomes) else 0


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
