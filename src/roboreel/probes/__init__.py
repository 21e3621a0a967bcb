"""Probes: read the facts of one file that a survey needs; the answers are cached."""
