"""The error type whose message is written for the person at the terminal."""


class GanwalkError(ValueError):
    """Bad input, with one line that says what is wrong and what to do about it.

    The command line prints the message and exits with code 2. Code that uses the library can catch it
    as a `ValueError`.
    """


def one_line(text: str, limit: int = 600) -> str:
    """Text from a file as a message may show it: no line breaks or escape codes, and no more than `limit` long."""
    shown = "".join(character if character.isprintable() else "?" for character in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
