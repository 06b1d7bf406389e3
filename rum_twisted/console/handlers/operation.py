"""The server itself: time, help, counters, memory, and the way in and out.

Source: docs/console.md, "Commands".
"""

from collections.abc import Iterator
from time import gmtime, localtime, strftime
from typing import Final

from twisted.internet.defer import Deferred

from rum_twisted.console.console import Console, Lines, Words
from rum_twisted.console.help import Page

__all__ = [
    "authorize",
    "guard",
    "leave",
    "memory",
    "services",
    "show_help",
    "stat",
    "time",
]

_PRODUCT: Final = "FSD ONLINE DOCUMENTATION"
_TITLE_WIDTH: Final = 54
_RULE: Final = "=" * 79
_WIDEST: Final = 65  # letters, and the word that crosses that
_GLOBAL: Final = "global"  # the page without a topic
_TOPICS: Final = "topics"
_NO_FILE: Final = "Could not open help file 'help.txt'"


def time(console: Console, words: Words) -> Lines:
    """Tell the time, here and in UTC."""
    now = console.server.network.now()
    return (
        f"{strftime('%H:%M:%S', localtime(now))} local",
        f"{strftime('%H:%M:%S', gmtime(now))} UTC",
    )


def authorize(console: Console, words: Words) -> Deferred[Lines]:
    """Check the password; once right it counts until the connection ends."""
    return console.authorize(words[0])


def leave(console: Console, words: Words) -> Lines:
    """End the connection."""
    console.terminal.hang_up()
    return ()


def show_help(console: Console, words: Words) -> Lines:
    """Show a page of the help file, its topics, or its first page and all commands."""
    topic = words[0].lower() if words else _GLOBAL
    file = console.server.help
    try:
        if topic == _TOPICS:
            return [f"{page.topic}: {page.title}" for page in file.pages()]
        page = file.find(topic)
    except OSError:
        return (_NO_FILE,)
    lines = [] if page is None else list(_printed(page))
    if not words:
        lines += _capitals(console.commands)
    return lines


def stat(console: Console, words: Words) -> Lines:
    """Tell what was counted, and the settings that others see."""
    server = console.server
    text = words[0] if words else ""
    figures = (*server.front.figures(), *server.figures())
    return [f"{name}={value}" for name, value in figures if text in name]


def memory(console: Console, words: Words) -> Lines:
    """Tell what the process takes, and who answers for it."""
    return console.server.memory()


def guard(console: Console, words: Words) -> Lines:
    """Tell who is kept waiting, or out."""
    return console.server.guard()


def services(console: Console, words: Words) -> Lines:
    """Tell who plays which role, and where."""
    return console.server.services()


def _printed(page: Page) -> Iterator[str]:
    yield f"{_PRODUCT} {page.title:>{_TITLE_WIDTH}}"
    yield _RULE
    yield from page.lines


def _capitals(names: Words) -> Iterator[str]:
    """Yield the commands in capitals, some to a line."""
    line = ""
    for name in names:
        line = f"{line} {name.upper()}".lstrip()
        if len(line) > _WIDEST:
            yield line
            line = ""
    if line:
        yield line
