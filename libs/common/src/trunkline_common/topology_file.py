"""The whole fabric as one JSON file, so that a change of it is a line in review.

`python -m trunkline_common.topology_file deploy/topology.json` writes it; a test keeps it current.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from trunkline_common.topology import QUEUES, layout, owner_of


def document() -> dict[str, Any]:
    """Who hears what, and every object that the broker is told to have."""
    whole = layout()
    return {
        "lanes": [
            {
                "queue": queue.name,
                "service": queue.service,
                "hears": [f"{owner_of(event)}: {event.name}" for event in queue.hears],
                "retry_after_seconds": list(queue.retry_after),
                "prefetch": queue.prefetch,
            }
            for queue in QUEUES
        ],
        "exchanges": [
            {"name": exchange.name, "type": exchange.kind, "arguments": exchange.arguments}
            for exchange in whole.exchanges
        ],
        "queues": [{"name": queue.name, "arguments": queue.arguments} for queue in whole.queues],
        "bindings": [
            {"exchange": binding.exchange, "queue": binding.queue, "key": binding.key}
            for binding in whole.bindings
        ],
    }


def text() -> str:
    """The document as it is kept in the file."""
    return json.dumps(document(), indent=2) + "\n"


def main(argv: list[str]) -> int:
    """Write the file."""
    if len(argv) != 1:
        sys.stderr.write("usage: python -m trunkline_common.topology_file FILE\n")
        return 2
    Path(argv[0]).write_text(text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
