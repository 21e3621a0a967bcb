"""What a long call is doing: events for callbacks, bars, and the logger."""
