"""Routes are looked through one after the other: what comes most often must come first."""

from __future__ import annotations

from trunkline_api.routes import routers


def test_callbacks_do_not_pass_the_public_api_first() -> None:
    assert routers()[0].prefix == "/callbacks"
