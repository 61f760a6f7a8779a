"""What outbound decides: pure functions over facts, no I/O and no clock."""
