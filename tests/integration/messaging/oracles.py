"""What must never be seen of messages, whatever happened: asked after every step of the game."""

from __future__ import annotations

from collections import Counter
from typing import Final

from sqlalchemy import text
from tests.integration.messaging.game import Game

from trunkline_common.db import transaction

# Each selects what must not be there.
LAWS: Final = {
    "I1 an address is kept as long as somebody writes to it": """
SELECT coalesce(messages.attempt_id, open_sends.attempt_id)
  FROM (SELECT attempt_id FROM messages WHERE state = 'sending') AS messages
  FULL JOIN open_sends USING (attempt_id)
 WHERE messages.attempt_id IS NULL OR open_sends.attempt_id IS NULL""",
    "I1 one open attempt a message": """
SELECT message_id FROM attempts WHERE state IN ('intent', 'in_doubt')
 GROUP BY message_id HAVING count(*) > 1""",
    "I1 a message and its attempt agree": """
SELECT concat_ws(' ', messages.message_id, messages.state, attempts.state)
  FROM messages LEFT JOIN attempts USING (message_id, number)
 WHERE CASE messages.state WHEN 'sending' THEN 'intent' WHEN 'in_doubt' THEN 'in_doubt'
                           WHEN 'accepted' THEN 'accepted' END <> coalesce(attempts.state, '')""",
    "I1 an open attempt is that of its message": """
SELECT concat_ws(' ', attempt_id, attempts.state, messages.state)
  FROM attempts LEFT JOIN messages USING (attempt_id, number)
 WHERE attempts.state IN ('intent', 'in_doubt')
   AND messages.state IS DISTINCT FROM
       CASE attempts.state WHEN 'intent' THEN 'sending' ELSE 'in_doubt' END""",
    "I4 nothing of a cancelled run waits": """
SELECT message_id FROM messages JOIN run_gates USING (run_id)
 WHERE messages.state IN ('queued', 'waiting')""",
    "I7 every end is told once": """
SELECT concat_ws(' ', name, subject, count(*)) FROM outbox
 WHERE name IN ('message.accepted.v1', 'message.cancelled.v1', 'message.unknown.v1')
 GROUP BY name, subject HAVING count(*) > 1""",
    "I7 what was stopped was never sent": """
SELECT subject FROM outbox GROUP BY subject
HAVING count(*) FILTER (WHERE name = 'message.cancelled.v1') > 0
   AND count(*) FILTER (WHERE name = 'message.accepted.v1') > 0""",
}
_BROKEN: Final = text(
    " UNION ALL ".join(
        f"SELECT '{law}' AS law, what FROM ({sql}) AS broken (what)"  # noqa: S608 - written above
        for law, sql in LAWS.items()
    )
)


async def look(game: Game) -> None:
    """Fail with what is broken, if anything is."""
    async with transaction(game.database) as session:
        broken = [f"{row.law}: {row.what}" for row in await session.execute(_BROKEN)]
    twice = [a for a, n in Counter(a for a, _ in game.accepted).items() if n > 1]
    broken += [f"I1 {attempt_id} was accepted twice" for attempt_id in twice]
    for message in game.granted:
        if message.run_id in game.cancelled:
            broken.append(f"I4 {message.message_id} was granted after its run's cancel")
        if message.run_id and message.address in game.suppressed:
            broken.append(f"opt-out: {message.message_id} was granted to who had opted out")
    broken += [f"lanes: a broadcast went before {reply}" for reply in game.overtaken]
    broken += [f"lanes: a first pass went before {retry}" for retry in game.outrun]
    game.granted.clear()
    assert not broken, "\n".join(broken)


async def look_at_rest(game: Game) -> None:
    """Everything has ended, as the witness saw it."""
    await look(game)
    rows = await game.scene.rows("SELECT attempt_id, state FROM messages")
    states: dict[str, str] = dict(rows)
    stopped = [a for a, _ in game.accepted if states[a] in ("cancelled", "failed")]
    made = {attempt_id for attempt_id, _ in game.accepted}
    claimed = [a for a, state in states.items() if state == "accepted" and a not in made]
    assert (stopped, claimed) == ([], [])
