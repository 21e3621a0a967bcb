"""Items of a dataset in a shuffled stream."""
