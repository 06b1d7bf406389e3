"""The network of servers: this one alone. Rum has no links to others.

So the commands about links answer as the classic server without any.

Source: docs/console.md, "Commands".
"""

from typing import Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from rum_twisted.console.console import Console, Lines, Words
from rum_twisted.console.handlers.words import number_in
from rum_twisted.console.interfaces import Identity
from rum_twisted.session.certificates import CertificateTrouble

__all__ = [
    "connect",
    "delete_guard",
    "disconnect",
    "info",
    "ping",
    "route",
    "servers",
    "servers2",
]

_RULE: Final = "-" * 61
_SERVER_PORT: Final = 3011  # where classic servers meet
_NO_HOPS: Final = -1  # to ourselves
_NO_LAG: Final = 0


def servers(console: Console, words: Words) -> Lines:
    """List the servers: where they are, how far, and what they are called."""
    me = console.server.identity
    if _is_meant(me, words) and words:
        return _details(me)
    flags = ("M" if me.has_weather else "-") + "-"
    row = (
        f"{me.ident:<10} {me.hostname:<25} {flags}   {_NO_HOPS:02d}  {_NO_LAG:02d}"
        f"  {me.name}"
    )
    head = "ID         Host                      Fl Hops Lag  Name"
    return (head, _RULE, *((row,) if _is_meant(me, words) else ()), "")


def servers2(console: Console, words: Words) -> Lines:
    """List the servers: their versions, and whom to write to."""
    me = console.server.identity
    if _is_meant(me, words) and words:
        return _details(me)
    row = f"{me.ident:<10} {me.version:<11} {me.email:<20} {me.location}"
    head = "ID         Version     Mail                 Location"
    return (head, _RULE, *((row,) if _is_meant(me, words) else ()), "")


def route(console: Console, words: Words) -> Lines:
    """List the next server on the way to each."""
    me = console.server.identity
    rows = (f"{me.ident:<10} *local*",) if _is_meant(me, words) else ()
    return ("ID         Next hop", "-" * 19, *rows, "")


def info(console: Console, words: Words) -> Lines | Deferred[Lines]:
    """Tell how many servers, clients and accounts there are."""
    server = console.server
    first = (
        "Number of servers in the network: 1",
        f"Number of clients in the network: {len(server.network.roster)}",
    )

    def tell(count: object) -> Lines:
        return (*first, f"Number of certificates in the network: {count}")

    def excuse(failure: Failure) -> Lines:
        failure.trap(CertificateTrouble)
        return tell("unknown")

    counted: Deferred[Lines] = server.certificates.count().addCallbacks(tell, excuse)
    return counted


def ping(console: Console, words: Words) -> Lines:
    """Ask a server for an answer: there is none to ask, and nothing is answered."""
    return ()


def connect(console: Console, words: Words) -> Lines:
    """List the links, or try to make one."""
    if not words:
        return ("No active server connections.", "No pending connections.")
    port = number_in(words[1]) if len(words) > 1 else _SERVER_PORT
    return (
        f"Connecting to {words[0]} port {port or 0}.",
        "Could not connect to server: Rum has no links to other servers",
    )


def disconnect(console: Console, words: Words) -> Lines:
    """End a link."""
    return ("No such connection was found.",)


def delete_guard(console: Console, words: Words) -> Lines:
    """Try no more to make links."""
    return ("Guard connections deleted.",)


def _is_meant(me: Identity, words: Words) -> bool:
    """Tell whether a question is about us."""
    return not words or words[0] in me.ident or words[0] in me.name


def _details(me: Identity) -> Lines:
    return (
        f"ID      : {me.ident}",
        f"Name    : {me.name}",
        f"Version : {me.version}",
        f"Mail    : {me.email}",
        f"Host    : {me.hostname}",
        f"Location: {me.location}",
        f"Hops    : {_NO_HOPS}",
        f"Lag     : {_NO_LAG} seconds",
        f"Flags  : {'METAR' if me.has_weather else ''}",
    )
