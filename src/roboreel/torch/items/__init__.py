"""Rows and frames of a dataset as tensors."""
