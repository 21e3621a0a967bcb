"""Declarations of features: what they say, and what policies and robots make of them."""
