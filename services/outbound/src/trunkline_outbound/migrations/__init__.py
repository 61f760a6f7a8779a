"""Outbound's schema, in order. Each step works with the version that is running."""
