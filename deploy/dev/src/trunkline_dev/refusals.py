"""What ends a command with one line on stderr instead of a traceback."""

from __future__ import annotations


class CannotGoOn(Exception):
    """The machine or its settings lack something; the message says in one line what to provide."""
