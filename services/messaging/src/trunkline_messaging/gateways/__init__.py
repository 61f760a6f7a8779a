"""The outside world of messaging: providers of messages."""
