"""Free ports on loopback, for servers that bind them a few seconds later."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"

# Below the range that Linux and macOS hand to outgoing connections: a port from that range could
# be taken by any client between the moment it is chosen here and the moment a server binds it.
_LOWEST, _HIGHEST = 20_000, 32_000
_TRIES = 500


def free_ports(count: int) -> list[int]:
    """As many different ports as asked for, each free at this moment."""
    held: list[socket.socket] = []
    try:
        for _ in range(_TRIES):
            if len(held) == count:
                break
            candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                candidate.bind((LOOPBACK, random.randint(_LOWEST, _HIGHEST)))  # noqa: S311
            except OSError:
                candidate.close()
            else:
                held.append(candidate)
        if len(held) < count:
            raise OSError(f"no {count} free ports between {_LOWEST} and {_HIGHEST}")
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()
