"""ARCHITECTURE.md says what the code says: states, names, and tests that exist."""

from __future__ import annotations

import re

import pytest
from tests.architecture.sources import ROOT

from trunkline_dev.names_tables import FILE, logs, metrics, renewed, spans
from trunkline_outbound.domain.states import ATTEMPT_NEXT, JOB_NEXT, RUN_NEXT

PAGE = (ROOT / FILE).read_text()


def rows(head: str) -> list[list[str]]:
    """The cells of the table whose first head this is."""
    found = re.search(rf"^\| {head} \|.*\n\| ---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert found, head
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()]


@pytest.mark.parametrize(
    ("head", "table"), [("attempt", ATTEMPT_NEXT), ("job", JOB_NEXT), ("run", RUN_NEXT)]
)
def test_states_may_become_what_the_table_says(head: str, table: dict[str, frozenset[str]]) -> None:
    written = {cells[0].strip("`"): set(re.findall(r"`(\w+)`", cells[2])) for cells in rows(head)}

    assert written == table


def test_every_metric_span_and_log_line_is_listed_and_no_other() -> None:
    assert renewed(PAGE, ROOT) == PAGE, "run `python -m trunkline_dev.names_tables`"


def test_the_tables_are_not_empty() -> None:
    assert "`trunkline_outbox_depth`" in [row[0] for row in metrics(ROOT)]
    assert {"`POST Calls`", "`publish <destination>`"} <= {row[0] for row in spans(ROOT)}
    assert {("`event.dead`", "warning"), ("`event.retry`", "warning")} <= {
        row[:2] for row in logs(ROOT)
    }
    assert all(f"\n| {row[0]} | " in PAGE for row in (*metrics(ROOT), *spans(ROOT), *logs(ROOT)))


def test_every_test_that_holds_an_invariant_is_there() -> None:
    named = [name for cells in rows("invariant") for name in re.findall(r"`([^`]+)`", cells[1])]

    assert len(named) >= len(rows("invariant"))
    assert not [name for name in named if not (ROOT / name).is_file()]


def test_every_decision_says_what_was_rejected_and_is_listed() -> None:
    folder = ROOT / "docs" / "adr"
    listed = (folder / "README.md").read_text()
    for path in sorted(folder.glob("0*.md")):
        text = path.read_text()
        assert f"[{text.splitlines()[0][2:]}]({path.name})" in listed
        assert "\nRejected:\n- " in text, path.name
