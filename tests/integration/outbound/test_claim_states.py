"""A claim's life, walked whole: whatever may be done to it, done in each state it may be in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from tests.integration.outbound.scene import Scene
from tests.integration.outbound.test_claims import claim

from trunkline_common.db import transaction
from trunkline_outbound.store import claims, controls
from trunkline_outbound.store.claims import Claim, Lease

# held: by us, its lease runs. expired: by us, it has run out. released: by nobody, to be taken at
# once. stranded: by nobody, not to be taken yet (a take-over in a run that stands). closed.
PLACES = {
    "held": "owner = 'w1', expires_at = clock_timestamp() + interval '30 s', closed_at = NULL",
    "expired": "owner = 'w1', expires_at = clock_timestamp() - interval '1 s', closed_at = NULL",
    "released": "owner = NULL, expires_at = clock_timestamp() - interval '1 s', closed_at = NULL",
    "stranded": "owner = NULL, expires_at = clock_timestamp() + interval '30 s', closed_at = NULL",
    "closed": "owner = NULL, expires_at = clock_timestamp(), closed_at = clock_timestamp()",
}
_STATE = """
SELECT CASE WHEN closed_at IS NOT NULL THEN 'closed'
            WHEN owner = 'w2' THEN 'another''s'
            WHEN owner IS NOT NULL AND expires_at > clock_timestamp() THEN 'held'
            WHEN owner IS NOT NULL THEN 'expired'
            WHEN expires_at > clock_timestamp() THEN 'stranded' ELSE 'released' END,
       token - :token FROM claims
"""
OURS, OTHERS, NOBODYS = Lease("w1", 30), Lease("w2", 30), Lease(None, 30)

Act = Callable[[AsyncSession, Claim], Awaitable[object]]


async def _take_lost(session: AsyncSession, taken: Claim) -> None:
    if (lost := await claims.lock_lost(session, taken.run_id)) is not None:
        await claims.take_over(session, lost.claim_id, OTHERS)


async def _take_released(session: AsyncSession, taken: Claim) -> None:
    if (left := await claims.lock_released(session, taken.run_id, kind="range")) is not None:
        await claims.take_over(session, left.claim_id, OTHERS)


async def _strand(session: AsyncSession, taken: Claim) -> None:
    if (over := await claims.lock_expired(session, taken.run_id)) is not None:
        await claims.take_over(session, over.claim_id, NOBODYS)


ACTS: dict[str, Act] = {
    "intend": lambda session, taken: claims.lock_own(session, taken, owner="w1"),
    "renew": lambda session, taken: claims.renew(session, {taken.claim_id: taken.token}, OURS),
    "release": lambda session, taken: claims.release(session, taken, owner="w1"),
    "close": lambda session, taken: claims.close(session, taken, owner="w1"),
    "take what is lost": _take_lost,
    "take what is released": _take_released,
    "strand": _strand,
    "revoke": lambda session, taken: claims.revoke_open(session, taken.run_id),
    "reopen": lambda session, taken: controls.reopen_claims(session, taken.run_id),
    "close all": lambda session, taken: controls.close_claims(session, taken.run_id),
}
# From each state: where an act leads, and by how much the token goes up. What is not here changes
# nothing at all. Every change of owner bumps the token, and so does every end of a right to send.
LEADS = {
    ("held", "release"): ("released", 1),
    ("held", "close"): ("closed", 0),
    ("held", "revoke"): ("held", 1),
    ("held", "reopen"): ("released", 1),
    ("held", "close all"): ("closed", 1),
    ("expired", "release"): ("released", 1),
    ("expired", "take what is lost"): ("another's", 1),
    ("expired", "strand"): ("stranded", 1),
    ("expired", "revoke"): ("expired", 1),
    ("expired", "reopen"): ("released", 1),
    ("expired", "close all"): ("closed", 1),
    ("released", "take what is released"): ("another's", 1),
    ("released", "strand"): ("stranded", 1),
    ("released", "revoke"): ("released", 1),
    ("released", "reopen"): ("released", 1),
    ("released", "close all"): ("closed", 1),
    ("stranded", "revoke"): ("stranded", 1),
    ("stranded", "reopen"): ("released", 1),
    ("stranded", "close all"): ("closed", 1),
}


async def _after(scene: Scene, taken: Claim, place: str, act: Act) -> tuple[object, ...]:
    put = f"UPDATE claims SET {PLACES[place]}, token = :token RETURNING 1"  # noqa: S608 - ours
    await scene.rows(put, token=taken.token)
    async with transaction(scene.database) as session:
        await act(session, taken)
    [row] = await scene.rows(_STATE, token=taken.token)
    return row


async def test_every_act_in_every_state(scene: Scene) -> None:
    taken = await claim(scene, await scene.start_run(3), "w1")
    await scene.rows("UPDATE jobs SET state = 'done', reason = 'walked' RETURNING 1")
    wrong = {}
    for place in PLACES:
        for name, act in ACTS.items():
            after = await _after(scene, taken, place, act)
            if after != LEADS.get((place, name), (place, 0)):
                wrong[place, name] = after
    assert not wrong


@pytest.mark.parametrize("state", ["queued", "sending"])
@pytest.mark.parametrize("name", ["close", "close all"])
async def test_what_holds_something_is_not_closed(scene: Scene, name: str, state: str) -> None:
    taken = await claim(scene, await scene.start_run(3), "w1")
    await scene.rows(
        "UPDATE jobs SET state = :state, claim_id = :claim, open_attempt = 'att_1' RETURNING 1",
        state=state,
        claim=taken.claim_id,
    )
    assert (await _after(scene, taken, "held", ACTS[name]))[0] == "held"


async def test_only_the_holder_of_the_token_may_send_renew_release_or_close(scene: Scene) -> None:
    taken = await claim(scene, await scene.start_run(3), "w1")
    stale = Claim(**{f: getattr(taken, f) for f in Claim.__slots__} | {"token": taken.token - 1})
    for name in ("intend", "renew", "release", "close"):
        act = ACTS[name]

        async def with_stale_token(session: AsyncSession, _: Claim, act: Act = act) -> None:
            await act(session, stale)

        assert await _after(scene, taken, "held", with_stale_token) == ("held", 0)
    async with transaction(scene.database) as session:
        assert not await claims.lock_own(session, stale, owner="w1")
        assert not await claims.lock_own(session, taken, owner="w2")
        assert await claims.lock_own(session, taken, owner="w1")
