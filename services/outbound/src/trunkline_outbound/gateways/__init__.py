"""The outside world of outbound: voice providers."""
