"""Options, stated once: a field of a dataclass of settings says what it means, what it may be and how it is typed.

    @dataclass(frozen=True)
    class Settings:
        steps: int = option(200, "Optimisation steps.", at_least=0)

        def __post_init__(self) -> None:
            check_settings(self)

From that follow the command line (`command_line.settings_options`), the checks (`check_settings`), the words of the
command that sets them again (`words.command_words`), the table of the docs (`words.options_table`), and how files of
older versions are read (`completed`). Options that are no settings, and that many commands have, are in `common`.
Nothing here imports torch, and only `command_line` and `common` import click.
"""

from ganwalk.options.fields import FILES, Option, TextForm, check_settings, completed, option, options_of
from ganwalk.options.signatures import takes_settings

__all__ = ["FILES", "Option", "TextForm", "check_settings", "completed", "option", "options_of", "takes_settings"]
