"""The facade: one function per operation."""
