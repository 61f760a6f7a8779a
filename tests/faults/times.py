"""The protocol's constants at about a tenth, so that what takes half a minute takes seconds."""

from __future__ import annotations

from typing import Final

LEASE: Final = 3.0

_SHARED: Final = {"RELAY_LEASE": "2", "SCHEDULER_LEASE": "3"}

_TIMES: Final = {
    "api": {},
    "outbound": {
        "LEASE_SECONDS": f"{LEASE:g}",
        "RENEW_SECONDS": "0.8",
        "MARGIN_SECONDS": "0.8",
        "SEND_DEADLINE_SECONDS": "1",
        "ANSWER_SECONDS": "1",
        # The provider waits for a body for as long as SANDBOX says; lists tell at once.
        "GRACE_SECONDS": "2",
        "CALL_POLL_SECONDS": "2",
        "SWEEP_SECONDS": "0.5",
        "CLAIM_SIZE": "8",
        "MICRO_BATCH": "6",
        "CONCURRENCY": "16",
        "IN_DOUBT_HORIZON_SECONDS": "30",
        "CALL_MARGIN_SECONDS": "10",
        "MESSAGE_HORIZON_SECONDS": "4",
        "MESSAGE_UNHEARD_SECONDS": "60",
    },
    "messaging": {
        "LEASE": f"{LEASE:g}",
        "SEND_DEADLINE": "1",
        "ANSWER_TIMEOUT": "1",
        "SWEEP_EVERY": "0.5",
        "IN_DOUBT_HORIZON": "3",
        "MICRO_BATCH": "6",
    },
    "recordings": {
        "LEASE": f"{LEASE:g}",
        "RENEW_EVERY": "0.8",
        "READ_TIMEOUT": "3",
        "FETCH_DEADLINE": "10",
    },
}

# What each service is told, by the names that its settings have.
TIMES: Final = {
    service: {f"{service.upper()}_{name}": value for name, value in {**_SHARED, **own}.items()}
    for service, own in _TIMES.items()
}

SANDBOX: Final = {
    "SANDBOX_BODY_TIMEOUT": "0.7",
    "SANDBOX_MIX": "answered=55,machine=5,busy=20,no-answer=15,failed=5",
}
SPEED: Final = 200.0
