"""The error type whose message is written for the person at the terminal."""


class GanwalkError(ValueError):
    """Bad input, with one line that says what is wrong and what to do about it.

    The command line prints the message and exits with code 2. Code that uses the library can catch it
    as a `ValueError`.
    """
