"""Trainings as people have them: a whole `run`, its `folder`, the `outputs` to look at, and a `grid` of several."""
