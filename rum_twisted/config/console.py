"""Whether the settings of the console fit together."""

from collections.abc import Iterator

from rum_twisted.config.settings import Config
from rum_twisted.config.sources import Mistake

__all__ = ["mistakes_of_console"]


def mistakes_of_console(config: Config) -> Iterator[Mistake]:
    """Yield a line for each setting that would open the console to everybody.

    Args:
        config: the settings.
    """
    settings = config.console
    if not config.uses_console:
        return
    if settings.password and settings.password_file is not None:
        yield Mistake("console.password_file", "due this or console.password, not both")
    if not settings.password and settings.password_file is None:
        yield Mistake(
            "console.password",
            "there is no console without a password: due the hash that "
            "`rumctl console passwd` prints, or console.password_file",
        )
