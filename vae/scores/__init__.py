"""Scores of trained models: the `evaluation` of one, the `comparison` of several and their `centrality`, `tables`, and
a picture of mutual information (`information_map`)."""
