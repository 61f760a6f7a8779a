"""Results written down late, or twice: they speak of their own request only."""

from __future__ import annotations

from tests.integration.messaging.scene import Scene

from trunkline_common.db import transaction
from trunkline_messaging.domain.answers import Result
from trunkline_messaging.intents import Draft, Terms, commit_intents
from trunkline_messaging.records import Recorded, record
from trunkline_messaging.store.channels import Channel, due_channels
from trunkline_messaging.store.messages import Message


async def granted(scene: Scene) -> tuple[Message, Channel]:
    """The right to send the one message that is due."""
    async with transaction(scene.database) as session:
        [channel] = await due_channels(session)
    terms = Terms(owner="w1", lease=30.0, deadline=10.0)
    intents = await commit_intents(scene.database, channel, wanted=1, terms=terms, draft=Draft())
    [message] = intents.granted
    return message, channel


async def test_a_result_that_comes_again_leaves_the_next_requests_address_closed(
    scene: Scene,
) -> None:
    """Found by the game: with the address open, two messages to it might fly side by side."""
    await scene.run_messages(1)
    first = Recorded(*await granted(scene), Result("not_sent", reason="withheld"))
    await record(scene.database, [first])
    assert await scene.open_sends() == 0
    await scene.change("UPDATE messages SET due_at = clock_timestamp()")
    message, channel = await granted(scene)
    await record(scene.database, [first])
    assert await scene.states() == {"sending": 1}
    assert await scene.open_sends() == 1
    await record(scene.database, [Recorded(message, channel, Result("accepted", "wamid.1"))])
    assert await scene.open_sends() == 0
