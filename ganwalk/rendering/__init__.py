"""Directions → pictures: traversal grids, overviews, animations."""
