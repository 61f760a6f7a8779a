"""The rules of the house that no linter ships, asked of every module."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.architecture import rules
from tests.architecture.rules import Rule
from tests.architecture.sources import ROOT, modules_of_tests, programs, shown, tree

FILE_LINES = 300

# `migrate` is no use case: alembic's steps and their version row are one transaction of its own.
COMMITTERS = {
    "libs/common/src/trunkline_common/db/transaction.py",
    "libs/common/src/trunkline_common/db/migrate.py",
}
FABRIC = "libs/common/src/trunkline_common/topology.py"
SPANS = "libs/common/src/trunkline_common/telemetry/traces.py"


def _services() -> list[Path]:
    folders = (ROOT / "libs", ROOT / "services")
    return [path for path in programs() if any(path.is_relative_to(f) for f in folders)]


def _broken(rule: Rule, paths: list[Path]) -> list[str]:
    return [f"{shown(path)} {fault}" for path in paths for fault in rule(tree(path))]


def test_only_transaction_commits() -> None:
    paths = [path for path in _services() if shown(path) not in COMMITTERS]

    assert not _broken(rules.ends_a_transaction, paths)


def test_queues_and_exchanges_are_named_in_topology_only() -> None:
    paths = [path for path in programs() if shown(path) != FABRIC]

    assert not _broken(rules.names_the_fabric, paths)


def test_keys_and_event_names_are_never_parsed() -> None:
    assert not _broken(rules.cuts_a_name, list(programs()))


def test_a_domain_asks_neither_clock_nor_dice() -> None:
    domains = [path for path in programs() if "domain" in path.parts]

    assert domains
    assert not _broken(rules.asks_clock_or_dice, domains)


def test_no_phone_number_reaches_a_log_by_its_name() -> None:
    assert not _broken(rules.logs_a_number, list(programs()))


def test_a_block_becomes_a_span_where_exceptions_are_redacted() -> None:
    paths = [path for path in programs() if shown(path) != SPANS]

    assert not _broken(rules.starts_a_span, paths)


def test_a_log_line_is_a_fixed_name_and_fields() -> None:
    assert not _broken(rules.logs_a_sentence, list(programs()))


def test_functions_stop_at_forty_lines() -> None:
    assert not _broken(rules.has_a_long_function, [*programs(), *modules_of_tests()])


def test_files_stop_at_three_hundred_lines() -> None:
    sizes = {shown(p): len(p.read_text().splitlines()) for p in (*programs(), *modules_of_tests())}

    assert not {name: lines for name, lines in sizes.items() if lines > FILE_LINES}


def test_a_module_opens_with_the_sentence_that_places_it() -> None:
    paths = [path for path in (*programs(), *modules_of_tests()) if "versions" not in path.parts]

    assert not _broken(rules.has_no_sentence, paths)


def test_classes_are_named_for_what_they_are() -> None:
    assert not _broken(rules.has_a_vague_class, [*programs(), *modules_of_tests()])


def test_files_are_named_for_what_they_hold() -> None:
    vague = [
        shown(path)
        for path in programs()
        if any(
            rules.is_vaguely_named(part)
            for part in path.with_suffix("").parts[len(ROOT.parts) :]
            if part not in {"libs", "common", "trunkline_common"}
        )
    ]

    assert not vague


@pytest.mark.parametrize("path", modules_of_tests(), ids=shown)
def test_tests_neither_double_nor_sleep(path: Path) -> None:
    assert not list(rules.doubles_or_sleeps(tree(path)))
