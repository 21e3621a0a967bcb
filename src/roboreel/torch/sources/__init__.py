"""Where a dataset comes from: a folder, the Hub, a view."""
