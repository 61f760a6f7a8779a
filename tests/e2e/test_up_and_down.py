"""`make up` starts a stack that answers, `make down` stops it: as a person types it."""

import re
import subprocess
from collections.abc import Iterator

import pytest

from trunkline_dev.checkout import checkout_root
from trunkline_dev.web import Web

pytestmark = pytest.mark.timeout(180)
UP_SECONDS = 120.0  # the servers are unpacked already, or `make test` could not run
DOWN_SECONDS = 45.0


def make(*words: str, within: float) -> subprocess.CompletedProcess[str]:
    """Run `make` on a stack of this test's own."""
    return subprocess.run(
        ["make", "--no-print-directory", *words, "INSTANCE=test-up"],
        cwd=checkout_root(),
        capture_output=True,
        text=True,
        check=False,
        timeout=within,
    )


@pytest.fixture
def up() -> Iterator[subprocess.CompletedProcess[str]]:
    """What `make up` said; whatever became of it is stopped."""
    make("down", within=DOWN_SECONDS)
    yield make("up", within=UP_SECONDS)
    make("down", within=DOWN_SECONDS)


def test_what_up_starts_answers_and_down_stops_it(up: subprocess.CompletedProcess[str]) -> None:
    assert up.returncode == 0, up.stdout + up.stderr
    address = re.search(r"API and its pages +(http://\S+)/docs", up.stdout)
    assert address
    api = Web(address[1])
    assert api.ask("GET", "/health/ready").status == 200
    assert api.ask("GET", "/openapi.json").status == 200
    assert "0 dead" in make("dead-letters", within=DOWN_SECONDS).stdout

    down = make("down", within=DOWN_SECONDS)
    assert (down.returncode, down.stdout) == (0, "stopped\n")
    with pytest.raises(OSError, match="refused"):
        api.ask("GET", "/health/ready")
    again = make("down", within=DOWN_SECONDS)
    assert (again.returncode, again.stdout) == (0, "was not running\n")
    gone = make("dead-letters", within=DOWN_SECONDS)
    assert gone.returncode == 2
    assert "nothing runs: start it with `make up`" in gone.stderr
