"""The moves of the protocol's game, each with how often it is played and when it makes sense."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from sqlalchemy import text
from tests.integration.outbound.flights import Hand, Worker
from tests.integration.outbound.game import CONTROLS, ENDS, LIVE, MOST_RUNS, Game

from trunkline_common.db import transaction
from trunkline_common.testing.facts import eventually

_HOLD: Final = text("SELECT 1 FROM limits ORDER BY kind, id FOR UPDATE")
_WAITING: Final = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
_NEXT_NUMBER: Final = (
    "SELECT address FROM jobs WHERE run_id = :r AND state = 'queued' ORDER BY seq LIMIT 1"
)
_NOWHERE: Final = "UPDATE jobs SET zone = 'Nowhere/Never' WHERE run_id = :r RETURNING 1"

Act = Coroutine[Any, Any, None]
Move = Callable[[Game, int, int], Act]
Can = Callable[[Game], object]


# ---- what takes several steps that seldom come in this order by themselves ----


async def claim_blindly(game: Game, one: int, two: int) -> None:
    """A worker looked for work a while ago: the run it picked may stand by now, or be over."""
    _, run_id = game.runs[two % len(game.runs)]
    await game.world.claim_of(game.who(one), run_id)


async def intend_late(game: Game, one: int, two: int) -> None:
    """Nobody told this worker that the run of its claim stands."""
    late = standing(game)
    if late:
        worker, hand = late[one % len(late)]
        place = worker.hands.index(hand)
        await game.world.intend(worker, place, wanted=two % 3 + 1, answered=True)


def standing(game: Game) -> list[tuple[Worker, Hand]]:
    """Hands with a claim of a run that is not running."""
    return [
        (worker, hand)
        for worker in game.world.workers
        for hand in worker.hands
        if game.watch.states.get(hand.claim.run_id) != "running"
    ]


async def lose_lease(game: Game, one: int, two: int) -> None:
    """A worker stands still, with a request on the wire if one has any; another takes its claim
    over. Then the first may wake up, and want to go on with it.
    """
    worker = game.one_with("wire" if two % 2 == 0 else "hands", one)
    runs = [flight.hand.claim.run_id for flight in worker.wire]
    runs += [hand.claim.run_id for hand in worker.hands]
    await game.world.stall(worker)
    for run_id in runs[:1]:
        await game.world.claim_of(game.who(game.world.workers.index(worker) + 1), run_id)
    if two % 3 == 0:
        await game.world.renew(worker)


async def outlast_grace(game: Game, _one: int, _two: int) -> None:
    """The provider is asked before and after the grace of every doubt there is."""
    await game.world.ask()
    await game.world.pass_time(140.0)
    await game.world.ask()


async def try_again(game: Game, one: int, _two: int) -> None:
    """What was taken for absent is due again, and has its next intent."""
    await outlast_grace(game, 0, 0)
    worker = game.who(one)
    for _ in range(2):  # the first may be a lost claim
        await game.world.claim(worker, 0)
    for place in range(len(worker.hands)):
        await game.world.intend(worker, place, wanted=1, answered=True)


async def late_word(game: Game, one: int, two: int) -> None:
    """Of a call that its provider's list does not show something is heard at last."""
    alive = game.world.witness.alive()
    hidden = [place for place, call in enumerate(alive) if call.is_hidden]
    if hidden:
        await game.world.progress(hidden[one % len(hidden)], ENDS[two % len(ENDS)])
        await game.world.call_back(game.scenes, -1, again=False)
        await game.world.fold()


def _hides(game: Game) -> bool:
    return any(call.is_hidden for call in game.world.witness.accepted)


async def fall_silent(game: Game, _one: int, _two: int) -> None:
    """Of all that is in the air nothing is heard for longer than anybody waits for it."""
    await game.world.pass_time(20_000.0)
    await game.world.sweep()


async def overtake_intent(game: Game, one: int, two: int) -> None:
    """An opt-out, a pause or a cancel while an intent is under way: it must wait for it.

    The intent is held up where it takes room, after all that it reads. What is done before it is
    let go on came first, so nothing of that intent may be there.
    """
    worker = game.one_with("hands", one)
    if not worker.hands:
        return
    place = one % len(worker.hands)
    run_id = worker.hands[place].claim.run_id
    scene = game.scene_of(run_id)
    number = str(await scene.value(_NEXT_NUMBER, r=run_id))
    word = ("opt out", "pause", "cancel")[two % 3]
    control = CONTROLS["pause" if word == "pause" else "cancel"](run_id=run_id, control_id="ctl")
    act = game.suppress(scene, number) if word == "opt out" else scene.hear(control)
    intend = game.world.intend(worker, place, wanted=3, answered=True)
    if not await _is_overtaken(game, intend, act):
        await game.watch.look()
    if word == "opt out":
        game.watch.suppressed.add((scene.business_id, number))
    else:
        game.watch.stopped.add(run_id)


async def _is_overtaken(game: Game, intend: Act, act: Act) -> bool:
    """Whether the act was done while the intent, begun before it, was not."""
    async with asyncio.TaskGroup() as group, transaction(game.database) as holding:
        await holding.execute(_HOLD)
        first = group.create_task(intend)
        await _stands(game, first, 1)
        second = group.create_task(act)
        await _stands(game, second, 1 + (not first.done()))
        return second.done() and not first.done()


async def _stands(game: Game, task: asyncio.Task[None], waiting: int) -> None:
    """Until it is done, or waits for a lock with the others."""
    if not task.done():
        scene = game.scenes[0]

        async def so() -> bool:
            return task.done() or int(str(await scene.value(_WAITING))) >= waiting

        await eventually(so)


async def lose_zones(game: Game, one: int, _two: int) -> None:
    """Where a run's contacts are nobody can tell any more, and its window may be closed there."""
    _, run_id = game.run_for("pause", one)
    await game.scene_of(run_id).rows(_NOWHERE, r=run_id)
    await game.shut(one, 0)


def _control(control: str) -> Move:
    return lambda game, one, two: game.ask(control, one, two)


def _has(what: str) -> Can:
    return lambda game: any(getattr(worker, what) for worker in game.world.workers)


def _is_there(what: str) -> Can:
    return lambda game: game.watch.seen.get(what)


def _is_alive(game: Game) -> bool:
    return bool(game.world.witness.alive())


# What may be played: its weight, when it makes sense, and what it does.
MOVES: Final[dict[str, tuple[int, Can, Move]]] = {
    "work": (4, _is_there("work"), Game.work),
    "claim": (3, _is_there("work"), Game.claim),
    "intend": (4, _has("hands"), Game.intend),
    "lose answer of intent": (1, _has("hands"), Game.lose_answer_of_intent),
    "depart": (4, _has("ready"), Game.depart),
    "arrive": (4, _has("wire"), Game.arrive),
    "write": (4, _has("heard"), Game.write),
    "write again": (1, _has("written"), Game.write_again),
    "let go": (1, _has("hands"), Game.let_go),
    "renew": (1, _has("hands"), Game.renew),
    "stall": (2, _has("hands"), Game.stall),
    "crash": (1, _has("hands"), Game.crash),
    "end call": (3, _is_alive, Game.end_call),
    "progress": (2, _is_alive, Game.progress),
    "call back": (3, lambda game: game.world.callbacks, Game.call_back),
    "fold": (4, _is_there("unfolded"), Game.fold),
    "look at provider": (3, _is_there("in doubt"), Game.look_at_provider),
    "sweep": (2, lambda _: True, Game.sweep),
    "finish": (2, lambda _: True, Game.finish),
    "pass time": (3, lambda _: True, Game.pass_time),
    "start run": (1, lambda game: len(game.runs) < MOST_RUNS, Game.start_run),
    "pause": (1, _is_there("running"), _control("pause")),
    "resume": (4, _is_there("paused"), _control("resume")),
    "cancel": (1, lambda game: game.watch.seen.keys() & LIVE, _control("cancel")),
    "hang up": (1, _is_alive, _control("hang up")),
    "edit": (1, _is_there("running"), Game.edit),
    "shut": (1, lambda game: game.watch.seen.get("running") and not game.watch.shut, Game.shut),
    "lose zones": (
        1,
        lambda game: game.watch.seen.get("running") and not game.watch.shut,
        lose_zones,
    ),
    "open": (2, lambda game: game.watch.shut, Game.edit),
    "opt out": (1, _is_there("work"), Game.opt_out),
    "ask for another": (1, lambda _: True, Game.ask_for_another),
    "at once": (1, _is_there("running"), Game.at_once),
    "claim blindly": (1, lambda _: True, claim_blindly),
    "intend late": (3, standing, intend_late),
    "lose lease": (2, _has("hands"), lose_lease),
    "outlast grace": (1, _is_there("in doubt"), outlast_grace),
    "try again": (2, _hides, try_again),
    "late word": (2, _hides, late_word),
    "fall silent": (1, _is_alive, fall_silent),
    "overtake intent": (1, _has("hands"), overtake_intent),
}


def possible(game: Game) -> list[str]:
    """The words of the moves that make sense now, each as often as it weighs."""
    return [word for word, (weight, can, _) in MOVES.items() if can(game) for _ in range(weight)]
