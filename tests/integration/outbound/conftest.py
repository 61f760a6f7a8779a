"""Outbound's stage, on the worker's own database."""

from __future__ import annotations

import pytest
from tests.integration.outbound.scene import Scene

from trunkline_common.db import Database


@pytest.fixture
async def scene(outbound_database: Database) -> Scene:
    """A business with an open voice channel."""
    stage = Scene(outbound_database)
    await stage.open_channel()
    return stage
