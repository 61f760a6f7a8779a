"""What is committed while the relay is busy leaves with the next batch; no lease has to run out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tests.integration.common.parts import declared, progressed, unsent

from trunkline_common.broker.publisher import Publisher, PublishLink
from trunkline_common.broker.relay import Gone, Relay
from trunkline_common.db import Database, outbox, transaction
from trunkline_common.db.outbox import Fact
from trunkline_common.testing import Broker

pytestmark = pytest.mark.broker


async def say(database: Database, run_id: str) -> None:
    async with transaction(database) as session:
        await outbox.add(session, Fact(progressed(run_id), "biz_1", "cor_1"))


class Interrupted(Relay):
    """A relay beside whose first batch another fact is committed."""

    meanwhile: Database | None = None

    async def _publish(self, publisher: Publisher, rows: Sequence[Any]) -> list[Gone]:
        if self.meanwhile is not None:
            await say(self.meanwhile, "run_meanwhile")
            self.meanwhile = None
        return await super()._publish(publisher, rows)


async def test_what_comes_while_a_batch_leaves_is_not_kept_for_a_lease(
    database: Database, broker: Broker
) -> None:
    await declared(broker)
    await say(database, "run_before")
    async with PublishLink(broker.url, "tests:relay") as link:
        relay = Interrupted(database, link, "outbound")
        relay.meanwhile = database
        assert await relay.tick()
    assert await unsent(database) == 0
