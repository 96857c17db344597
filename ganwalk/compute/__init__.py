"""What numbers are computed with: `threads`, processes in parallel (`parallel`), loops that numba compiles
(`compiled`), memory that is kept (`allocation`), and random numbers (`seeds`)."""
