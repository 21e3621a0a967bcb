"""`repair`: what can be repaired in only one way is repaired, the rest is named."""
