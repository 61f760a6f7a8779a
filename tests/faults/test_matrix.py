"""Every failpoint and everything that can be done there: nobody twice, nobody lost, nothing stuck.

A wave strikes several places during the same small campaigns. One that fails is played again cell
by cell, so that what it prints is the shortest that fails.
"""

from __future__ import annotations

import pytest
from tests.faults.matrix import Theatre, struck
from tests.faults.plan import PLAN

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("at", range(len(PLAN.waves)))
def test_whatever_is_struck_it_adds_up(theatre: Theatre, at: int) -> None:
    wave = PLAN.waves[at]
    report = theatre.play(struck(wave, PLAN.dice(at)))
    if report.problems and len(wave) > 1:
        report.alone = [theatre.play(struck([cell], PLAN.dice(at))) for cell in wave]
    assert not report.problems, report.told(seed=PLAN.seed)
