"""RabbitMQ's management API, for what AMQP cannot ask or say: users, bindings, connections.

Blocking, and only for commands and tests: no service needs it to run.
"""

from __future__ import annotations

import base64
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from trunkline_common.broker.connect import BrokerLost
from trunkline_common.contracts import OWNED
from trunkline_common.topology import (
    DEAD_EXCHANGE,
    QUEUES,
    SERVICES,
    UNROUTED_EXCHANGE,
    Binding,
    Queue,
    bindings,
    exchange_of,
    hints_of,
    layout,
    queues_of,
)

CALL_SECONDS: Final = 10


class Management:
    """One broker's management API, as an administrator. The URL carries user and password."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"}:
            raise ValueError("a management URL begins with http:// or https://")
        host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        self._api = f"{parts.scheme}://{host}{parts.path.rstrip('/')}/api"
        login = f"{parts.username or 'guest'}:{parts.password or 'guest'}"
        self._login = base64.b64encode(login.encode()).decode()

    def call(self, method: str, *path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One request; its JSON answer, or None where there is none or the thing is not there."""
        request = urllib.request.Request(  # noqa: S310 - the scheme was looked at
            "/".join((self._api, *(quote(part, safe="") for part in path))),
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Basic {self._login}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:  # noqa: S310
                raw = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode("utf-8", "replace")[:300]
            if error.code == 404:
                return None
            raise BrokerLost(f"{method} {'/'.join(path)}: {error.code} {said}") from None
        except OSError as error:
            raise BrokerLost(f"{method} {'/'.join(path)}: {error}") from error
        return json.loads(raw) if raw else None


def create_users(management_url: str, vhost: str, passwords: Mapping[str, str]) -> None:
    """One broker user per service, who writes to its own exchange and reads its own queues.

    `passwords` names each service. Topic permissions hold it to the events it owns.
    """
    management = Management(management_url)
    for service in SERVICES:
        user = user_of(service)
        management.call("PUT", "users", user, body={"password": passwords[service], "tags": ""})
        management.call("PUT", "permissions", vhost, user, body=permissions_of(service))
        management.call(
            "PUT",
            "topic-permissions",
            vhost,
            user,
            body={
                "exchange": exchange_of(service),
                "write": rf"^[^.]+\.({_any_of(event.name for event in OWNED[service])})$",
                "read": ".*",
            },
        )


def user_of(service: str) -> str:
    """The broker user of a service."""
    return f"trunkline-{service}"


def permissions_of(service: str) -> dict[str, str]:
    """What a service may declare again (its check for drift), write to, and read from."""
    own = rf"{re.escape(service)}\..+|{_any_of((exchange_of(service), hints_of(service)))}"
    heard = {exchange for queue in queues_of(service) for exchange, _ in bindings(queue)}
    shared = _any_of((DEAD_EXCHANGE, UNROUTED_EXCHANGE))
    return {
        "configure": rf"^({own}|amq\.gen.*)$",
        "write": rf"^({own}|amq\.gen.*|amq\.default|{shared})$",
        "read": rf"^({own}|amq\.gen.*|{_any_of(sorted({*heard, DEAD_EXCHANGE}))})$",
    }


def _any_of(names: Any) -> str:
    return "|".join(re.escape(name) for name in names)


def binding_drift(
    management_url: str, vhost: str, queues: tuple[Queue, ...] = QUEUES
) -> tuple[list[Binding], list[Binding]]:
    """(missing, unexpected) bindings of our queues: what AMQP itself cannot be asked."""
    wanted = set(layout(queues).bindings)
    ours = {queue.name for queue in layout(queues).queues}
    rows = Management(management_url).call("GET", "bindings", vhost) or []
    actual = {
        Binding(row["source"], row["destination"], row["routing_key"])
        for row in rows
        if row["destination_type"] == "queue" and row["source"] and row["destination"] in ours
    }

    return sorted(wanted - actual), sorted(actual - wanted)
