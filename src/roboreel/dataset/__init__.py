"""One dataset on a store: open it, survey its files, compare it with another."""
