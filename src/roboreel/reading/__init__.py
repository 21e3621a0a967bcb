"""Episodes out: items, windows and batches of a dataset or view, as arrays."""
