"""The README's table of services is the topology's."""

from __future__ import annotations

from pathlib import Path

from trunkline_dev.services_table import table

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_table_of_services_is_the_topologys() -> None:
    assert table() in README.read_text(), "run `python -m trunkline_dev.services_table`"
