"""Directions → names without a person: after the factors that they move, or after what they change in the picture.

`appearance` measures what changes, `words` says it, `suggest` does both for all directions of a file.
"""
