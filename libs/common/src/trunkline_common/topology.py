"""Where every message goes. Data only: `broker.declaring` turns it into RabbitMQ objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trunkline_common.contracts import OWNED, api, messaging, outbound, recordings, suppressions
from trunkline_common.contracts import runs as run_facts
from trunkline_common.contracts.envelope import Event
from trunkline_common.contracts.inbound import ABOUT_CALLS, LEG_FACTS

SERVICES: Final = ("api", "outbound", "messaging", "recordings")
LADDER: Final = (5, 30, 300)  # seconds before attempt 2, 3 and 4; then the dead queue

UNROUTED_EXCHANGE: Final = "trunkline.unrouted"
UNROUTED_QUEUE: Final = "unrouted"
UNROUTED_MAX_LENGTH: Final = 10_000
DEAD_EXCHANGE: Final = "trunkline.dead"
DEAD_MAX_LENGTH: Final = 100_000
DELIVERY_LIMIT: Final = 10  # only a seat belt against crash loops: attempts are counted by us


def _rung(seconds: int) -> str:
    return f"{seconds // 60}m" if seconds % 60 == 0 else f"{seconds}s"


@dataclass(frozen=True, slots=True)
class Queue:
    """One lane of one service: what it hears, how much it may hold, how much is fetched ahead."""

    name: str
    service: str
    hears: tuple[type[Event], ...]
    max_length: int = 200_000
    prefetch: int = 200
    retry_after: tuple[int, ...] = LADDER

    def retry_queue(self, seconds: int) -> str:
        """The queue that holds a message back for this many seconds."""
        return f"{self.name}.retry.{_rung(seconds)}"

    @property
    def retry_queues(self) -> tuple[str, ...]:
        return tuple(self.retry_queue(seconds) for seconds in self.retry_after)

    @property
    def dead_queue(self) -> str:
        return f"{self.name}.dead"


_SUPPRESSED: Final = (suppressions.ContactSuppressed, suppressions.ContactUnsuppressed)
OUTBOUND_CONTROL: Final = Queue(
    "outbound.control",
    "outbound",
    hears=(
        api.RunRequested,
        api.RunEdited,
        api.RunPauseRequested,
        api.RunResumeRequested,
        api.RunCancelRequested,
        run_facts.RunForecastRequested,
        *_SUPPRESSED,
        api.ChannelChanged,
        api.BusinessCreated,
        api.BusinessSettingsChanged,
    ),
)
OUTBOUND_AUDIENCE: Final = Queue(
    "outbound.audience",
    "outbound",
    hears=(api.RunAudienceAdded, api.RunAudienceClosed, run_facts.RunContactsAdded),
    max_length=20_000,
    prefetch=16,  # of thousand contacts at most: one transaction
)
OUTBOUND_CALLBACKS: Final = Queue("outbound.callbacks", "outbound", hears=ABOUT_CALLS)
OUTBOUND_RESULTS: Final = Queue(
    "outbound.results",
    "outbound",
    hears=(
        messaging.MessageAccepted,
        messaging.MessageSent,
        messaging.MessageDelivered,
        messaging.MessageRead,
        messaging.MessageFailed,
        messaging.MessageUnknown,
        messaging.MessageCancelled,
    ),
)
MESSAGING_HIGH: Final = Queue(
    "messaging.high",
    "messaging",
    hears=(api.MessageRequested, api.ChannelChanged, outbound.RunCancelling, *_SUPPRESSED),
)
MESSAGING_DEFAULT: Final = Queue(
    "messaging.default", "messaging", hears=(api.MessageStatusReported,)
)
MESSAGING_BROADCASTS: Final = Queue(
    "messaging.broadcasts", "messaging", hears=(outbound.RunMessageDue,)
)
RECORDINGS_DEFAULT: Final = Queue(
    "recordings.default", "recordings", hears=(api.RecordingReported, api.ChannelChanged)
)
API_PROJECTIONS: Final = Queue(
    "api.projections",
    "api",
    hears=(
        outbound.RunStarted,
        outbound.RunRejected,
        outbound.RunProgressed,
        outbound.RunPaused,
        outbound.RunResumed,
        outbound.RunPolicyChanged,
        outbound.RunCancelling,
        outbound.RunCancelled,
        outbound.RunCompleted,
        outbound.RunFailed,
        outbound.RunControlRefused,
        run_facts.RunForecasted,
        run_facts.RunAdditionEnded,
        outbound.JobEnded,
        outbound.CallDialled,
        outbound.CallAnswered,
        outbound.CallEnded,
        outbound.CallUnknown,
        *LEG_FACTS,
        messaging.MessageAccepted,
        messaging.MessageSent,
        messaging.MessageDelivered,
        messaging.MessageRead,
        messaging.MessageFailed,
        messaging.MessageUnknown,
        messaging.MessageCancelled,
        recordings.RecordingStored,
        recordings.RecordingFailed,
    ),
)

QUEUES: Final[tuple[Queue, ...]] = (
    API_PROJECTIONS,
    OUTBOUND_CONTROL,
    OUTBOUND_AUDIENCE,
    OUTBOUND_CALLBACKS,
    OUTBOUND_RESULTS,
    MESSAGING_HIGH,
    MESSAGING_DEFAULT,
    MESSAGING_BROADCASTS,
    RECORDINGS_DEFAULT,
)


def exchange_of(service: str) -> str:
    """The topic exchange that only this service writes to."""
    return f"trunkline.{service}"


def hints_of(service: str) -> str:
    """The fanout exchange of hints to this service's processes."""
    return f"trunkline.hints.{service}"


def owner_of(event: type[Event]) -> str:
    """The service that may publish this event."""
    return next(service for service, owned in OWNED.items() if event in owned)


def routing_key(business_id: str, name: str) -> str:
    """The key of one event of one business."""
    return f"{business_id}.{name}"


def heard_by_all_businesses(name: str) -> str:
    """The binding that hears one event of every business."""
    return f"*.{name}"


def queues_of(service: str) -> tuple[Queue, ...]:
    """The lanes of one service."""
    return tuple(queue for queue in QUEUES if queue.service == service)


def bindings(queue: Queue) -> tuple[tuple[str, str], ...]:
    """(exchange, binding key) for everything that a queue hears.

    A key has one word for the business and the event's own words after it.
    """
    return tuple(
        (exchange_of(owner_of(event)), heard_by_all_businesses(event.name)) for event in queue.hears
    )


def _quorum(max_length: int, overflow: str, **more: str | int) -> dict[str, str | int]:
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-overflow": overflow,
        "x-max-length": max_length,
        **{f"x-{name.replace('_', '-')}": value for name, value in more.items()},
    }


def queue_arguments(queue: Queue) -> dict[str, str | int]:
    """Arguments of a work queue."""
    return _quorum(
        queue.max_length,
        "reject-publish",
        dead_letter_exchange=DEAD_EXCHANGE,
        dead_letter_routing_key=queue.dead_queue,
        dead_letter_strategy="at-least-once",
    )


def retry_arguments(queue: Queue, seconds: int) -> dict[str, str | int]:
    """Arguments of one rung: one time to live for all, then back to the work queue."""
    return _quorum(
        queue.max_length,
        "reject-publish",
        message_ttl=seconds * 1000,
        dead_letter_exchange="",
        dead_letter_routing_key=queue.name,
        dead_letter_strategy="at-least-once",
    )


def dead_arguments() -> dict[str, str | int]:
    """Arguments of a dead queue: nobody consumes it, so nothing may push it out."""
    return _quorum(DEAD_MAX_LENGTH, "reject-publish")


def unrouted_arguments() -> dict[str, str | int]:
    """Arguments of the queue of facts that nobody hears: the newest are worth keeping."""
    return _quorum(UNROUTED_MAX_LENGTH, "drop-head")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange as it is declared."""

    name: str
    kind: str
    arguments: dict[str, str | int]


@dataclass(frozen=True, slots=True)
class DeclaredQueue:
    """One queue as it is declared: a lane, a rung, or a mailbox of the dead or unheard."""

    name: str
    arguments: dict[str, str | int]


@dataclass(frozen=True, slots=True, order=True)
class Binding:
    """One binding as it is declared."""

    exchange: str
    queue: str
    key: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything that the broker is told to have."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[DeclaredQueue, ...]
    bindings: tuple[Binding, ...]

    @property
    def things(self) -> tuple[Exchange | DeclaredQueue, ...]:
        return (*self.exchanges, *self.queues)


def layout(queues: tuple[Queue, ...] = QUEUES, services: tuple[str, ...] = SERVICES) -> Layout:
    """The whole fabric, or the part of it that these lanes and services need."""
    exchanges = [
        Exchange(UNROUTED_EXCHANGE, "fanout", {}),
        Exchange(DEAD_EXCHANGE, "topic", {}),
        *(
            Exchange(exchange_of(s), "topic", {"alternate-exchange": UNROUTED_EXCHANGE})
            for s in services
        ),
        *(Exchange(hints_of(service), "fanout", {}) for service in services),
    ]
    declared = [DeclaredQueue(UNROUTED_QUEUE, unrouted_arguments())]
    bound = [Binding(UNROUTED_EXCHANGE, UNROUTED_QUEUE, "")]
    for queue in queues:
        declared.append(DeclaredQueue(queue.name, queue_arguments(queue)))
        declared += [
            DeclaredQueue(queue.retry_queue(rung), retry_arguments(queue, rung))
            for rung in queue.retry_after
        ]
        declared.append(DeclaredQueue(queue.dead_queue, dead_arguments()))
        bound.append(Binding(DEAD_EXCHANGE, queue.dead_queue, queue.dead_queue))
        bound += [Binding(exchange, queue.name, key) for exchange, key in bindings(queue)]
    return Layout(tuple(exchanges), tuple(declared), tuple(bound))
