"""Metrics of disentanglement: pure functions on codes (N, D) and factors (N, F)."""
