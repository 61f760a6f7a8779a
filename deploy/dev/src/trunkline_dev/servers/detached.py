"""Run as a script: starts one server in a session of its own, prints its pid, and is gone.

The server becomes a child of init, so no zombie and no open handle stays with who started it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Start what standard input orders, as JSON."""
    order = json.load(sys.stdin)
    with Path(order["log"]).open("ab") as log:
        server = subprocess.Popen(  # the command is our own
            order["command"],
            cwd=order["folder"],
            env=order["environment"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=order["uid"],
            group=order["gid"],
            extra_groups=None if order["uid"] is None else [],
        )
    sys.stdout.write(str(server.pid))
    sys.stdout.flush()
    os._exit(0)  # without waiting for the server, and without the warning that nobody did


if __name__ == "__main__":
    main()
