"""The protocol's leases as an oracle: whose a claim is changes by its rules only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.integration.outbound.world import World

Rows = Mapping[str, list[dict[str, Any]]]

_ALIVE: Final = 1.0  # seconds that a lease must still have had to be called alive


@dataclass(frozen=True)
class Lease:
    """A claim as it was seen."""

    token: int
    owner: str | None
    seconds_left: float

    @property
    def is_alive(self) -> bool:
        return self.owner is not None and self.seconds_left > _ALIVE


class Fences:
    """Compares claims with what they were at the look before."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._leases: dict[int, Lease] = {}
        self._epoch = 0
        self._lost: set[str] = set()  # attempts whose worker was taken for lost

    def look(self, rows: Rows) -> list[str]:
        """What was done to claims that must not be."""
        if self._world.epoch != self._epoch:  # time was moved: any lease may have run out
            self._leases = {
                claim: Lease(lease.token, lease.owner, 0.0) for claim, lease in self._leases.items()
            }
        self._epoch = self._world.epoch
        broken = self._owners(rows) + self._taken(rows) + self._renewals(rows)
        self._leases = {
            row["claim_id"]: Lease(row["token"], row["owner"], row["seconds_left"])
            for row in rows["claims"]
            if not row["is_closed"]
        }
        return broken

    def _owners(self, rows: Rows) -> list[str]:
        """Tokens only grow, and with every change of owner, also from and to nobody."""
        broken = []
        for row in rows["claims"]:
            before = self._leases.get(row["claim_id"])
            if before is None or row["is_closed"]:
                continue
            if row["token"] < before.token:
                broken.append(f"I4 the token of claim {row['claim_id']} fell")
            if row["owner"] != before.owner and row["token"] == before.token:
                broken.append(f"fence: claim {row['claim_id']} has a new owner and its old token")
            if before.is_alive and row["owner"] not in (None, before.owner):
                broken.append(f"fence: claim {row['claim_id']} was taken from {before.owner}")
        return broken

    def _taken(self, rows: Rows) -> list[str]:
        """Nobody is taken for lost while its lease runs."""
        lost = {
            row["attempt_id"]: row for row in rows["attempts"] if row["reason"] == "worker_lost"
        }
        new = [row for attempt_id, row in lost.items() if attempt_id not in self._lost]
        self._lost = set(lost)
        return [
            f"fence: {row['attempt_id']} was put in doubt while its worker's lease ran"
            for row in new
            if row["claim_id"] in self._leases and self._leases[row["claim_id"]].is_alive
        ]

    def _renewals(self, rows: Rows) -> list[str]:
        """What was extended was the worker's own."""
        claims = {row["claim_id"]: (row["token"], row["owner"]) for row in rows["claims"]}
        broken = [
            f"fence: {owner} renewed claim {claim_id}, which is not its own"
            for claim_id, token, owner in self._world.renewed
            if claims[claim_id] != (token, owner)
        ]
        self._world.renewed.clear()
        return broken
