"""Each rule is seen to fail on what it forbids, and to let the like of it pass."""

from __future__ import annotations

import ast

import pytest
from tests.architecture import rules
from tests.architecture.rules import Rule, is_vaguely_named

LONG = "\n".join(f"    step({number})" for number in range(41))
HANDLER = "async def on_x(session, envelope):\n    '''One.'''\n" + "\n".join(
    "    session.one()" for _ in range(16)
)

BITES: list[tuple[Rule, str]] = [
    (rules.ends_a_transaction, "await session.commit()"),
    (rules.ends_a_transaction, "async with engine.begin() as connection: pass"),
    (rules.names_the_fabric, "queue = 'outbound.control'"),
    (rules.names_the_fabric, "exchange = f'trunkline.hints.{service}'"),
    (rules.names_the_fabric, "bind('trunkline.dead')"),
    (rules.cuts_a_name, "business = message.routing_key.split('.')[0]"),
    (rules.cuts_a_name, "version = event.name.rpartition('.')[2]"),
    (rules.asks_clock_or_dice, "at = datetime.now(UTC)"),
    (rules.asks_clock_or_dice, "import random"),
    (rules.asks_clock_or_dice, "from secrets import token_hex"),
    (rules.asks_clock_or_dice, "key = uuid4()"),
    (rules.awaits_the_world, "async def on_x(session): await http.post('/calls')"),
    (rules.awaits_the_world, "async def on_x(session): await store.add(database, 1)"),
    (rules.has_a_long_handler, HANDLER),
    (rules.has_a_long_function, f"def long():\n{LONG}"),
    (rules.has_a_vague_class, "class ClaimManager: pass"),
    (rules.has_no_sentence, "x = 1"),
    (rules.doubles_or_sleeps, "await asyncio.sleep(1)"),
    (rules.doubles_or_sleeps, "from unittest.mock import MagicMock"),
    (rules.doubles_or_sleeps, "monkeypatch.setattr(module, 'name', 1)"),
    (rules.doubles_or_sleeps, "def test(mocker): mocker.patch('x')"),
    (rules.logs_a_number, "log.info('call.dialled', extra={'to': call.to_number})"),
    (rules.starts_a_span, "with tracer.start_as_current_span('POST Calls'): pass"),
    (rules.starts_a_span, "span.record_exception(error)"),
    (rules.logs_a_sentence, "log.info(f'dialled {call}')"),
    (rules.logs_a_sentence, "log.info('A call was dialled')"),
]

PASSES: list[tuple[Rule, str]] = [
    (rules.ends_a_transaction, "async with transaction(database) as session: pass"),
    (rules.ends_a_transaction, "await savepoint.commit()"),
    (rules.names_the_fabric, "'''Hears outbound.control.'''\nqueue = topology.OUTBOUND_CONTROL"),
    (rules.cuts_a_name, "scheme = url.split(':')[0]"),
    (rules.asks_clock_or_dice, "def due(now): return now > opens"),
    (rules.awaits_the_world, "async def on_x(session): await store.add(session, 1)"),
    (rules.has_a_long_function, "def short():\n    return 1"),
    (rules.has_a_vague_class, "class Baseline: pass"),
    (rules.has_no_sentence, "'''Where it is.'''\nx = 1"),
    (rules.doubles_or_sleeps, "monkeypatch.setenv('A', 'b')\nawait eventually(fact)"),
    (rules.logs_a_number, "log.info('call.dialled', extra={'to': redact(call.to_number)})"),
    (rules.starts_a_span, "with current_span('POST Calls'): note_error(span, error)"),
    (rules.logs_a_sentence, "log.info('call.dialled', extra={'attempt': 1})"),
]


@pytest.mark.parametrize(("rule", "snippet"), BITES)
def test_a_rule_sees_what_it_forbids(rule: Rule, snippet: str) -> None:
    assert list(rule(ast.parse(snippet)))


@pytest.mark.parametrize(("rule", "snippet"), PASSES)
def test_a_rule_lets_its_like_pass(rule: Rule, snippet: str) -> None:
    assert not list(rule(ast.parse(snippet)))


@pytest.mark.parametrize("name", ["claim_utils", "CoreStore", "db_helpers", "BaseLoop"])
def test_a_vague_name_is_seen(name: str) -> None:
    assert is_vaguely_named(name)


@pytest.mark.parametrize("name", ["database", "baseline", "helped", "scores", "Managed"])
def test_a_word_inside_another_is_no_vague_name(name: str) -> None:
    assert not is_vaguely_named(name)
