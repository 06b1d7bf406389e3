"""``etc/rum.toml.example``, written from the settings themselves.

``python -m rum_twisted.config.example`` prints it; a test holds the file to it.
"""

import json
import sys
import textwrap
from collections.abc import Iterator
from inspect import getdoc
from typing import Final

from rum_twisted.config.settings import SETTINGS, TABLES, Setting

__all__ = ["example"]

_WIDTH: Final = 78  # columns
_HEAD: Final = """\
The settings of Rum, with their defaults. Take the # away from a line to change
what it says. Check the result with: twistd rum --config FILE --check-config

Paths: while a path is a comment here, its default is relative to the folder
where Rum is started. With the # taken away, a relative path is relative to the
folder of this file: in /etc/rum/rum.toml, "data" is /etc/rum/data.

Stronger than this file are variables, as in RUM_STATUS__INTERVAL=30, and
strongest is the command line, as in --set status.interval=30."""


def example() -> str:
    """Return the text of the file."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from _comment(_HEAD)
    for key in SETTINGS:
        if "." not in key:
            yield from _entry(key, SETTINGS[key])
    for name, table in TABLES.items():
        yield ""
        yield from _comment(getdoc(table) or "")
        yield f"[{name}]"
        for key, setting in SETTINGS.items():
            if key.startswith(f"{name}."):
                yield from _entry(key.removeprefix(f"{name}."), setting)


def _entry(name: str, setting: Setting) -> Iterator[str]:
    """Yield one setting: its reason, its unit and its default."""
    yield ""
    yield from _comment(textwrap.fill(setting.reason, _WIDTH))
    unit = f"  # {setting.unit}" if setting.unit else ""
    yield f"#{name} = {json.dumps(setting.default)}{unit}"


def _comment(text: str) -> Iterator[str]:
    return (f"# {line}".rstrip() for line in text.splitlines())


if __name__ == "__main__":
    sys.stdout.write(example())
