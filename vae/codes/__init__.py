"""Codes of any model: read from files, drawn as a sample of rows, scored against the factors beside them."""
