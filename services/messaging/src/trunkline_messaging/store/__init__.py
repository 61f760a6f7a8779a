"""The SQL of messaging: every statement takes a session and never ends it."""
