"""The protocol's models have the verdicts that are expected of them; each mutant fails, and why."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.models.checking import LONG_SECONDS, SECONDS, search, verdict
from tests.models.variants import VARIANTS, Variant

from trunkline_dev.checkout import checkout_root
from trunkline_dev.servers.packages import NoPackages
from trunkline_dev.spin import find_spin

pytestmark = pytest.mark.timeout(2 * SECONDS)

ALL = os.environ.get("MODELS") == "all"
LONG = (
    pytest.mark.skipif(not ALL, reason="a long search: `make models MODELS=all`"),
    pytest.mark.timeout(2 * LONG_SECONDS),
)

COMPLETE = """
State-vector 76 byte, depth reached 54, errors: 0
      228 states, stored
pan: elapsed time 0.02 seconds
"""
STOPPED = """
pan:1: assertion violated ((stuck||(rs==9))||(rs==10)) (at depth 55)
Warning: Search not completed
State-vector 76 byte, depth reached 54, errors: 1
      149 states, stored
pan: elapsed time 0.01 seconds
"""


@pytest.fixture(scope="session")
def spin() -> str:
    """The model checker; without one, one line says what to provide."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc here: install it to check the models")
    try:
        return str(find_spin(checkout_root() / ".local" / "spin"))
    except NoPackages as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize(
    "variant",
    [pytest.param(v, id=str(v), marks=LONG if v.long else ()) for v in VARIANTS],
)
def test_a_variant_has_its_verdict(variant: Variant, spin: str, tmp_path: Path) -> None:
    found = search(spin, variant, tmp_path)

    assert found.oracle == variant.oracle
    if variant.oracle is None:
        assert found.states == variant.states


def test_an_oracle_is_known_by_its_name() -> None:
    assert verdict(STOPPED).oracle == "stuck"
    assert verdict(COMPLETE).oracle is None


@pytest.mark.parametrize(
    "said",
    [
        "",
        COMPLETE.replace("errors: 0", "errors: 1"),
        COMPLETE + "Warning: Search not completed",
        COMPLETE + "error: max search depth too small",
        "pan: reached -DMEMLIM bound",
    ],
    ids=["silent", "another error", "out of memory", "too deep", "no count"],
)
def test_a_search_that_was_cut_short_is_no_verdict(said: str) -> None:
    with pytest.raises(ValueError, match="the search"):
        verdict(said)
