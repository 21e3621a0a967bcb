"""Survey a dataset: combine the answers of probes into an `Inventory`."""
