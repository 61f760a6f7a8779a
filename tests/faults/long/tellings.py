"""Orders in which a call can be told, drawn by dice, and what the tables make of a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.integration.outbound.scene import ACCOUNT, Scene
from tests.integration.outbound.test_claims import claim, intend

from trunkline_common.db import transaction
from trunkline_common.ids import new_event_id
from trunkline_outbound.domain.calls import CallEvent
from trunkline_outbound.domain.classification import Result
from trunkline_outbound.folding import fold_calls
from trunkline_outbound.records import Recorded, record
from trunkline_outbound.store.events import KeptOfCall, keep_call_events

Row = tuple[object, ...]

# The last word of each way says more than that it is over.
WAYS: Final[Mapping[tuple[str, ...], Mapping[str, object]]] = {
    ("initiated", "ringing", "in-progress", "completed"): {"duration": 12, "answered_by": "human"},
    ("initiated", "ringing", "busy"): {},
    ("initiated", "ringing", "no-answer"): {"duration": 0},
    ("initiated", "ringing", "failed"): {"code": "480"},
}
_ENDS: Final = """
SELECT calls.status, answered, duration, answered_by, calls.code, jobs.state, jobs.outcome,
       attempts.state, attempts.provider_id = 'CA' || attempts.attempt_id,
       calls.ended_at IS NULL, jobs.seq
  FROM jobs LEFT JOIN attempts USING (run_id, seq) LEFT JOIN calls USING (attempt_id)
 WHERE jobs.run_id = :r ORDER BY jobs.seq
"""
_FACTS: Final = """
SELECT name, count(*), count(DISTINCT subject) FROM outbox
 WHERE payload LIKE '%' || :r || '%'
   AND name IN ('call.dialled.v1', 'call.answered.v1', 'call.ended.v1', 'job.ended.v1')
 GROUP BY name
"""


@dataclass(frozen=True, slots=True)
class Telling:
    """In which order a call's way is told, what comes late, and where the answer comes."""

    way: tuple[str, ...]
    words: tuple[str, ...]
    answer_at: int

    @classmethod
    def drawn(cls, dice: Random) -> Telling:
        """Every word at least once, up to four again, in any order; the answer anywhere."""
        way = dice.choice(list(WAYS))
        words = [*way, *dice.choices(way, k=dice.randint(0, 4))]
        dice.shuffle(words)
        return cls(way, tuple(words), dice.randint(0, len(words)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Calls that are told side by side; the fold looks after some of the steps, and at the end."""

    tellings: Sequence[Telling]
    folds: frozenset[int]

    @classmethod
    def drawn(cls, size: int, dice: Random) -> Batch:
        """So many calls."""
        folds = frozenset(at for at in range(9) if dice.random() < 0.5)
        return cls([Telling.drawn(dice) for _ in range(size)], folds)

    def orders(self) -> Iterator[tuple[Telling, frozenset[int]]]:
        """What makes one of them different from another."""
        return ((telling, self.folds) for telling in self.tellings)

    def said(self) -> int:
        """Words in all."""
        return sum(len(telling.words) for telling in self.tellings)


async def tell(scene: Scene, batch: Batch) -> list[str]:
    """Tell all of it, fold it, and look whether each way had one end; what had not."""
    size = len(batch.tellings)
    run_id = await scene.start_run(size)
    taken = await claim(scene, run_id, "w1", wanted=size)
    attempts = [one.attempt_id for one in (await intend(scene, taken, "w1", wanted=size)).granted]
    if len(attempts) != size:
        return [f"{len(attempts)} of {size} intents were granted"]
    told = list(zip(attempts, batch.tellings, strict=True))
    for step in range(9):
        await _answer(scene, run_id, [a for a, one in told if one.answer_at == step])
        await _say(scene, [(a, one) for a, one in told if step < len(one.words)], step)
        if step in batch.folds:
            await _fold(scene)
    await _fold(scene)
    rows = await scene.rows(_ENDS, r=run_id)
    return [*_ends(rows, batch), *_facts(await scene.rows(_FACTS, r=run_id), batch)]


async def _answer(scene: Scene, run_id: str, attempts: Sequence[str]) -> None:
    if attempts:
        accepted = [
            Recorded(attempt, run_id, Result("accepted", provider_id=f"CA{attempt}"))
            for attempt in attempts
        ]
        await record(scene.database, accepted)


async def _say(scene: Scene, told: Sequence[tuple[str, Telling]], step: int) -> None:
    kept = [_kept(scene, attempt, telling, telling.words[step]) for attempt, telling in told]
    if kept:
        async with transaction(scene.database) as session:
            await keep_call_events(session, kept)


def _kept(scene: Scene, attempt: str, telling: Telling, word: str) -> KeptOfCall:
    more = WAYS[telling.way] if word == telling.way[-1] else {}
    said = CallEvent(attempt, f"CA{attempt}", word, telling.way.index(word), **more)  # type: ignore[arg-type]  # by name
    return KeptOfCall(said, scene.business_id, ACCOUNT, new_event_id())


async def _fold(scene: Scene) -> None:
    while await fold_calls(scene.database, batch=2_000):
        pass


def _ends(rows: Sequence[Row], batch: Batch) -> Iterator[str]:
    """Of each way there is one end, whatever the order."""
    if len(rows) != len(batch.tellings):
        yield f"{len(batch.tellings)} calls have {len(rows)} rows"
        return
    ends: dict[tuple[str, ...], dict[Row, Telling]] = {}
    for row, telling in zip(rows, batch.tellings, strict=True):
        ends.setdefault(telling.way, {}).setdefault(row[:-1], telling)
    for way, found in ends.items():
        if len(found) > 1 or next(iter(found))[0] != way[-1]:
            yield f"{way[-1]} ends in {len(found)} ways: {found}; folds after {batch.folds}"


def _facts(rows: Sequence[Row], batch: Batch) -> Iterator[str]:
    """Each thing is told once."""
    size = len(batch.tellings)
    answered = sum(telling.way[-1] == "completed" for telling in batch.tellings)
    wanted = {"call.dialled.v1": size, "call.ended.v1": size, "job.ended.v1": size}
    wanted |= {"call.answered.v1": answered} if answered else {}
    found = {str(name): count for name, count, _ in rows}
    if found != wanted:
        yield f"facts {found}, not {wanted}"
