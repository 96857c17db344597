"""What a training computes: one `step`, the `loop` of them, several models as one `stack` and in `lockstep`, and the
`checkpoints` that it continues from."""
