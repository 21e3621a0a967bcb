"""What the functions that edit datasets share."""
