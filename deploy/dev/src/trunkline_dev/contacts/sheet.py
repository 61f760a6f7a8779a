"""The demo's CSV, made from a seed: the same bytes every time."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from random import Random
from typing import Final

from trunkline_dev.contacts.people import COUNTRIES, NOTES, USELESS, Country

ROWS: Final = 1000
COLUMNS: Final = ("City", "Last purchase", "Customer", "Note", "Mobile", "Country", "E-mail")
_SEED: Final = 20_26
_DUPLICATES: Final = 34
_RAGGED: Final = 2
_TODAY: Final = date(2026, 3, 1)
_EASTERN: Final = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_WIDE: Final = str.maketrans("0123456789+-", "０１２３４５６７８９＋－")

Row = list[str]


def sheet() -> bytes:
    """The file as a spreadsheet saves it: semicolons, CRLF and a mark of UTF-8 at its beginning."""
    return _saved(_rows())


def shortened(content: bytes, rows: int) -> bytes:
    """Such a file with fewer rows, taken evenly from all of it."""
    text = content.decode("utf-8-sig")
    whole = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))[1:]
    return _saved([whole[at * len(whole) // rows] for at in range(rows)])


def _saved(rows: list[Row]) -> bytes:
    target = io.StringIO()
    csv.writer(target, delimiter=";", lineterminator="\r\n").writerows([list(COLUMNS), *rows])
    return "\ufeff".encode() + target.getvalue().encode()


def _rows() -> list[Row]:
    dice = Random(_SEED)  # noqa: S311  # the same file every time is the point
    useless = [_useless(dice, text) for kind in USELESS for text in kind]
    ragged = [[*_useless(dice, ""), "moved", "twice"] for _ in range(_RAGGED)]
    numbers = {code: _numbers(dice, country) for code, country in COUNTRIES.items()}
    whole = ROWS - _DUPLICATES - len(useless) - len(ragged)
    people = [_person(dice, code, next(numbers[code])) for code in _codes(dice, whole)]
    again = [_again(dice, *people[at]) for at in dice.sample(range(whole // 2), _DUPLICATES)]
    rows = [_cells(dice, *person) for person in people]
    for extra in (*again, *useless, *ragged):
        rows.insert(dice.randrange(whole // 2, len(rows)), extra)
    return rows


def _codes(dice: Random, count: int) -> list[str]:
    """Country codes by their shares; the home country fills up."""
    codes = [code for code, country in COUNTRIES.items() for _ in range(country.share)]
    codes = ["DE"] * max(0, count - len(codes)) + codes[max(0, len(codes) - count) :]
    dice.shuffle(codes)
    return codes


def _numbers(dice: Random, country: Country) -> Iterator[str]:
    """Different numbers of a country, in groups, without calling code and trunk prefix."""
    seen: set[str] = set()
    while True:
        pattern = dice.choice(country.patterns)
        number = "".join(str(dice.randrange(10)) if c == "#" else c for c in pattern)
        if number not in seen:
            seen.add(number)
            yield number


Person = tuple[str, str, str]  # country code, name, number


def _person(dice: Random, code: str, number: str) -> Person:
    country = COUNTRIES[code]
    first, last = dice.choice(country.first), dice.choice(country.last)
    if country.family_first:
        return code, last + first, number
    styles = (f"{first} {last}", f"{first} {last}", f"{last}, {first}", f" {first}  {last.upper()}")
    return code, dice.choice(styles), number


def _cells(dice: Random, code: str, name: str, number: str) -> Row:
    country = COUNTRIES[code]
    written = dice.choice(country.written)
    spelled = dice.choice(_spellings(country, number, in_words=bool(written) or code == "DE"))
    return _row(dice, country, name, spelled(), written)


def _again(dice: Random, code: str, name: str, number: str) -> Row:
    """The same person once more, as another colleague typed it in."""
    country = COUNTRIES[code]
    spelled = dice.choice(_spellings(country, number, in_words=False))
    return _row(dice, country, name.strip().title(), spelled(), "")


def _useless(dice: Random, text: str) -> Row:
    _, name, _ = _person(dice, "DE", "")
    return _row(dice, COUNTRIES["DE"], name, text, "")


def _row(dice: Random, country: Country, name: str, number: str, written: str) -> Row:
    bought = _TODAY - timedelta(days=dice.randrange(1500))
    styles = (bought.isoformat(), bought.strftime("%d.%m.%Y"), bought.strftime("%m/%d/%y"), "")
    mail = f"customer{dice.randrange(10_000)}@example.{dice.choice(('com', 'org', 'net'))}"
    return [
        dice.choice(country.towns),
        dice.choice(styles),
        name,
        dice.choice(NOTES),
        number,
        written,
        dice.choice((mail, mail, "")),
    ]


def _spellings(country: Country, number: str, *, in_words: bool) -> list[Callable[[], str]]:
    """Ways to write a number. The national ones need a row that says of which country it is."""
    code, trunk, digits = country.calling_code, country.trunk, number.replace(" ", "")
    area, _, rest = number.partition(" ")
    ways: list[Callable[[], str]] = [
        lambda: f"+{code} {number}",
        lambda: f"+{code}{digits}",
        lambda: f"00{code} {number}",
        lambda: f"+{code}-{number.replace(' ', '-')}",
        lambda: f"+{code} ({area}) {rest.replace(' ', '-')}",
        lambda: f"tel:+{code}-{number.replace(' ', '-')}",
        lambda: f"'+{code}{digits}",
        lambda: f"\u202a+{code} {number}\u202c",
    ]
    if not in_words:
        return ways
    ways += [
        lambda: f"{trunk}{number}",
        lambda: f"{trunk}{digits}",
        lambda: f"({trunk}{area}) {rest}",
        lambda: f"{trunk}{area}/{rest.replace(' ', '')}",
        lambda: f"{trunk}{number.replace(' ', '.')}",
        lambda: f"  {trunk}{area} - {rest} ",
    ]
    if code == "20":
        ways += [lambda: f"{trunk}{digits}".translate(_EASTERN)] * 4
    if code == "81":
        ways += [lambda: f"{trunk}{number.replace(' ', '-')}".translate(_WIDE)] * 4
    return ways
