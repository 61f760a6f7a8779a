"""Object storage: where recordings lie for good. One port, two adapters."""
