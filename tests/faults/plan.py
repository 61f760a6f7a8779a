"""Which cells are played this time, and in which waves: said by the environment, once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from tests.faults.points import ACTIONS, ELSEWHERE, POINTS, Cell, Point

_TOGETHER: Final = 6  # cells of a wave; a wave that fails is played again cell by cell
_SAMPLE: Final = 10
_BRIEF_WAVES: Final = 2
_SEEDS: Final = 10**6


class Settings(BaseSettings):
    """`make faults LONG=1 SEED=7 ONLY=outbound/outbound.intents` sets these."""

    model_config = SettingsConfigDict(env_prefix="FAULTS_", frozen=True, env_ignore_empty=True)

    long: bool = False
    brief: bool = Field(default=False, description="what `make test` plays: some of everything")
    seed: int = Field(default_factory=lambda: random.SystemRandom().randrange(_SEEDS))
    only: str = Field(default="", description="a part of cells' names: these alone, one by one")
    instance: str = Field(default="test-faults", description="of the stack that is struck")
    plant: str = Field(default="", description="a rule that is left out (docs/models.md)")
    storms: int = Field(default=0, ge=0, description="how many; 0: as the form has it")
    storm: str = Field(default="", description="one that was played: seed:number:places")
    waves: int = Field(default=0, ge=0, description="at most so many, by the seed; 0: all")
    together: int = Field(default=_TOGETHER, ge=1, description="cells of one wave")


@dataclass(frozen=True, slots=True)
class Plan:
    """Waves of cells, and the seed that everything random about them is drawn from."""

    seed: int
    form: str
    waves: Sequence[Sequence[Cell]]

    def __str__(self) -> str:
        cells = sum(len(wave) for wave in self.waves)
        return f"faults: {self.form}, {cells} cells in {len(self.waves)} waves, SEED={self.seed}"

    def dice(self, wave: int) -> random.Random:
        """What decides when and for how long each cell of a wave strikes."""
        return random.Random(f"{self.seed}:{wave}")


def every_cell(points: Sequence[Point] = (*POINTS, *ELSEWHERE)) -> list[Cell]:
    """All of them."""
    return [Cell(point, action) for point in points for action in ACTIONS]


def short_form(seed: int) -> list[Cell]:
    """A kill at every point, and some of everything else, by the seed."""
    kills = [Cell(point, "kill") for point in POINTS]
    others = [cell for cell in every_cell() if cell not in kills]
    return [*kills, *random.Random(seed).sample(others, _SAMPLE)]


def in_waves(cells: Sequence[Cell], size: int, seed: int) -> list[list[Cell]]:
    """Cells that are struck together: of one stage, so that one campaign passes them all."""
    dice = random.Random(seed)
    waves: list[list[Cell]] = []
    for stage in dict.fromkeys(cell.point.stage for cell in cells):
        left = [cell for cell in cells if cell.point.stage == stage]
        dice.shuffle(left)
        while left:
            waves.append(_wave(left, size))
    return waves


def _wave(left: list[Cell], size: int) -> list[Cell]:
    """Take a wave out of what is left; no place is struck twice in it."""
    wave: list[Cell] = []
    taken: set[tuple[str, str]] = set()
    for cell in list(left):
        point = cell.point
        places = {(point.service, name) for name in (point.name, point.prelude) if name}
        if len(wave) < size and not places & taken:
            wave.append(cell)
            taken |= places
            left.remove(cell)
    return wave


def planned(settings: Settings) -> Plan:
    """The waves that these settings ask for."""
    seed = settings.seed
    if settings.only:
        cells = [cell for cell in every_cell() if settings.only in str(cell)]
        return Plan(seed, f"only {settings.only}", [[cell] for cell in cells])
    cells = every_cell() if settings.long else short_form(seed)
    form = "long form" if settings.long else "short form"
    waves = in_waves(cells, settings.together, seed)
    most = settings.waves or (_BRIEF_WAVES if settings.brief else 0)
    if 0 < most < len(waves):
        waves = random.Random(seed).sample(waves, most)
        form = f"{most} waves of the {form}"
    return Plan(seed, form, waves)


SETTINGS: Final = Settings()
PLAN: Final = planned(SETTINGS)
