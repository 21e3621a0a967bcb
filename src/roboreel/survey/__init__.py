"""Survey a dataset: what its files hold, from the answers of probes."""
