"""A sandbox as a child process on a free port, for tests and for the local stack."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READY_WITHIN = 30.0
GONE_WITHIN = 10.0


class SandboxDidNotStartError(Exception):
    """The child ended, or said nothing, before it told its address."""


@contextmanager
def running_sandbox(log: Path, **settings: object) -> Iterator[str]:
    """Run `serve` with these settings until the block ends; yields its address."""
    given = {f"SANDBOX_{name.upper()}": str(value) for name, value in settings.items()}
    environment = {**os.environ, "SANDBOX_HOST": "127.0.0.1", "SANDBOX_PORT": "0", **given}
    child = subprocess.Popen(
        [sys.executable, "-m", "trunkline_sandbox", "serve", "--log", str(log)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        yield _address(child)
    finally:
        child.terminate()
        try:
            child.wait(GONE_WITHIN)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _address(child: "subprocess.Popen[bytes]") -> str:
    """The first line that the child says."""
    deadline = time.monotonic() + READY_WITHIN
    line = b""
    while child.stdout is not None and not line.endswith(b"\n"):
        ready, _, _ = select.select([child.stdout], [], [], max(deadline - time.monotonic(), 0.0))
        piece = os.read(child.stdout.fileno(), 4096) if ready else b""
        if not piece:
            raise SandboxDidNotStartError(f"no address within {READY_WITHIN:g} s")
        line += piece
    return str(json.loads(line)["listening"])
