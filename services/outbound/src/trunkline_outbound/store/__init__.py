"""Outbound's SQL, one module per noun. Queries take a session and never end it."""
