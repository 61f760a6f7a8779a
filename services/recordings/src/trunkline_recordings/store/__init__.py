"""The SQL of recordings: every statement takes a session and never ends it."""
