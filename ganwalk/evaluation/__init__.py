"""Evaluation: scores of directions, with known axes, with factors, and without labels."""
