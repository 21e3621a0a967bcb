"""A few lines about a value: at the prompt as text, in a notebook as a table."""
