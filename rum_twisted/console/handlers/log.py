"""The log's last lines.

Source: docs/console.md, "The log".
"""

from rum_twisted.console.console import Console, Lines, Words
from rum_twisted.console.handlers.words import number_in
from rum_twisted.console.recent import LEVELS, MOST_KEPT

__all__ = ["log"]


def log(console: Console, words: Words) -> Lines:
    """Show or forget the newest."""
    kept = console.server.log
    worst = min(number_in(words[1]) or 0, len(LEVELS) - 1)
    amount = number_in(words[2]) if len(words) > 2 else MOST_KEPT  # noqa: PLR2004
    amount = amount or 0
    if not 0 <= amount <= MOST_KEPT:
        amount = MOST_KEPT
    match words[0].lower():
        case "show":
            return [str(record) for record in kept.newest(worst, amount)]
        case "delete":
            kept.forget(worst, amount)
            return ()
    return ("Invalid operation mode, use 'show' or 'delete'.",)
