"""`make faults LONG=1 ONLY=kills SEED=7`: one part of the long form, or all of them."""

from __future__ import annotations

import sys
import time

from tests.faults.long.parts import PARTS, play, wanted
from tests.faults.long.results import Result
from tests.faults.plan import SETTINGS

from trunkline_dev.refusals import CannotGoOn
from trunkline_dev.stack.running import StackFailed
from trunkline_dev.web import Refused


def main() -> int:
    """Play them; 1 if something did not hold."""
    failed = 0
    for name in wanted(SETTINGS.only):
        began = time.monotonic()
        result = Result.resumed(name, SETTINGS.seed)
        print(f"{name}: {PARTS[name].about}; SEED={result.seed}", flush=True)
        try:
            play(name, result, f"{SETTINGS.instance}-{name}")
        except (AssertionError, OSError, CannotGoOn, Refused, StackFailed) as error:
            result.problems.append(f"broken off: {error!r}")
        for problem in result.problems:
            print(f"  {problem}")
        print(f"  {time.monotonic() - began:.0f} s; again: {result.again()}", flush=True)
        if result.problems:
            failed = 1
        else:
            result.publish()
    return failed


if __name__ == "__main__":
    sys.exit(main())
