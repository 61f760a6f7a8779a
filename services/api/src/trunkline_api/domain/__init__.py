"""Decisions of api without I/O: numbers, columns, texts, scopes, states."""
