"""Placing calls: audiences, claims, pacing, and each contact dialled at most once."""
