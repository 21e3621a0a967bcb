"""Reading for training: episodes of datasets and views as arrays."""
