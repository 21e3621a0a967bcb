"""What one file says: probes read it once, their answers are kept."""
