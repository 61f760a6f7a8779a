"""One search: spin writes the checker of a model, the compiler builds it, and it is run."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.models.variants import Variant

MEGABYTES: Final = 2048  # of one search; the largest of the short form needs 430, of the long 1,500
SECONDS: Final = 180.0  # of one step; ten times what a machine needs that does nothing else
LONG_SECONDS: Final = 480.0
SMALL: Final = 300_000  # states
_DEPTH: Final = 200_000
_BUILD: Final = ("-w", "-DSAFETY", "-DNOCLAIM", "-DVECTORSZ=2048")

# The first word of an assertion is its oracle: `assert(I4 || rs == RUNNING)`, I4 being always 0.
_VIOLATED: Final = re.compile(r"assertion violated \(+(\w+)\|\|")
_STATES: Final = re.compile(r"^\s*(\d+) states, stored", re.MULTILINE)
_SECONDS: Final = re.compile(r"elapsed time (\S+) seconds")


@dataclass(frozen=True, slots=True)
class Found:
    """How a search ended: the oracle that stopped it, or None after all states were seen."""

    oracle: str | None
    states: int
    seconds: float


def search(spin: str, variant: Variant, folder: Path) -> Found:
    """Search all states of a variant, bounded in memory and time, in a folder of its own."""
    flags = [f"-D{flag}" for flag in variant.flags.split()]
    _run([spin, "-a", *flags, str(variant.source)], folder, SECONDS)
    _run(["gcc", *_build(variant), "-o", "pan", "pan.c"], folder, SECONDS)
    limit = LONG_SECONDS if variant.long else SECONDS
    return verdict(_run(["./pan", f"-m{_DEPTH}"], folder, limit))


def _build(variant: Variant) -> tuple[str, ...]:
    """A small search ends sooner than an optimising compiler; a long one is packed, and slower."""
    level = "-O2" if variant.states > SMALL else "-O0"
    packed = ("-DCOLLAPSE",) if variant.long else ()
    return (level, *packed, *_BUILD, f"-DMEMLIM={MEGABYTES}")


def verdict(said: str) -> Found:
    """What a checker's words come to; an end that is no verdict is refused."""
    states, seconds = _STATES.search(said), _SECONDS.search(said)
    if states is None or seconds is None:
        raise ValueError(f"the search did not end:\n{said}")
    sizes = (int(states[1]), float(seconds[1]))
    violated = _VIOLATED.search(said)
    if violated is not None:
        return Found(violated[1], *sizes)
    if "errors: 0" not in said or "not completed" in said or "depth too small" in said:
        raise ValueError(f"the search is not complete:\n{said}")
    return Found(None, *sizes)


def _run(command: Sequence[str], folder: Path, limit: float) -> str:
    done = subprocess.run(
        list(command),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=limit,
    )
    if done.returncode != 0 and command[0] != "./pan":
        raise ValueError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout
