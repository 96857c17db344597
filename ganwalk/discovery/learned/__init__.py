"""Directions that are trained, most of them with networks beside them: one loop, and a file for each method's loss."""
