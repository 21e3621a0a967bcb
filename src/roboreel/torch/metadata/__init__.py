"""What the documents of a dataset say, and writing them."""
