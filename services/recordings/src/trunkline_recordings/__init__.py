"""Keeping recordings: fetch, check, store, and tell that they are stored."""
