"""The kinds of value that services and their discovery need; see `kinds`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from zope.interface import implementer

from rum_twisted.config.interfaces import IKind, Unfit

__all__ = [
    "Address",
    "KeyPath",
    "Members",
    "PluginNames",
    "PluginTables",
    "Roles",
    "Secret",
    "Switch",
    "Word",
]

_HOST_AND_PORT: Final = re.compile(
    r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9][A-Za-z0-9._-]*):(\d{1,5})\Z"
)
_SERVICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_PLUGIN: Final = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_WORD: Final = re.compile(r"[!-~]{0,64}\Z")
_KEY_PATH: Final = re.compile(r"(/[A-Za-z0-9._-]{1,64}){1,8}\Z")
_LAST_PORT: Final = 65535
_LONGEST_SECRET: Final = 1024  # characters


def _is_address(text: str, *, lowest_port: int) -> bool:
    match = _HOST_AND_PORT.match(text)
    return match is not None and lowest_port <= int(match[2]) <= _LAST_PORT


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class Switch:
    """Yes or no."""

    is_text: bool = False

    def read(self, value: object, folder: Path) -> bool:
        """Return the answer; see `IKind`."""
        if isinstance(value, bool):
            return value
        raise Unfit("true or false")


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class Word:
    """A word that others compare: a version, a group, a zone; may be empty."""

    is_text: bool = True

    def read(self, value: object, folder: Path) -> str:
        """Return the word; see `IKind`."""
        if isinstance(value, str) and _WORD.match(value):
            return value
        raise Unfit("at most 64 ASCII characters without blanks")


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class Secret:
    """A password, as it is; what was wrong with it is told without it."""

    is_text: bool = True

    def read(self, value: object, folder: Path) -> str:
        """Return the secret; see `IKind`."""
        if isinstance(value, str) and len(value) <= _LONGEST_SECRET:
            return value
        raise Unfit(f"text of at most {_LONGEST_SECRET} characters")


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class Address:
    """An address, ``host:port``.

    Args:
        may_be_open: port 0 is allowed too: any that is free.
        may_be_off: an empty text is allowed too.
    """

    may_be_open: bool = False
    may_be_off: bool = False
    is_text: bool = True

    def read(self, value: object, folder: Path) -> str:
        """Return the address; see `IKind`."""
        if isinstance(value, str):
            if not value and self.may_be_off:
                return value
            if _is_address(value, lowest_port=0 if self.may_be_open else 1):
                return value
        due = 'host:port such as "127.0.0.1:7001" or "[::1]:7001"'
        raise Unfit(f'{due}, or ""' if self.may_be_off else due)


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class Members:
    """Where to ask, or whom: ``host:port`` each, or ``service=host:port``."""

    most: int
    is_text: bool = False

    def read(self, value: object, folder: Path) -> tuple[str, ...]:
        """Return the entries; see `IKind`."""
        due = (
            f'a list of 1 to {self.most} addresses such as ["127.0.0.1:2379"], or for '
            'backend "static" of instances such as ["passport=10.0.0.2:7001"]'
        )
        if not isinstance(value, list) or not 0 < len(value) <= self.most:
            raise Unfit(due)
        entries = tuple(entry for entry in value if isinstance(entry, str))
        if len(entries) != len(value) or not all(map(self._is_member, entries)):
            raise Unfit(due)
        return entries

    @staticmethod
    def _is_member(entry: str) -> bool:
        service, equals, address = entry.rpartition("=")
        if equals and not _SERVICE.match(service):
            return False
        return _is_address(address, lowest_port=1)


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class Roles:
    """Some of a few words, each once."""

    words: tuple[str, ...]
    is_text: bool = False

    def read(self, value: object, folder: Path) -> tuple[str, ...]:
        """Return the words, in their own order; see `IKind`."""
        if isinstance(value, list) and value and all(map(self.words.count, value)):
            chosen = tuple(word for word in self.words if word in value)
            if len(chosen) == len(value):
                return chosen
        raise Unfit("a list of one or more of " + ", ".join(self.words))


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class PluginNames:
    """Names of plugins, each once."""

    most: int
    is_text: bool = False

    def read(self, value: object, folder: Path) -> tuple[str, ...]:
        """Return the names; see `IKind`."""
        if isinstance(value, list) and len(value) <= self.most:
            names = tuple(name for name in value if _is_plugin_name(name))
            if len(set(names)) == len(value):
                return names
        raise Unfit(
            f"a list of at most {self.most} names, each once: lower-case letters, "
            'digits and _, such as ["greeter"]'
        )


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class PluginTables:
    """A table of settings for each of some plugins."""

    most: int
    is_text: bool = False

    def read(self, value: object, folder: Path) -> Mapping[str, Mapping[str, object]]:
        """Return the tables; the plugins check what is in them. See `IKind`."""
        if (
            isinstance(value, dict)
            and len(value) <= self.most
            and all(map(_is_plugin_name, value))
            and all(isinstance(table, dict) for table in value.values())
        ):
            return MappingProxyType(
                {name: MappingProxyType(dict(table)) for name, table in value.items()}
            )
        raise Unfit(
            "a table for each plugin, such as [plugins.settings.greeter] with settings "
            "below it"
        )


def _is_plugin_name(name: object) -> bool:
    return isinstance(name, str) and _PLUGIN.match(name) is not None


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class KeyPath:
    """A place in a tree of keys, e.g. ``/rum``."""

    is_text: bool = True

    def read(self, value: object, folder: Path) -> str:
        """Return the path; see `IKind`."""
        if isinstance(value, str) and _KEY_PATH.match(value):
            return value
        raise Unfit('1 to 8 names, each behind a slash, such as "/rum"')
