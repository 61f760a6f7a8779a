"""Cursors of pages: where the last page ended, in a form that nobody is tempted to take apart."""

from __future__ import annotations

import base64
import binascii


def write_cursor(position: str) -> str:
    """The cursor that continues after this position."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> str | None:
    """The position in a cursor, or None where it is not one of ours."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        position = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeError):
        return None
    return position if position.isprintable() else None
