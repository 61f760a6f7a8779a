"""What is of no run goes by its own age, in bounded pieces, and nothing young goes with it."""

from __future__ import annotations

from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_legs import report_inbound

from trunkline_common.db import transaction
from trunkline_outbound.forgetting import AUDIT_DAYS, forget_old
from trunkline_outbound.legs import fold_legs
from trunkline_outbound.store import old

_AGE = """
UPDATE legs SET began_at = now() - make_interval(days => :age) WHERE provider_id = :p RETURNING 1
"""
_AUDIT = """
INSERT INTO call_audits (business_id, account, day, channel_id, state)
VALUES (:b, :a, CAST(now() AT TIME ZONE 'UTC' AS date) - CAST(:days AS integer), :c, 'done')
RETURNING 1
"""
_LINES = """
INSERT INTO audit_differences (business_id, account, day, provider_id, side, rule, direction,
                               status)
SELECT :b, :a, CAST(now() AT TIME ZONE 'UTC' AS date) - CAST(:days AS integer), 'CA' || n,
       'theirs', 'made_elsewhere', 'outbound', 'completed' FROM generate_series(1, :n) AS n
RETURNING 1
"""


async def leg(scene: Scene, sid: str, status: str, days: int) -> None:
    await report_inbound(scene, sid, "ringing")
    await report_inbound(scene, sid, status)
    await fold_legs(scene.database, batch=10)
    await scene.rows(_AGE, p=sid, age=days)


async def left(scene: Scene, table: str, column: str = "provider_id") -> list[object]:
    rows = await scene.rows(f"SELECT DISTINCT {column} FROM {table} ORDER BY 1")  # noqa: S608
    return [row[0] for row in rows]


async def test_calls_without_a_run_are_forgotten_when_they_are_old_and_over(scene: Scene) -> None:
    for number, (status, days) in enumerate(
        [("completed", 401), ("busy", 500), ("completed", 399), ("in-progress", 401)]
    ):
        await leg(scene, f"CA{number:032x}", status, days)
    assert await forget_old(scene.database, keep_days=400)
    young_and_open = [f"CA{2:032x}", f"CA{3:032x}"]
    assert await left(scene, "legs") == await left(scene, "leg_events") == young_and_open
    assert not await forget_old(scene.database, keep_days=400)
    await scene.rows("UPDATE legs SET unknown_at = now() RETURNING 1")
    assert await forget_old(scene.database, keep_days=400)
    assert await left(scene, "legs") == young_and_open[:1]


async def test_no_more_go_at_once_than_the_batch(scene: Scene) -> None:
    for number in range(3):
        await leg(scene, f"CA{number:032x}", "completed", 500 - number)
    gone = []
    for _ in range(3):
        async with transaction(scene.database) as session:
            gone.append(await old.forget_legs(session, days=400, batch=2))
    assert gone == [2, 1, 0]
    assert await left(scene, "leg_events") == []


async def test_audits_go_with_their_differences_piece_by_piece(scene: Scene) -> None:
    about = {"b": scene.business_id, "a": scene.account}
    for days in (AUDIT_DAYS + 1, AUDIT_DAYS):
        await scene.rows(_AUDIT, c=scene.channel_id, days=days, **about)
        await scene.rows(_LINES, days=days, n=5, **about)
    gone = []
    for _ in range(4):
        async with transaction(scene.database) as session:
            gone.append(await old.forget_audits(session, days=AUDIT_DAYS, batch=2))
    assert gone == [2, 2, 2, 0], "the audit itself goes with its last difference"
    assert await scene.value("SELECT count(*) FROM audit_differences") == 5
    assert await scene.value("SELECT count(*) FROM call_audits") == 1
