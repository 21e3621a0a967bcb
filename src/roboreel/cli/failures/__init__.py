"""What to type instead, after an error."""
