"""Numbers as people write them."""

from __future__ import annotations

import pytest

from trunkline_api.domain.phones import Dialable, Unusable, clean, mask, normalise


@pytest.mark.parametrize(
    ("raw", "country", "address"),
    [
        ("+1 202 555 0123", None, "+12025550123"),
        ("(202) 555-0123", "US", "+12025550123"),
        ("1-800-FLOWERS", "US", "+18003569377"),
        ("tel:+1-202-555-0123", "DE", "+12025550123"),
        ("whatsapp:+4915112345678", "US", "+4915112345678"),
        ("0171 1234567", "DE", "+491711234567"),
        ("0049 (0)171 1234567", "DE", "+491711234567"),
        ("00 44 7911 123456", "US", "+447911123456"),
        ("+44 (0)7911 123456", "US", "+447911123456"),
        ("'+4915112345678", "US", "+4915112345678"),
        ('="+4915112345678"', "US", "+4915112345678"),
        ("4915112345678.0", "DE", "+4915112345678"),
        ("4.915112345678E+12", "DE", "+4915112345678"),
        ("\u202a+4915112345678\u202c", "US", "+4915112345678"),
        ("\u00a0+49\u00a0151\u00a012345678 ", "US", "+4915112345678"),
        ("＋４９１５１１２３４５６７８", "US", "+4915112345678"),
        ("٠٥٢٢٣٤٥٦٧٨", "IL", "+972522345678"),
        ("۰۹۱۲۳۴۵۶۷۸۹", "IR", "+989123456789"),
        ("052-234-5678", "IL", "+972522345678"),
        ("+972 052-234-5678", "US", "+972522345678"),
        ("(11) 98765-4321", "BR", "+5511987654321"),
        ("+55 11 98765-4321", "US", "+5511987654321"),
        ("55 99123-4567", "BR", "+5555991234567"),
        ("+52 1 55 1234 5678", "US", "+525512345678"),
        ("+52 55 1234 5678", "US", "+525512345678"),
        ("+54 9 11 2345-6789", "US", "+5491123456789"),
        ("06 1234 5678", "IT", "+390612345678"),
        ("333 123 4567", "IT", "+393331234567"),
        ("8 (912) 345-67-89", "RU", "+79123456789"),
        ("9876543210", "IN", "+919876543210"),
        ("9198765432", "IN", "+919198765432"),
    ],
)
def test_a_number_becomes_e164(raw: str, country: str | None, address: str) -> None:
    read = normalise(raw, country)
    assert isinstance(read, Dialable), read
    assert read.address == address


@pytest.mark.parametrize(
    ("raw", "country", "reason"),
    [
        ("", "DE", "missing_number"),
        ("  \u200e ", "DE", "missing_number"),
        ("N/A", "DE", "missing_number"),
        ("-", "DE", "missing_number"),
        ("call the office", "DE", "not_a_number"),
        ("4.91511E+12", "DE", "damaged_by_spreadsheet"),
        ("4,9151E+12", "DE", "damaged_by_spreadsheet"),
        ("0171 1234567", None, "unknown_country"),
        ("12", "US", "too_short"),
        ("+1 202", None, "too_short"),
        ("+1 202 555 01234 5678 9", None, "too_long"),
        ("0" * 200, "DE", "too_long"),
        ("+1 202 055 0123", None, "invalid_number"),
        ("+999 123 456 789", None, "invalid_number"),
        ("+55 11 8765-4321", None, "invalid_number"),  # the ninth digit is not guessed
        ("492112345", "DE", "ambiguous_number"),  # Emden without its 0, or Düsseldorf without its +
        ("112", "DE", "short_code"),
        ("911", "US", "short_code"),
        ("202-555-0123 ext. 5", "US", "extension_not_supported"),
        ("1-900-555-0123", "US", "premium_number"),
    ],
)
def test_a_number_that_cannot_be_called_says_why(
    raw: str, country: str | None, reason: str
) -> None:
    assert normalise(raw, country) == Unusable(reason)  # type: ignore[arg-type]


def test_a_lost_plus_does_not_call_a_stranger() -> None:
    """Read as a national number, this German mobile is somebody in area 04915."""
    read = normalise("4915112345678", "DE")
    assert isinstance(read, Dialable)
    assert read.address == "+4915112345678"


def test_reading_a_number_again_changes_nothing() -> None:
    for raw, country in [("0171 1234567", "DE"), ("(11) 98765-4321", "BR"), ("06 12345678", "IT")]:
        once = normalise(raw, country)
        assert isinstance(once, Dialable)
        assert normalise(once.address, "US") == once


def test_a_masked_value_shows_two_digits() -> None:
    assert mask("+49 171 1234567") == "+•• ••• •••••67"
    assert mask("call me") == "call me"
    assert len(mask("x" * 500)) == 40
    assert clean("\u2068'+49\u2069") == "+49"
