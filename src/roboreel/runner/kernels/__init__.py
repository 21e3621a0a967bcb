"""One module per kind of op: read inputs, write outputs, and check them against the plan."""
