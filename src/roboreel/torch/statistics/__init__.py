"""Statistics as `compute_stats` gives them."""
