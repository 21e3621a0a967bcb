"""Bytes, tables, packets: I/O without any idea of episodes."""
