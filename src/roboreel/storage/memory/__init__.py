"""What was read, kept in memory for threads and processes."""
