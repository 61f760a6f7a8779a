"""Each bug that was asked for is caught by a test that CI runs, and the page says by which."""

from __future__ import annotations

from tests.faults.planted import ASKED, DISPATCH, FABRIC, PLAYED
from tests.integration.common import test_fabric_catches as fabric
from tests.integration.outbound import plants as dispatch

from trunkline_dev.checkout import checkout_root

PAGE = checkout_root() / "docs" / "reliability.md"
GAMES = {
    DISPATCH: {plant.name for plant in dispatch.PLANTS},
    FABRIC: {plant.name for plant in fabric.PLANTS},
}


def test_each_is_a_rule_that_its_game_leaves_out() -> None:
    assert len(ASKED) == 11
    for asked, rule, game in ASKED:
        assert rule in GAMES[game], asked
        assert (checkout_root() / game).exists()


def test_what_is_played_in_processes_is_a_rule_of_a_game() -> None:
    assert {planted.rule for planted in PLAYED} <= GAMES[DISPATCH] | GAMES[FABRIC]


def test_the_page_has_each() -> None:
    _, _, section = PAGE.read_text().partition("| asked for | left out | caught by |")
    table, _, _ = section.partition("\n\n")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    played = {planted.rule for planted in PLAYED}
    assert [row[:3] for row in rows[2:]] == [
        [asked, rule, ("`make faults`, " if rule in played else "") + f"`{game}`"]
        for asked, rule, game in ASKED
    ]
