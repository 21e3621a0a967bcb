"""Which items are in a batch, and the threads that make it."""
