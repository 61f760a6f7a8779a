"""Every suite that CI runs: what it executes, how long it may take, and how it went."""
