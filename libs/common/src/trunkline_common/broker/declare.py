"""The command that declares everything. Nobody imports it: Python would warn of running it twice.

`python -m trunkline_common.broker.declare AMQP_URL`
"""

from __future__ import annotations

import asyncio
import sys

from trunkline_common.broker.connect import BrokerLost
from trunkline_common.broker.declaring import COMMAND, Drift, declare


def main(argv: list[str]) -> int:
    """Declare everything on the broker of this URL."""
    if len(argv) != 1:
        sys.stderr.write(f"usage: {COMMAND}\n")
        return 2
    try:
        asyncio.run(declare(argv[0]))
    except (Drift, BrokerLost) as error:
        sys.stderr.write(f"topology: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
