"""Decisions of recordings as pure functions: no I/O, no clock."""
