"""Bytes of somebody's file become text, and the text rows; or the file is refused whole."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from charset_normalizer import from_bytes

from trunkline_api.domain.columns import map_columns
from trunkline_api.domain.encodings import CHARSETS, charset
from trunkline_api.domain.unkeepable import is_keepable

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LEGACY: Final = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "iso8859_15", "koi8_r",
    "mac_roman", "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr", "cp949",
]  # fmt: skip
_DELIMITERS: Final = (",", ";", "\t", "|")
_NAMES_OF_BINARY: Final = (
    (b"PK\x03\x04", "an Excel workbook (.xlsx) or another archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a compressed file"),
)
MOST_COLUMNS: Final = 500  # reading a header costs the square of its width
_WIDE_SHARE: Final = 8
_WIDE_MARGIN: Final = 3  # 一 (U+4E00) has its own NUL, at the other place
_SAMPLE_BYTES: Final = 64 * 1024
_SAMPLE_ROWS: Final = 20


class Unreadable(Exception):  # it says what is true of the file
    """The file cannot be read as a table; `slug` names the problem, `detail` is for a person."""

    def __init__(self, slug: str, detail: str) -> None:
        super().__init__(detail)
        self.slug = slug
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Text:
    """A decoded file and how it was written."""

    content: str
    encoding: str


@dataclass(frozen=True, slots=True)
class Table:
    """Header and data rows; a row's number is the one that a spreadsheet shows."""

    headers: list[str]
    rows: list[tuple[int, list[str]]]
    delimiter: str


def decode(data: bytes, encoding: str | None) -> Text:
    """Decode strictly: a file in a wrong encoding is refused, never repaired with marks."""
    if not data.strip(b" \t\r\n\x00"):
        raise Unreadable("import-empty", "the file is empty")
    for magic, what in _NAMES_OF_BINARY:
        if data.startswith(magic):
            raise Unreadable("import-not-csv", f"this is {what}; save it as CSV first")
    used = _named(encoding) if encoding else _detected(data)
    try:
        content = data.decode(used)
    except UnicodeError as error:
        detail = f"the file is not {used}: byte {getattr(error, 'start', 0)} does not fit"
        raise Unreadable("import-undecodable", detail) from error
    return Text(content.removeprefix("\ufeff"), used)


def _named(encoding: str) -> str:
    known = charset(encoding)
    if known is None:
        detail = f"{encoding!r} is no charset that we read; name one of {', '.join(CHARSETS)}"
        raise Unreadable("import-undecodable", detail)
    return "utf-8-sig" if known == "utf-8" else known


def _detected(data: bytes) -> str:
    for bom, name in _BOMS:
        if data.startswith(bom):
            return name
    sample = data[:_SAMPLE_BYTES]
    wide = _wide(sample)
    if wide:
        return wide
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        best = from_bytes(sample, cp_isolation=_LEGACY).best()
        if best is None:
            detail = "the encoding could not be told; name it with ?encoding="
            raise Unreadable("import-undecodable", detail) from None
        return str(best.encoding)
    return "utf-8"


def _wide(sample: bytes) -> str | None:
    """UTF-16 without a mark. Its digits and delimiters have their NULs all at odd (little) or even
    (big) places, and are a good part of any list of numbers; a stray NUL is neither.
    """
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    few, many = sorted((even, odd))
    if many * _WIDE_SHARE < len(sample) // 2 or many < _WIDE_MARGIN * few:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def read_table(content: str, *, most_rows: int) -> Table:
    """Cut the text into rows; the delimiter is the one under which the header makes most sense."""
    told, body = _told_delimiter(content)
    skipped = 1 if told else 0
    delimiter = told or _sniffed(body)
    rows: list[tuple[int, list[str]]] = []
    headers: list[str] | None = None
    for number, cells in enumerate(_records(body, delimiter), start=1 + skipped):
        if not any(cell.strip() for cell in cells):
            continue
        if headers is None:
            headers = [cell.strip() for cell in cells]
        elif len(rows) >= most_rows:
            raise Unreadable("import-too-large", f"more than {most_rows} rows; split the file")
        else:
            rows.append((number, cells))
    _refuse_if_wide(headers or ())
    if headers and not all(is_keepable(header) for header in headers):
        detail = "the header holds NUL characters; is the file in another encoding (?encoding=)?"
        raise Unreadable("import-undecodable", detail)
    if headers is None or not rows:
        raise Unreadable("import-empty", "the file has no row below its header")
    return Table(headers, rows, delimiter)


def _refuse_if_wide(header: Sequence[str]) -> None:
    if len(header) > MOST_COLUMNS:
        raise Unreadable("import-too-large", f"more than {MOST_COLUMNS} columns")


def _told_delimiter(content: str) -> tuple[str | None, str]:
    """Excel's own first line, `sep=;`, if the file has one."""
    first, _, rest = content.partition("\n")
    line = first.strip().strip('"')
    if line.lower().startswith("sep=") and line[4:5] in _DELIMITERS:
        return line[4:5], rest
    return ("\t", rest) if first.rstrip("\r").lower() == "sep=\t" else (None, content)


def _records(body: str, delimiter: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO(body, newline=""), delimiter=delimiter)
    except csv.Error as error:
        raise Unreadable("import-ragged", f"the file breaks off as a table: {error}") from error


def _sniffed(body: str) -> str:
    sample = body[:_SAMPLE_BYTES]
    return max(_DELIMITERS, key=lambda delimiter: _sense(sample, delimiter))


def _sense(sample: str, delimiter: str) -> tuple[bool, int, int]:
    """How much sense a delimiter makes: a phone column, known columns, rows of one width."""
    filled = (cells for cells in _records(sample, delimiter) if any(cells))
    rows = list(islice(filled, _SAMPLE_ROWS))
    if not rows:
        return (False, 0, 0)
    _refuse_if_wide(rows[0])
    mapping = map_columns(rows[0])
    width = len(rows[0])
    steady = sum(len(row) == width for row in rows) if width > 1 else 0
    return (bool(mapping.phones), len(mapping.fields) + len(mapping.phones), steady)


def check_quotes(body: str, delimiter: str) -> None:
    """Refuse a file whose last quote never closes: it would swallow rows in silence."""
    try:
        for _ in csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            detail = "a quoted value never ends; rows would be lost"
            raise Unreadable("import-ragged", detail) from error
