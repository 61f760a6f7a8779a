"""`demo`: start everything, run one campaign through the public API, judge it, stop everything."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from pydantic import ValidationError
from rich.console import Console

from trunkline_dev.checkout import checkout_root
from trunkline_dev.contacts import ROWS, shortened
from trunkline_dev.customer import Customer, Kind
from trunkline_dev.demo import controls, summary
from trunkline_dev.demo.choices import SHORT_ROWS, DemoSettings
from trunkline_dev.demo.evidence import Evidence, Told, gather
from trunkline_dev.demo.traces import Span, read_spans
from trunkline_dev.demo.verdicts import Verdict, judge, traced
from trunkline_dev.demo.watching import TooSlow, settle, watch
from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.servers.command import given_by
from trunkline_dev.servers.processes import wait_until
from trunkline_dev.servers.state import exclusive
from trunkline_dev.settings import Settings
from trunkline_dev.stack import Options, Stack, StackFailed
from trunkline_dev.stack.rows import rows_on
from trunkline_dev.web import Refused

INSTANCE: Final = "demo"
CONTACTS: Final = "deploy/dev/contacts.csv"
_SECONDS: Final = 165.0  # for all of it; what is not there by then is said, and the demo fails
_SETTLE_SECONDS: Final = 20.0
_SPANS_SECONDS: Final = 5.0
# A message that was sent and never delivered is otherwise given a day.
_ENVIRONMENT: Final = {"outbound": {"OUTBOUND_MESSAGE_HORIZON_SECONDS": "15"}}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `demo`."""
    parser.add_argument("--channel", choices=("voice", "whatsapp"), default="voice")
    parser.add_argument(
        "--story",
        choices=("campaign", "controls"),
        default="campaign",
        help="controls: draft, forecast, pause, additions, cancel and a second run, by voice",
    )
    parser.add_argument("--rows", type=int, help="how many of the 1,000 contacts [DEMO_ROWS]")
    parser.add_argument("--short", action="store_true", help=f"the same as --rows {SHORT_ROWS}")
    parser.add_argument("--keep", action="store_true", help="leave everything running [KEEP]")


def run(args: argparse.Namespace) -> int:
    """0 only if everything adds up."""
    try:
        chosen = DemoSettings()
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0]).upper()
        raise CannotGoOn(f"{name}: {error.errors()[0]['msg']}") from error
    rows = args.rows or (SHORT_ROWS if args.short else None) or chosen.demo_rows or ROWS
    keep = args.keep or chosen.keep
    # `kill` on this process takes the way of Ctrl-C: everything is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console()
    options = Options(
        instance=INSTANCE, given=given_by(Settings()), fresh=True, environment=_ENVIRONMENT
    )
    with exclusive(checkout_root() / ".local" / f"{INSTANCE}.run", within=1.0):
        stack = Stack(checkout_root(), options)
        deadline = time.monotonic() + _SECONDS
        try:
            with rows_on(console) as shown:
                stack.shown_on(shown)
                stack.start()
            demo = Demo(stack, console, args.channel, rows, keep=keep)
            return demo.run(deadline) if args.story == "campaign" else demo.control()
        except (StackFailed, TooSlow, Refused) as failure:
            print(failure, file=sys.stderr)
            return 1
        finally:
            if not keep:
                stack.stop()


class Demo:
    """One campaign on a running stack, told as it goes."""

    def __init__(
        self, stack: Stack, console: Console, kind: Kind, rows: int, *, keep: bool
    ) -> None:
        self._stack = stack
        self._console = console
        self._kind = kind
        self._rows = rows
        self._keep = keep

    def run(self, deadline: float) -> int:
        """The whole of it; the exit code. The deadline is a moment of the monotonic clock."""
        customer = Customer.join(self._stack, "Lindenhof Opticians")
        customer.add(self._kind)
        self._say(f"import of {CONTACTS}", [])
        file = (checkout_root() / CONTACTS).read_bytes()
        imported = customer.import_contacts(
            file if self._rows == ROWS else shortened(file, self._rows)
        )
        self._print(summary.import_lines(imported))
        run_id = customer.draft(self._kind, imported["id"])["id"]
        customer.start(run_id)
        self._say(f"a {self._kind} run, {run_id}", [])
        watch(customer, run_id, self._console, deadline=deadline)
        settle(customer, self._kind, run_id, deadline=time.monotonic() + _SETTLE_SECONDS)
        evidence = gather(customer, self._kind, imported, run_id)
        return self._conclude(evidence)

    def control(self) -> int:
        """The story of a manager; the exit code."""
        customer = Customer.join(self._stack, "Lindenhof Opticians")
        return self._verdict(controls.play(customer, self._say))

    def _conclude(self, evidence: Evidence) -> int:
        verdicts = judge(evidence)
        job = _followed(evidence)
        if job is not None:
            spans = self._spans(evidence, job)
            verdicts.append(traced(evidence, job, spans))
            self._say("one job's way", summary.trace_lines(evidence, job, spans))
        self._say("servers", summary.server_lines(self._stack.layout.servers))
        self._say("where to look", summary.address_lines(self._stack.layout, kept=self._keep))
        self._say("speed", summary.speed_lines(evidence))
        self._say("does it add up?", [])
        return self._verdict(verdicts)

    def _verdict(self, verdicts: Sequence[Verdict]) -> int:
        self._print(summary.verdict_lines(verdicts))
        failed = [verdict for verdict in verdicts if not verdict.holds]
        closing = (
            f"it does NOT add up: {len(failed)} of {len(verdicts)}" if failed else "it adds up"
        )
        self._say(closing, [])
        return 1 if failed or not verdicts else 0

    def _spans(self, evidence: Evidence, job: Told) -> list[Span]:
        """Spans leave a process every half second: wait until this job's are complete."""
        folder = self._stack.layout.spans

        def told() -> bool:
            return traced(evidence, job, list(read_spans(folder))).holds

        wait_until(told, within=_SPANS_SECONDS)
        return list(read_spans(folder))

    def _say(self, title: str, lines: Iterable[str]) -> None:
        self._console.print(f"\n[bold]{title}[/bold]", highlight=False)
        self._print(lines)

    def _print(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _followed(evidence: Evidence) -> Told | None:
    """The job to show: one that went the whole way."""
    goes_far: Callable[[Told], bool] = (
        (lambda job: bool(job["recordings"]))
        if evidence.kind == "voice"
        else (lambda job: job["state"] == "read")
    )
    return next(filter(goes_far, evidence.jobs), evidence.jobs[0] if evidence.jobs else None)
