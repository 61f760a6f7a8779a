"""Faults to order: what should go wrong, with which request, how often."""
