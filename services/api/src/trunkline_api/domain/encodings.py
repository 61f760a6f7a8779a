"""How somebody's file may be written: charsets only, for a codec can also be a little language."""

from __future__ import annotations

import codecs
from typing import Final

# By Python's own names; `unicode_escape`, `utf_7`, `idna`, `punycode` and the like are text codecs
# too, and make characters out of plain ones.
CHARSETS: Final = (
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "ascii",
    "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258",
    "cp437", "cp850", "cp852", "cp855", "cp857", "cp858", "cp862", "cp864", "cp866", "cp874",
    "iso8859-1", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-6", "iso8859-7",
    "iso8859-8", "iso8859-9", "iso8859-10", "iso8859-11", "iso8859-13", "iso8859-14",
    "iso8859-15", "iso8859-16", "koi8-r", "koi8-u", "mac-roman", "mac-latin2", "mac-cyrillic",
    "mac-greek", "mac-turkish", "tis-620", "shift_jis", "cp932", "euc_jp", "iso2022_jp",
    "gb2312", "gbk", "gb18030", "big5", "cp950", "euc_kr", "cp949",
)  # fmt: skip
_KNOWN: Final = {codecs.lookup(name).name for name in (*CHARSETS, "utf-8-sig")}


def charset(name: str) -> str | None:
    """Python's name of a charset under any of its names, or None where it is none."""
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    return known if known in _KNOWN else None
