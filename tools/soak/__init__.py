"""Disturbs commands while they run, continues them, and looks whether their results are as if nothing had happened."""
