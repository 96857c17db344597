"""Pictures as such: `photos` that people give, and labelled `sheets` with the `fonts` that they are written in."""
