"""What a run leaves that stopped before its end, and what must agree with the run that continues it."""
