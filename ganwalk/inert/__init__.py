"""Files of strangers, read without running anything in them: what they hold becomes inert values."""
