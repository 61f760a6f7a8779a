"""Values of suppressions: one form for each, and a reason where there is none."""

from __future__ import annotations

import pytest

from trunkline_api.domain.suppressions import Misread, read_value
from trunkline_common.contracts.suppressions import SuppressionKind

# Fixed: workers that run tests side by side must collect the same ones.
CONTACT_ID = "con_01m8787twse2xvs0megd6r4z30"


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("address", "0171 1234567", "+491711234567"),
        ("address", "+49 171 1234567", "+491711234567"),
        ("prefix", "+4990", "+4990"),
        ("prefix", "+49 (90)*", "+4990"),
        ("prefix", "+4", "+4"),
        ("contact", CONTACT_ID, CONTACT_ID),
    ],
)
def test_one_form(kind: SuppressionKind, raw: str, value: str) -> None:
    assert read_value(kind, raw, "DE") == value


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("address", "12"),
        ("address", "+4990*"),
        ("prefix", "+"),
        ("prefix", "*"),
        ("prefix", "+*"),
        ("prefix", "4990"),
        ("prefix", "0049"),
        ("prefix", "+0"),
        ("prefix", "+49*90"),
        ("prefix", "+49**"),
        ("prefix", "+1234567890123456"),
        ("contact", "+491711234567"),
        ("contact", "run_01m8787twte92sssjdmb5b84t6"),
    ],
)
def test_no_form(kind: SuppressionKind, raw: str) -> None:
    assert isinstance(read_value(kind, raw, "DE"), Misread)
