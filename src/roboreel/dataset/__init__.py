"""One dataset: open it, and read its rows and stored statistics."""
