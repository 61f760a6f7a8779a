"""The docs' table of verdicts is the tests', and no mutant of a model goes without one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.architecture.sources import ROOT
from tests.models.variants import FOLDER, VARIANTS, table

DOCS = ROOT / "docs" / "models.md"
MODELS = sorted(FOLDER.glob("*.pml"))

_TESTED = re.compile(r"^\s*#\s*(?:ifn?def|(?:el)?if)\b(.*)$", re.MULTILINE)


def _flags(model: str) -> set[str]:
    mine = [variant.flags for variant in VARIANTS if variant.model == model]
    return {flag.partition("=")[0] for flags in mine for flag in flags.split()}


def test_the_docs_table_is_the_tests_data() -> None:
    assert table() in DOCS.read_text(), "run `python -m tests.models.variants`"


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_every_mutant_has_an_expected_verdict(path: Path) -> None:
    tested = " ".join(_TESTED.findall(path.read_text()))
    mutants = set(re.findall(r"\b[MK]_[A-Z]+\b", tested))

    assert mutants <= _flags(path.stem)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_every_flag_means_something_to_its_model(path: Path) -> None:
    known = set(re.findall(r"\b[A-Z][A-Z_]*\b", " ".join(_TESTED.findall(path.read_text()))))

    assert _flags(path.stem) <= known


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_every_oracle_is_seen_to_object(path: Path) -> None:
    named = set(re.findall(r"assert\((\w+) \|\|", path.read_text()))
    objected = {variant.oracle for variant in VARIANTS if variant.model == path.stem}

    assert named
    assert named <= objected
