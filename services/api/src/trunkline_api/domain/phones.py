"""A number as a person wrote it becomes E.164, or a reason why it cannot be called."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType, shortnumberinfo

Reason = Literal[
    "missing_number",
    "not_a_number",
    "damaged_by_spreadsheet",
    "unknown_country",
    "too_short",
    "too_long",
    "invalid_number",
    "ambiguous_number",
    "short_code",
    "extension_not_supported",
    "premium_number",
]

MASKED_LENGTH: Final = 40
_SHOWN_DIGITS: Final = 2

_LONGEST: Final = 80  # characters; nothing longer is a number, and parsing it costs time
_FORMULA: Final = re.compile(r'^="?(.*?)"?$')
_SCHEME: Final = re.compile(r"^(?:tel|callto|sms|whatsapp):(?://)?", re.IGNORECASE)
_DECIMAL: Final = re.compile(r"^(\+?\d{6,})[.,]0+$")
_SCIENTIFIC: Final = re.compile(r"^\+?(\d)[.,](\d+)[eE]\+?(\d{1,2})$")
_NOTHING: Final = frozenset({"", "-", "--", "n/a", "na", "none", "null", "nil", "nan", "#n/a"})
_MEXICAN_MOBILE: Final = re.compile(r"^1(\d{10})$")


@dataclass(frozen=True, slots=True)
class Dialable:
    """A number that may be called: its E.164 form and the country that it belongs to."""

    address: str
    country: str | None


@dataclass(frozen=True, slots=True)
class Unusable:
    """A number that may not, and why."""

    reason: Reason


def normalise(raw: str, country: str | None) -> Dialable | Unusable:
    """Read a number; `country` (alpha-2) says how a national form is meant."""
    text = clean(raw)
    if text.casefold() in _NOTHING:
        return Unusable("missing_number")
    if len(text) > _LONGEST:
        return Unusable("too_long")
    recovered = _whole(text)
    if recovered is None:
        return Unusable("damaged_by_spreadsheet")
    try:
        number = _parse(recovered, country)
    except NumberParseException as error:
        return Unusable(_why(error, recovered))
    if number is None:
        return Unusable("ambiguous_number")
    return _judge(number, country)


def clean(raw: str) -> str:
    """Without what copying and spreadsheets add: direction marks, quotes, formulas, schemes."""
    folded = unicodedata.normalize("NFKC", raw)
    visible = "".join(c for c in folded if unicodedata.category(c) not in {"Cf", "Cc"})
    text = visible.strip().lstrip("'`’‘").strip()
    formula = _FORMULA.match(text)
    text = formula.group(1) if formula else text
    return _SCHEME.sub("", text).strip().strip("\"'").strip()


def mask(raw: str) -> str:
    """The value as it may be shown: all digits but the last two are hidden."""
    text = clean(raw)[:MASKED_LENGTH]
    hidden = sum(c.isdigit() for c in text) - _SHOWN_DIGITS
    shown = []
    for character in text:
        if character.isdigit():
            shown.append("•" if hidden > 0 else character)
            hidden -= 1
        else:
            shown.append(character)
    return "".join(shown)


def _whole(text: str) -> str | None:
    """Undo what a spreadsheet did to a long number, or None where digits are gone for good."""
    decimal = _DECIMAL.match(text)
    if decimal:
        return decimal.group(1)
    scientific = _SCIENTIFIC.match(text)
    if not scientific:
        return text
    first, rest, exponent = scientific.groups()
    # 4.47911123456E+11 still has every digit; 4.47911E+11 has lost the last six.
    return first + rest if len(rest) == int(exponent) else None


def _parse(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    """The number meant, or None where it could be two different people's."""
    number = phonenumbers.parse(text, country)
    if text.startswith("+"):
        return _without_old_mexican_one(number)
    digits = re.sub(r"\D", "", text)
    if phonenumbers.is_valid_number(number):
        return _unless_plus_was_lost(number, digits)
    if digits.startswith("00"):
        # "00" is the international prefix nearly everywhere, also where it is not the national one.
        return _without_old_mexican_one(phonenumbers.parse("+" + digits[2:], None))
    return number


def _unless_plus_was_lost(
    number: phonenumbers.PhoneNumber, digits: str
) -> phonenumbers.PhoneNumber | None:
    """Tell 4915112345678 with its + lost from a German number whose area code begins with 49.

    Spreadsheets eat the plus, and libphonenumber then reads the whole as a national number: a
    stranger's. A mobile number is believed; of two numbers that are as likely neither is called.
    """
    if not digits.startswith(str(number.country_code)):
        return number
    other = phonenumbers.parse("+" + digits, None)
    if other == number or not phonenumbers.is_valid_number(other):
        return number
    if _is_mobile(other) == _is_mobile(number):
        return None
    return other if _is_mobile(other) else number


def _is_mobile(number: phonenumbers.PhoneNumber) -> bool:
    return phonenumbers.number_type(number) == PhoneNumberType.MOBILE


def _without_old_mexican_one(number: phonenumbers.PhoneNumber) -> phonenumbers.PhoneNumber:
    """Mexico gave up the 1 after +52 in 2019, yet address books are full of it."""
    if number.country_code != 52:  # Mexico's calling code
        return number
    old = _MEXICAN_MOBILE.match(str(number.national_number))
    if old is None:
        return number
    return phonenumbers.PhoneNumber(country_code=52, national_number=int(old.group(1)))


def _why(error: NumberParseException, text: str) -> Reason:
    match error.error_type:
        case NumberParseException.INVALID_COUNTRY_CODE:
            return "invalid_number" if text.startswith("+") else "unknown_country"
        case NumberParseException.TOO_LONG:
            return "too_long"
        case NumberParseException.TOO_SHORT_NSN | NumberParseException.TOO_SHORT_AFTER_IDD:
            return "too_short"
        case _:
            return "not_a_number"


def _judge(number: phonenumbers.PhoneNumber, country: str | None) -> Dialable | Unusable:
    if number.extension:
        return Unusable("extension_not_supported")
    if not phonenumbers.is_valid_number(number):
        return Unusable(_why_invalid(number, country))
    if phonenumbers.number_type(number) == PhoneNumberType.PREMIUM_RATE:
        return Unusable("premium_number")
    address = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Dialable(address, phonenumbers.region_code_for_number(number))


def _why_invalid(number: phonenumbers.PhoneNumber, country: str | None) -> Reason:
    if country and shortnumberinfo.is_valid_short_number_for_region(number, country):
        return "short_code"
    match phonenumbers.is_possible_number_with_reason(number):
        case phonenumbers.ValidationResult.TOO_SHORT:
            return "too_short"
        case phonenumbers.ValidationResult.TOO_LONG:
            return "too_long"
        case _:
            return "invalid_number"
