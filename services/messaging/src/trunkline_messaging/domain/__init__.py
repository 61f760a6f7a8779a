"""Decisions of messaging as pure functions: no I/O, no clock."""
