"""Which cells are struck: all of them in the long form, every kill in the short one."""

from __future__ import annotations

import pytest
from tests.faults.matrix import still
from tests.faults.plan import Settings, every_cell, planned
from tests.faults.points import ELSEWHERE, POINTS


def test_no_point_is_there_twice() -> None:
    named = [(point.service, point.name) for point in (*POINTS, *ELSEWHERE)]

    assert len(set(named)) == len(named)


@pytest.mark.parametrize("together", [1, 6])
def test_the_long_form_has_every_cell_once(together: int) -> None:
    plan = planned(Settings(long=True, seed=3, together=together))

    cells = [cell for wave in plan.waves for cell in wave]
    assert sorted(map(str, cells)) == sorted(map(str, every_cell()))
    assert max(len(wave) for wave in plan.waves) == together


def test_the_short_form_kills_everywhere_and_samples_the_rest_by_the_seed() -> None:
    first, again, other = (planned(Settings(seed=seed)) for seed in (1, 1, 2))

    assert first == again
    assert first.waves != other.waves
    kills = {str(cell) for wave in first.waves for cell in wave if cell.action == "kill"}
    assert {f"{point.service}/{point.name}=kill" for point in POINTS} <= kills
    assert {cell.action for wave in first.waves for cell in wave} > {"kill"}


def test_a_wave_strikes_no_place_twice_and_one_campaign_passes_all_of_it() -> None:
    for wave in planned(Settings(long=True, seed=3)).waves:
        places = [(cell.point.service, cell.point.name) for cell in wave]
        preludes = [(cell.point.service, cell.point.prelude) for cell in wave if cell.point.prelude]
        assert len({*places, *preludes}) == len(places) + len(preludes)
        assert len({cell.point.stage for cell in wave}) == 1


def test_some_cells_can_be_asked_for_alone() -> None:
    plan = planned(Settings(seed=1, only="outbound/outbound.record.after_commit"))

    assert [len(wave) for wave in plan.waves] == [1] * 5


def test_what_ci_plays_is_little_and_drawn_by_the_seed() -> None:
    first, again, other = (planned(Settings(seed=seed, brief=True)) for seed in (1, 1, 2))

    assert len(first.waves) == 2
    assert first == again
    assert first.waves != other.waves


def test_what_has_come_since_is_forgiven_no_more() -> None:
    forgiven = {"facts that one never had": 4, "slots": 2, "open claims": 1}

    assert still(forgiven, {"facts that one never had": 1, "slots": 3, "open feeds": 1}) == {
        "facts that one never had": 1,
        "slots": 2,
    }
