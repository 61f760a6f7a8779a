"""`make` alone lists every command, and hands words on as they were given."""

import re
import subprocess

import pytest

from trunkline_dev.checkout import checkout_root


def make(*words: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=checkout_root(),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout


def test_every_target_is_listed() -> None:
    makefile = (checkout_root() / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    assert phony
    listed = {word for line in make().splitlines() for word in line.split()}
    assert not set(phony[1].replace("\\", "").split()) - listed


@pytest.mark.parametrize(
    ("given", "handed_on"),
    [
        (["dead-letters"], "trunkline_dev dead-letters  list"),
        (["dead-letters", "DO=replay --id evt_1"], "trunkline_dev dead-letters  replay --id evt_1"),
        (["up", "INSTANCE=second"], "trunkline_dev up --instance second"),
    ],
)
def test_words_are_handed_on(given: list[str], handed_on: str) -> None:
    assert handed_on in make("--dry-run", *given)
