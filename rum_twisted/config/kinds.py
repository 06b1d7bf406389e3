"""What a value of a setting may be: one small class for each kind of value.

A kind takes what TOML gave, refuses what does not fit, and returns the value as
the server holds it. Types are strict: ``true`` is no number, ``"5"`` is none
either. Which setting is of which kind is written in `settings`.
"""

import os.path
import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final

from zope.interface import implementer

from rum_twisted.config import endpoints, metar_sources
from rum_twisted.config.interfaces import IKind, Unfit

__all__ = [
    "Choice",
    "DatabaseURL",
    "Endpoints",
    "IPNetwork",
    "Identifier",
    "Integer",
    "LoopbackListener",
    "Networks",
    "Number",
    "PasswordHash",
    "PathName",
    "PlainListener",
    "Text",
]

IPNetwork = IPv4Network | IPv6Network

_TEXT_LENGTH: Final = 256  # bytes; such a text has to fit into one packet
_LINE_BREAKERS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029:]")
_IDENTIFIER: Final = re.compile(r"[!-~]{1,10}\Z")  # status tables show ten signs
_DATABASE_URL: Final = re.compile(
    r"postgres(ql)?(\+asyncpg)?://\S+\Z|sqlite(\+aiosqlite)?:////\S+\Z"
)
# What is too costly to be checked is told by who checks it.
_ARGON2: Final = re.compile(
    r"\$argon2id\$v=(?:16|19)\$m=\d{1,10},t=\d{1,10},p=\d{1,8}"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}\Z"
)
_ADDRESS_SIGNS: Final = frozenset("!@#$%*:&")  # they start packets and destinations


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number from ``lowest`` to ``highest``."""

    lowest: int
    highest: int
    is_text: bool = False

    def read(self, value: object, folder: Path) -> int:
        """Return the number; see `IKind`."""
        if not isinstance(value, int) or isinstance(value, bool):  # a bool is an int
            raise Unfit(self._due)
        if not self.lowest <= value <= self.highest:
            raise Unfit(self._due)
        return value

    @property
    def _due(self) -> str:
        return f"a whole number from {self.lowest} to {self.highest}"


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class Number:
    """A number, whole or not, from ``lowest`` to ``highest``."""

    lowest: float
    highest: float
    is_text: bool = False

    def read(self, value: object, folder: Path) -> float:
        """Return the number as a float; see `IKind`."""
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise Unfit(self._due)
        if not self.lowest <= value <= self.highest:  # so are NaN and the infinities
            raise Unfit(self._due)
        return float(value)

    @property
    def _due(self) -> str:
        return f"a number from {self.lowest:g} to {self.highest:g}"


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class Text:
    """One line for people to read, kept as it goes over the wire.

    FSD has no encoding: the server holds the bytes of its clients as Latin-1. A
    TOML file is UTF-8, so these texts are sent as UTF-8. A colon would make two
    fields of one in the lists of servers.
    """

    is_text: bool = True

    def read(self, value: object, folder: Path) -> str:
        """Return the text's UTF-8 bytes, decoded as Latin-1; see `IKind`."""
        if isinstance(value, str) and not _LINE_BREAKERS.search(value):
            # What is no UTF-8 in a variable is passed on as it came.
            wire_text = value.encode(errors="surrogateescape").decode("latin-1")
            if len(wire_text) <= _TEXT_LENGTH:
                return wire_text
        raise Unfit(
            f"one line of text, at most {_TEXT_LENGTH} bytes long, without a colon"
        )


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class Identifier:
    """A server's name among servers, which stands where a callsign may stand."""

    is_text: bool = True

    def read(self, value: object, folder: Path) -> str:
        """Return the name; see `IKind`."""
        if (
            isinstance(value, str)
            and _IDENTIFIER.match(value)
            and _ADDRESS_SIGNS.isdisjoint(value)
        ):
            return value
        raise Unfit(
            "1 to 10 ASCII letters, digits or signs without blanks and "
            + " ".join(sorted(_ADDRESS_SIGNS))
        )


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class Choice:
    """One word out of a few."""

    words: tuple[str, ...]
    is_text: bool = True

    def read(self, value: object, folder: Path) -> str:
        """Return the word; see `IKind`."""
        if isinstance(value, str) and value in self.words:
            return value
        raise Unfit(" or ".join(f'"{word}"' for word in self.words))


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class DatabaseURL:
    """Which database: nothing for the embedded one, or an SQLAlchemy URL.

    The library that opens it is not loaded to look at it. It may hold a password, so
    what was due is told without it.
    """

    is_text: bool = True

    def read(self, value: object, folder: Path) -> str:
        """Return the URL; see `IKind`."""
        if isinstance(value, str) and (not value or _DATABASE_URL.match(value)):
            return value
        raise Unfit(
            '"" for an SQLite file in the data folder, '
            '"postgresql+asyncpg://name:password@host/database", '
            'or "sqlite+aiosqlite:////path/to/file"'
        )


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class PasswordHash:
    """The hash of a password, or nothing; what was wrong is told without it."""

    is_text: bool = True

    def read(self, value: object, folder: Path) -> str:
        """Return the hash; see `IKind`."""
        if isinstance(value, str) and (not value or _ARGON2.match(value)):
            return value
        raise Unfit('a hash that begins with $argon2id$, or ""')


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class Networks:
    """Network addresses and networks, e.g. ``192.0.2.7`` and ``2001:db8::/32``."""

    is_text: bool = False

    def read(self, value: object, folder: Path) -> tuple[IPNetwork, ...]:
        """Return the networks; see `IKind`. An address is a network of one."""
        if not isinstance(value, list):
            raise Unfit('a list of networks such as ["192.0.2.0/24", "2001:db8::1"]')
        return tuple(self._network(item) for item in value)

    @staticmethod
    def _network(item: object) -> IPNetwork:
        try:
            if isinstance(item, str):  # a number would be an address too
                return ip_network(item)
        except ValueError as error:
            raise Unfit(f"networks: {error}") from error
        raise Unfit('networks such as "192.0.2.0/24" in the list')


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class PathName:
    """A file or a folder; it need not exist.

    With ``may_be_off``, an empty text says that the server does without it.
    """

    may_be_off: bool = False
    is_text: bool = True

    def read(self, value: object, folder: Path) -> Path | None:
        """Return the absolute path, or ``None`` for an empty one; see `IKind`."""
        if value == "" and self.may_be_off:
            return None
        if not isinstance(value, str) or not value or "\0" in value:
            raise Unfit('a path, or "" for none' if self.may_be_off else "a path")
        # Symbolic links are left alone: an operator may point them elsewhere.
        return Path(os.path.normpath(folder / value))


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where to listen: one Twisted endpoint description or more."""

    is_text: bool = False

    def read(self, value: object, folder: Path) -> tuple[str, ...]:
        """Return the descriptions; see `IKind`."""
        if not isinstance(value, list) or not value:
            raise Unfit('a list of endpoints such as ["tcp:6809"]')
        return tuple(self._description(item) for item in value)

    @staticmethod
    def _description(item: object) -> str:
        if not isinstance(item, str):
            raise Unfit('endpoints such as "tcp:6809" in the list')
        try:
            endpoints.check(item)
        except endpoints.UnfitDescription as error:
            raise Unfit(f"{error} in {item!r}") from error
        return item


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class PlainListener:
    """Where to listen without Twisted's help: a plain TCP endpoint, or nowhere."""

    is_text: bool = True

    def read(self, value: object, folder: Path) -> str:
        """Return the description, or an empty text; see `IKind`."""
        if not isinstance(value, str):
            raise Unfit('an endpoint such as "tcp:6810:interface=127.0.0.1", or ""')
        try:
            if value:
                endpoints.host_and_port(value)
        except endpoints.UnfitDescription as error:
            raise Unfit(f'{error}, or "" for none') from error
        return value


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class LoopbackListener:
    """Where to listen for this machine alone: a plain TCP endpoint, or nowhere."""

    is_text: bool = True

    def read(self, value: object, folder: Path) -> str:
        """Return the description, or an empty text; see `IKind`."""
        description = PlainListener().read(value, folder)
        if description:
            host, _ = endpoints.host_and_port(description)
            if not ip_address(host).is_loopback:
                raise Unfit(
                    'a loopback address, as in "tcp:6022:interface=127.0.0.1", or ""'
                )
        return description


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class MetarSources:
    """Where METARs are fetched from: at most ``most`` sources, in their order."""

    most: int
    is_text: bool = False

    def read(self, value: object, folder: Path) -> tuple[str, ...]:
        """Return the descriptions; see `IKind`."""
        if not isinstance(value, list) or not 0 < len(value) <= self.most:
            raise Unfit(f'a list of 1 to {self.most} sources such as ["raw URL"]')
        return tuple(self._description(item) for item in value)

    @staticmethod
    def _description(item: object) -> str:
        if not isinstance(item, str):
            raise Unfit('sources such as "raw URL" in the list')
        try:
            metar_sources.parse(item)
        except metar_sources.UnfitSource as error:
            raise Unfit(f"{error} in {item!r}") from error
        return item
