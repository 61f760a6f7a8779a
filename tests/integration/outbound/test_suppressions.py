"""Suppressions: whoever commits first wins, retries obey them, and nobody is skipped in silence."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from tests.integration.outbound.scene import Scene, addresses
from tests.integration.outbound.test_claims import claim, intend

from trunkline_common.contracts.envelope import Event
from trunkline_common.contracts.suppressions import ContactSuppressed, ContactUnsuppressed
from trunkline_common.db import Database
from trunkline_common.ids import BUSINESS, RUN, SUPPRESSION, new_id

FIRST, SECOND, THIRD = addresses(3)


def suppressed(kind: str, value: object, version: int = 1, **more: Any) -> ContactSuppressed:
    about = {"suppression_id": new_id(SUPPRESSION), "kind": kind, "value": value}
    return ContactSuppressed.model_validate(
        {**about, "version": version, "source": "opt_out", **more}
    )


def lifted(kind: str, value: object, version: int = 2, **more: Any) -> ContactUnsuppressed:
    about = {"suppression_id": new_id(SUPPRESSION), "kind": kind, "value": value}
    return ContactUnsuppressed.model_validate({**about, "version": version, **more})


async def admitted(scene: Scene, run_id: str) -> list[str]:
    """Whom an intent lets through."""
    intents = await intend(scene, await claim(scene, run_id, "w1"), "w1")
    return [attempt.to_number for attempt in intents.granted]


async def contact_of(scene: Scene, run_id: str, address: str) -> object:
    return await scene.value(
        "SELECT contact_id FROM jobs WHERE run_id = :r AND address = :a", r=run_id, a=address
    )


@pytest.mark.parametrize("kind", ["address", "contact", "prefix"])
@pytest.mark.parametrize("of_run", [False, True])
async def test_each_kind_skips_whom_it_fits_and_says_so(
    scene: Scene, kind: str, of_run: bool
) -> None:
    run_id = await scene.start_run(3)
    values = {
        "address": SECOND,
        "contact": await contact_of(scene, run_id, SECOND),
        "prefix": SECOND,  # the whole number is its own longest prefix
    }
    event = suppressed(kind, values[kind], run_id=run_id if of_run else None)
    await scene.hear(event)
    assert await admitted(scene, run_id) == [FIRST, THIRD]
    rule = f"suppressed_{kind}"
    assert await scene.rows("SELECT seq, reason FROM jobs WHERE state = 'skipped'") == [(2, rule)]
    [(decision, said, detail)] = await scene.rows("SELECT decision, rule, detail FROM decisions")
    assert (decision, said) == ("skipped", rule)
    assert str(detail).startswith(event.suppression_id)
    [(ended,)] = await scene.rows(
        "SELECT CAST(payload AS jsonb) FROM outbox WHERE name = 'job.ended.v1'"
    )
    contact_id = await contact_of(scene, run_id, SECOND)
    assert ended == {
        "run_id": run_id,
        "seq": 2,
        "contact_id": contact_id,
        "state": "skipped",
        "outcome": None,
        "reason": rule,
    }


@pytest.mark.parametrize("prefix", ["+1", "+1202", "+1202555"])
async def test_a_prefix_fits_all_that_begin_so(scene: Scene, prefix: str) -> None:
    run_id = await scene.start_run(3)
    await scene.hear(suppressed("prefix", prefix))
    assert await admitted(scene, run_id) == []
    assert await scene.states(run_id) == {"skipped": 3}


@pytest.mark.parametrize("prefix", ["+120255500000", "+120255500000*", "+2", "1202", "+12025550_"])
async def test_a_prefix_is_no_pattern_and_ends_where_it_ends(scene: Scene, prefix: str) -> None:
    run_id = await scene.start_run(3)
    await scene.hear(suppressed("prefix", prefix))
    fits = prefix == "+120255500000"
    assert await admitted(scene, run_id) == ([] if fits else [FIRST, SECOND, THIRD])


async def test_the_longest_prefix_is_the_one_that_is_told(scene: Scene) -> None:
    run_id = await scene.start_run(1)
    events = [suppressed("prefix", FIRST[:length]) for length in (3, 9, 5)]
    for event in events:
        await scene.hear(event)
    assert await admitted(scene, run_id) == []
    assert str(await scene.value("SELECT detail FROM decisions")).startswith(
        events[1].suppression_id
    )


async def test_a_run_has_a_list_of_its_own(scene: Scene) -> None:
    mine, others = await scene.start_run(3), await scene.start_run(3)
    await scene.hear(suppressed("address", FIRST, run_id=mine))
    assert await admitted(scene, mine) == [SECOND, THIRD]
    assert await admitted(scene, others) == [FIRST]  # the others fly for the first run
    assert await scene.states(others) == {"sending": 1, "waiting": 2}


async def test_lifting_from_the_run_leaves_the_business_list(scene: Scene) -> None:
    run_id = await scene.start_run(3)
    await scene.hear(suppressed("address", FIRST))
    await scene.hear(suppressed("address", FIRST, run_id=run_id))
    await scene.hear(lifted("address", FIRST, run_id=run_id))
    assert await admitted(scene, run_id) == [SECOND, THIRD]


@pytest.mark.parametrize("channel", ["voice", "whatsapp", None])
async def test_a_channel_is_its_own_matter(scene: Scene, channel: str | None) -> None:
    run_id = await scene.start_run(3)
    await scene.hear(suppressed("address", FIRST, channel=channel))
    skipped = channel != "whatsapp"
    assert await admitted(scene, run_id) == ([] if skipped else [FIRST]) + [SECOND, THIRD]


async def test_messages_are_not_handed_over_either(outbound_database: Database) -> None:
    scene = Scene(outbound_database, kind="whatsapp", account="1055512345")
    await scene.open_channel()
    run_id = await scene.start_run(3)
    await scene.hear(suppressed("address", SECOND, channel="whatsapp"))
    await admitted(scene, run_id)
    assert await scene.states(run_id) == {"accepted": 2, "skipped": 1}
    due = await scene.rows(
        "SELECT CAST(payload AS jsonb) ->> 'to' FROM outbox WHERE name = 'run.message_due.v1'"
    )
    assert sorted(due) == [(FIRST,), (THIRD,)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_the_last_version_counts_in_any_order(scene: Scene, order: Sequence[int]) -> None:
    for last in ("lifted", "suppressed"):
        value = FIRST if last == "lifted" else SECOND
        history: list[Event] = [
            suppressed("address", value, 1),
            lifted("address", value, 2),
            suppressed("address", value, 3),
        ]
        if last == "lifted":
            history[2] = lifted("address", value, 4)
            history[1] = suppressed("address", value, 3)
        for place in order:
            await scene.hear(history[place])
            await scene.hear(history[place])  # a repetition changes nothing
    assert await admitted(scene, await scene.start_run(2)) == [FIRST]


async def test_another_business_suppresses_nobody_here(scene: Scene) -> None:
    run_id = await scene.start_run(3)
    contact = await contact_of(scene, run_id, THIRD)
    stranger = new_id(BUSINESS)
    for event in (
        suppressed("address", FIRST),
        suppressed("prefix", "+1", run_id=run_id),
        suppressed("contact", contact),
    ):
        await scene.hear(event, business_id=stranger)
    await scene.hear(suppressed("address", SECOND))
    await scene.hear(lifted("address", SECOND, 9), business_id=stranger)
    await scene.hear(suppressed("address", THIRD, run_id=new_id(RUN)))
    assert await admitted(scene, run_id) == [FIRST, THIRD]


async def test_a_retry_is_not_made_after_an_opt_out(scene: Scene) -> None:
    run_id = await scene.start_run(2)
    await claim(scene, run_id, "w0")
    await scene.rows(
        "UPDATE jobs SET state = 'waiting', attempts = 1, reason = 'busy', outcome = 'busy',"
        " due_at = clock_timestamp() WHERE run_id = :r RETURNING 1",
        r=run_id,
    )
    await scene.hear(suppressed("address", FIRST))
    due = await claim(scene, run_id, "w1")
    assert due.kind == "due"
    assert [a.to_number for a in (await intend(scene, due, "w1")).granted] == [SECOND]
    assert await scene.rows("SELECT state, reason FROM jobs ORDER BY seq LIMIT 1") == [
        ("skipped", "suppressed_address")
    ]


async def test_what_was_skipped_stays_so_when_it_is_lifted(scene: Scene) -> None:
    run_id = await scene.start_run(2)
    held = await claim(scene, run_id, "w1")
    await scene.hear(suppressed("prefix", "+1"))
    assert (await intend(scene, held, "w1")).granted == ()
    await scene.hear(lifted("prefix", "+1"))
    assert (await intend(scene, held, "w1")).drained
    assert await scene.states(run_id) == {"skipped": 2}
