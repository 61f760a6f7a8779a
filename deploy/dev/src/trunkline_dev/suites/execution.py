"""Runs the commands of one suite, one after the other, with a deadline on each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from trunkline_dev.suites.outcome import Outcome, concluded
from trunkline_dev.suites.plan import Command, Needs, Suite

_PATIENCE = 3  # times the budget; then a suite hangs and is ended
_LEAST_SECONDS = 300
_FAREWELL_SECONDS = 30.0
_DEADLINE_CODE = 124


def execute(root: Path, suite: Suite, servers: Mapping[str, str]) -> Outcome:
    """Run every command of a suite, also after one has failed; how it went."""
    print(f"\n== {suite.name}", flush=True)
    report = root / ".local" / "reports" / f"{suite.name.replace(' ', '-')}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    limit = max(_LEAST_SECONDS, _PATIENCE * suite.budget)
    environment = environment_of(suite, servers)
    began = time.monotonic()
    codes = [_execute(root, step, environment, limit) for step in suite.steps(report)]
    took = time.monotonic() - began
    return concluded(suite.name, took, suite.budget, codes=codes, report=report)


def environment_of(suite: Suite, servers: Mapping[str, str]) -> dict[str, str]:
    """What a suite's commands see; the servers only if it says that it needs them."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("TRUNKLINE_TEST_")}
    own["PATH"] = f"{_programs()}{os.pathsep}{own.get('PATH', os.defpath)}"
    return {**own, **(servers if suite.needs is Needs.SERVERS else {}), **suite.environment}


def _programs() -> Path:
    return Path(sys.executable).parent


def _execute(root: Path, step: Command, environment: Mapping[str, str], limit: int) -> int:
    print(f"$ {step.shown()}", flush=True)
    process = subprocess.Popen(
        step.line(_programs()), cwd=root / step.folder, env=environment, stdin=subprocess.DEVNULL
    )
    with process:
        try:
            return process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            print(f"ended after {limit} s: {step.shown()}", flush=True)
            _end(process)
            return _DEADLINE_CODE
        except BaseException:
            _end(process)
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does, so that pytest runs its fixtures' ends; then for good."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=_FAREWELL_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
