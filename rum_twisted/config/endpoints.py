"""Endpoint descriptions such as ``tcp:6809``, read without opening anything.

Twisted's own parser builds endpoints: it wants a reactor, reads key files, and its
module imports OpenSSL wherever it is installed. This one only looks: it tells a
typing mistake from a description, and whether a listener needs TLS at all, which
must be known before the reactor is imported. What is left, such as an unknown
kind of endpoint, Twisted says when the listener is built.
"""

import re
from ipaddress import ip_address
from typing import Final

__all__ = [
    "UnfitDescription",
    "check",
    "host_and_port",
    "is_inherited",
    "needs_tls",
]

_KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+.-]*\Z")
_COLON: Final = re.compile(r"(?<!\\):")  # one that no backslash escapes
_PORTS: Final = range(65536)  # 0 lets the system choose
_PORT_PLACE: Final = {"tcp": 0, "tcp6": 0, "ssl": 0, "tls": 1}  # field after the kind
_DEFAULT_PORT_KINDS: Final = frozenset({"tls"})
_WRAPPERS: Final = frozenset({"haproxy"})  # the rest describes what they wrap
_EVERYWHERE: Final = {"tcp": "0.0.0.0", "tcp6": "::"}  # noqa: S104 - as Twisted has it
_PLAIN_KINDS: Final = frozenset({"tcp", "tcp6", "unix", "systemd", "stdio"})


class UnfitDescription(ValueError):
    """A text is no description of an endpoint; the message says what was due."""


def check(description: str) -> None:
    """Look for mistakes that can be seen without building the endpoint.

    Args:
        description: a Twisted server endpoint, e.g. ``tcp:6809:interface=::1``.

    Raises:
        UnfitDescription: there is no kind, or no port from 0 to 65535 where this
            kind has one.
    """
    kind, fields = _split(description)
    if not _KIND.match(kind) or not fields:
        raise UnfitDescription('an endpoint such as "tcp:6809"')
    place = _PORT_PLACE.get(kind)
    if place is None:
        return
    port = _port(fields, place)
    if port is None and kind in _DEFAULT_PORT_KINDS:
        return
    if port is None or not _is_port(port):
        raise UnfitDescription(f"a port from {_PORTS[0]} to {_PORTS[-1]}")


def needs_tls(description: str) -> bool:
    """Tell whether a listener may need OpenSSL.

    A kind that is not Twisted's own counts as one that does: better some memory
    spent than a listener that cannot start.
    """
    kind, _ = _split(description)
    return kind not in _PLAIN_KINDS


def is_inherited(description: str) -> bool:
    """Tell whether the socket comes from the service manager that starts Rum."""
    kind, _ = _split(description)
    return kind == "systemd"


def host_and_port(description: str) -> tuple[str, int]:
    """Return where a plain TCP listener listens, for whoever opens it without Twisted.

    Args:
        description: e.g. ``tcp:6810:interface=127.0.0.1``, or ``tcp6:6810``.

    Returns:
        an IP address, and a port from 0 to 65535.

    Raises:
        UnfitDescription: it is another kind of endpoint, or has no port.
    """
    check(description)
    kind, fields = _split(description)
    place = _PORT_PLACE.get(kind)
    port = None if place is None else _port(fields, place)
    is_wrapped = not description.lower().startswith(f"{kind}:")
    if kind not in _EVERYWHERE or port is None or is_wrapped:
        raise UnfitDescription('a place such as "tcp:6810:interface=127.0.0.1"')
    host = _EVERYWHERE[kind]
    for field in fields:
        if field.startswith("interface="):
            host = field.removeprefix("interface=").replace("\\:", ":") or host
    try:
        return str(ip_address(host)), int(port)
    except ValueError as error:
        raise UnfitDescription("interface= and an IP address") from error


def _split(description: str) -> tuple[str, list[str]]:
    """Return the kind of the innermost endpoint and the fields behind it."""
    kind, *fields = _COLON.split(description)
    while kind.lower() in _WRAPPERS and fields:
        kind, *fields = fields
    return kind.lower(), fields


def _port(fields: list[str], place: int) -> str | None:
    """Return the port among ``fields``, by name or else by its place."""
    named = [field for field in fields if field.startswith("port=")]
    if named:
        return named[-1].removeprefix("port=")
    positional = [field for field in fields if "=" not in field]
    return positional[place] if place < len(positional) else None


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) in _PORTS
