"""The demo's contacts: 1,000 rows as a person would have them, made from a seed."""

from trunkline_dev.contacts.sheet import COLUMNS, ROWS, sheet, shortened

__all__ = ["COLUMNS", "ROWS", "sheet", "shortened"]
