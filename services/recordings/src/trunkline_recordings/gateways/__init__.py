"""The outside world of recordings: providers that keep audio for a while."""
