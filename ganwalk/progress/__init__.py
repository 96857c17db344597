"""Progress of long work: what it tells (`callbacks`), what it consists of (`phases`), what is said beforehand
(`estimates`), and the `bars` that people look at."""
