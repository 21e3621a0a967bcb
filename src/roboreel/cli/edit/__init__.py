"""The commands that edit."""
