"""What services are told in the long form: the protocol's constants at a fifth, or as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SCALE: Final = 0.2
LEASE: Final = 30.0 * SCALE

_SHARED: Final = {"RELAY_LEASE": f"{LEASE:g}", "SCHEDULER_LEASE": "4"}

_FIFTH: Final = {
    "api": {},
    "outbound": {
        "LEASE_SECONDS": f"{LEASE:g}",
        "RENEW_SECONDS": "2",
        "MARGIN_SECONDS": "2",
        "SEND_DEADLINE_SECONDS": "2",
        "ANSWER_SECONDS": "2",
        # Send deadline, the provider's patience with a body, and a margin; its lists tell at once.
        "GRACE_SECONDS": "6",
        "CALL_POLL_SECONDS": "12",
        "SWEEP_SECONDS": "1",
        "IN_DOUBT_HORIZON_SECONDS": "120",
        "CALL_MARGIN_SECONDS": "180",
        "MESSAGE_HORIZON_SECONDS": "30",
        "MESSAGE_UNHEARD_SECONDS": "240",
    },
    "messaging": {
        "LEASE": f"{LEASE:g}",
        "SEND_DEADLINE": "2",
        "ANSWER_TIMEOUT": "2",
        "SWEEP_EVERY": "1",
        "IN_DOUBT_HORIZON": "20",
    },
    "recordings": {
        "LEASE": f"{LEASE:g}",
        "RENEW_EVERY": "2",
        "READ_TIMEOUT": "3",
        "FETCH_DEADLINE": "20",
    },
}
# So much is in the air that a kill orphans something, and not so much that two cores choke.
_SIZES: Final = {
    "outbound": {"CONCURRENCY": "50", "MICRO_BATCH": "25", "CLAIM_SIZE": "100"},
    "messaging": {"MICRO_BATCH": "25", "SEND_CONCURRENCY": "50"},
}

Times = Mapping[str, Mapping[str, str]]


def _named(times: Times) -> Times:
    return {
        service: {f"{service.upper()}_{name}": value for name, value in own.items()}
        for service, own in times.items()
    }


FIFTH: Final = _named(
    {service: {**_SHARED, **own, **_SIZES.get(service, {})} for service, own in _FIFTH.items()}
)
# What is not about recovery, and lasts a day: how long a message may be without its last word.
_DAYS: Final = {
    "outbound": {"MESSAGE_HORIZON_SECONDS": "30", "MESSAGE_UNHEARD_SECONDS": "240"},
    "messaging": {"IN_DOUBT_HORIZON": "60"},
}
UNSCALED: Final = _named({name: {**own, **_DAYS[name]} for name, own in _SIZES.items()})
SANDBOX: Final = {
    "SANDBOX_BODY_TIMEOUT": "1.5",
    "SANDBOX_MIX": "answered=30,machine=5,busy=30,no-answer=25,failed=10",
}
SPEED: Final = 200.0
