"""How suites are chosen, counted and summed up."""

from pathlib import Path

import pytest

from trunkline_dev.servers.command import given_by
from trunkline_dev.settings import Settings
from trunkline_dev.suites.execution import environment_of
from trunkline_dev.suites.outcome import Outcome, closing, concluded, counted
from trunkline_dev.suites.plan import SUITES, Needs, Suite, broker_suite, choose

REPORT = """<?xml version="1.0"?><testsuites>
<testsuite tests="9" failures="1" errors="1" skipped="2"/><testsuite tests="1"/></testsuites>"""
TEST_VARIABLE = {"TRUNKLINE_TEST_POSTGRES_URL": "postgresql://x/"}


@pytest.fixture
def report(tmp_path: Path) -> Path:
    (tmp_path / "report.xml").write_text(REPORT)
    return tmp_path / "report.xml"


def test_counts_are_read_from_pytests_report(report: Path) -> None:
    assert counted(report) == (6, 2, 2)
    assert counted(report.with_name("absent.xml")) == (0, 0, 0)


@pytest.mark.parametrize(
    ("codes", "failed"),
    [([0], 0), ([0, 1], 1), ([1, 0, 2], 2)],
    ids=["all well", "one check", "two checks"],
)
def test_a_check_that_fails_is_a_failure(tmp_path: Path, codes: list[int], failed: int) -> None:
    outcome = concluded("lint", 1.0, 10, codes=codes, report=tmp_path / "absent.xml")

    assert outcome.failed == failed


def test_failures_that_pytest_counted_are_not_counted_again(report: Path) -> None:
    assert concluded("unit", 1.0, 10, codes=[1], report=report).failed == 2
    assert concluded("unit", 1.0, 10, codes=[1, 1], report=report).failed == 3


def test_a_series_of_the_broker_may_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER", "4.3")
    assert given_by(Settings()).series == "4.3"
    monkeypatch.setenv("BROKER", "")
    assert given_by(Settings()).series is None


def test_the_last_line_sums_up() -> None:
    outcomes = [Outcome("a", 1.4, 2, passed=3), Outcome("b", 2.2, 2, 4, 1, 5)]

    assert closing(outcomes) == "7 passed, 1 failed, 5 skipped in 4 s"
    assert closing(outcomes[:1]) == "3 passed, 0 failed in 1 s"
    assert "over budget" in outcomes[1].row()
    assert "over budget" not in outcomes[0].row()


def test_a_suite_that_needs_nothing_does_not_see_the_servers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in TEST_VARIABLE.items():
        monkeypatch.setenv(name, value)
    alone, served = Suite("a", 1), Suite("b", 1, needs=Needs.SERVERS)

    assert not TEST_VARIABLE.keys() & environment_of(alone, TEST_VARIABLE).keys()
    assert environment_of(served, TEST_VARIABLE).items() >= TEST_VARIABLE.items()


def test_everything_fits_into_fifteen_minutes() -> None:
    names = [suite.name for suite in SUITES]

    assert len(set(names)) == len(names)
    assert sum(suite.budget for suite in SUITES) <= 15 * 60


def test_suites_run_in_the_plans_order() -> None:
    assert [suite.name for suite in choose(["unit", "lint"])] == ["lint", "unit"]
    assert choose([]) == SUITES


def test_pytest_suites_write_a_report(tmp_path: Path) -> None:
    (step,) = broker_suite("4.3").steps(tmp_path / "r.xml")

    report = f"--junitxml={tmp_path / 'r.xml'}"
    assert step.shown() == f"pytest -q -n 2 -m broker {report} tests/integration"
