"""The laboratory's own test: real processes without one of their rules, and it must say so."""

from __future__ import annotations

import re
from typing import Final

import pytest
from tests.faults.laboratory import Strike
from tests.faults.matrix import END_SECONDS, SHORT, Report, Theatre
from tests.faults.plan import SETTINGS
from tests.faults.planted import PLAYED, Planted

from trunkline_dev.servers.processes import wait_until

pytestmark = pytest.mark.timeout(300)
SERVICE: Final = "outbound"
WITHIN: Final = 2.0  # seconds after all that was said is heard: what is lost is known to be


@pytest.mark.skipif(SETTINGS.only not in "planted", reason="ONLY names something else")
@pytest.mark.parametrize("planted", PLAYED, ids=lambda planted: planted.rule)
def test_a_rule_left_out_is_noticed(theatre: Theatre, planted: Planted) -> None:
    theatre.fleet.plant(SERVICE, planted.rule)
    report = Report([Strike(planted.cell, planted.nth, SHORT)])
    try:
        campaigns = theatre.strike(report)
    finally:
        theatre.fleet.plant(SERVICE, "")
    assert wait_until(theatre.is_drained, within=END_SECONDS)
    theatre.judge(report, campaigns, within=WITHIN)
    found = [one for one in report.problems if re.search(planted.said, one)]
    assert found, report.told(seed=SETTINGS.seed)
