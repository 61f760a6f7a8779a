"""The faults on order, and which of them meet a request."""

from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import count

from trunkline_sandbox.faults.orders import FaultKind, FaultOrder, Subject
from trunkline_sandbox.mailbox import Mishaps
from trunkline_sandbox.witness import Witness


@dataclass(frozen=True, slots=True)
class Effects:
    """The orders that meet one request."""

    hits: tuple[FaultOrder, ...] = ()

    def first(self, *kinds: FaultKind) -> FaultOrder | None:
        """The oldest order among these kinds."""
        return next((order for order in self.hits if order.kind in kinds), None)

    @property
    def mishaps(self) -> Mishaps:
        """What will happen to the callbacks of the call or message that the request creates."""
        repeated = self.first(FaultKind.CALLBACKS_REPEATED)
        shuffled = self.first(FaultKind.CALLBACKS_SHUFFLED)
        delayed = self.first(FaultKind.CALLBACKS_DELAYED)
        return Mishaps(
            lost=self.first(FaultKind.CALLBACKS_LOST) is not None,
            copies=repeated.copies if repeated else 1,
            shuffle_seconds=shuffled.milliseconds / 1000 if shuffled else 0.0,
            delay_seconds=delayed.seconds if delayed else 0.0,
            forged=self.first(FaultKind.CALLBACKS_FORGED) is not None,
        )


@dataclass(slots=True)
class Standing:
    """One order with its counts."""

    order_id: int
    order: FaultOrder
    seen: int = 0
    hits: int = 0

    def takes(self, subject: Subject) -> bool:
        """Count this request and decide; the same seed decides the same way again."""
        if not self.order.fits(subject):
            return False
        self.seen += 1
        if self.order.nth is not None and self.seen != self.order.nth:
            return False
        if self.order.times is not None and self.hits >= self.order.times:
            return False
        if _die(self.order.seed, self.seen) >= self.order.probability:
            return False
        self.hits += 1
        return True


@dataclass(slots=True)
class FaultBook:
    """All orders, oldest first."""

    witness: Witness
    _orders: list[Standing] = field(default_factory=list)
    _ids: "count[int]" = field(default_factory=lambda: count(1))

    def add(self, order: FaultOrder) -> int:
        """Take an order; its id."""
        standing = Standing(next(self._ids), order)
        self._orders.append(standing)
        self.witness.write(
            "fault_ordered",
            fault_id=standing.order_id,
            order=order.model_dump(mode="json", exclude_unset=True),
        )
        return standing.order_id

    def clear(self) -> int:
        """Drop every order; how many there were."""
        dropped = len(self._orders)
        self._orders.clear()
        self.witness.write("faults_cleared", dropped=dropped)
        return dropped

    def standing(self) -> list[Standing]:
        return list(self._orders)

    def effects_for(self, subject: Subject) -> Effects:
        """The orders that meet this request; each hit is one line of the witness."""
        if not self._orders:
            return Effects()
        met = [each for each in self._orders if each.takes(subject)]
        for each in met:
            self.witness.write(
                "fault",
                fault_id=each.order_id,
                fault=each.order.kind.value,
                account=subject.account,
                to=subject.to,
                path=subject.path,
            )
        return Effects(tuple(each.order for each in met))


def _die(seed: int, nth: int) -> float:
    digest = blake2b(f"{seed}:{nth}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
