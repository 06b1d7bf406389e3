"""Accounts: ``cert``.

Source: docs/console.md, "Accounts".
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from time import gmtime, localtime, strftime, struct_time
from types import MappingProxyType
from typing import Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from rum_twisted.console.console import NAME, Console, Lines, Reply, Words
from rum_twisted.session.certificates import (
    MOST_LISTED,
    CertificateExists,
    CertificateRow,
    CertificateTrouble,
    NoSuchCertificate,
    Operator,
    UnfitCertificate,
)
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.units import Seconds

__all__ = ["cert", "without_password"]

_HEAD: Final = (
    "CID        Max level      Origin     Creation (UTC)       Last used (local)"
)
_RULE: Final = "-" * 75
_LEVELS: Final[Mapping[str, Rating]] = MappingProxyType(
    {
        "OBSPILOT" if rating is Rating.OBSERVER else rating.name: rating
        for rating in Rating
    }
)
"""The ratings by their classic names."""

_NAMES: Final = {rating: name for name, rating in _LEVELS.items()}
_PERISHABLE: Final = (
    "Your change has been executed, but the certificate file",
    "has not been updated. Please update this file if your change",
    "should be permanent.",
)
_LASTING: Final = (
    "Your change has been executed, and the database has been",
    "updated with it. Nothing else is to be done if your change",
    "should be permanent.",
)
_UNKNOWN_LEVEL: Final = "Unknown level, use 'help cert' for help."
_EXISTS: Final = "Certificate already exists."
_MISSING: Final = "Certificate does not exist."
_PASSWORD: Final = 2  # which word of ``cert add`` it is


def cert(console: Console, words: Words) -> Reply:
    """List accounts, or change one."""
    if len(words) < 2:  # noqa: PLR2004 - a mode and a CID
        return _list(console, words[0] if words else "")
    change = _MODES.get(words[0].lower())
    if change is None:
        return ("Invalid mode, should be 'add', 'delete' or 'modify'.",)
    return change(console, words[1:])


def without_password(words: Words) -> Words:
    """Return the arguments as a log may tell them."""
    if not words or words[0].lower() != "add" or len(words) <= _PASSWORD:
        return words
    return [*words[:_PASSWORD], "***", *words[_PASSWORD + 1 :]]


def _add(console: Console, words: Words) -> Reply:
    if len(words) < 3:  # noqa: PLR2004 - as the usage says
        return ("Usage: cert add <cid> <pwd> <level>",)
    cid, password, level, *_ = words
    rating = _LEVELS.get(level.upper())
    if rating is None:
        return (_UNKNOWN_LEVEL,)
    store = console.server.certificates
    return _told(console, store.add(cid, password, rating, _operator(console)))


def _delete(console: Console, words: Words) -> Reply:
    store = console.server.certificates
    return _told(console, store.delete(words[0], _operator(console)))


def _modify(console: Console, words: Words) -> Reply:
    if len(words) < 2:  # noqa: PLR2004 - as the usage says
        return ("Usage: cert modify <cid> <level>",)
    rating = _LEVELS.get(words[1].upper())
    if rating is None:
        return (_UNKNOWN_LEVEL,)
    store = console.server.certificates
    return _told(console, store.modify(words[0], rating, _operator(console)))


_MODES: Final[Mapping[str, Callable[[Console, Words], Reply]]] = MappingProxyType(
    {"add": _add, "delete": _delete, "modify": _modify}
)


def _operator(console: Console) -> Operator:
    return Operator(NAME, console.address)


def _told(console: Console, changed: Deferred[None]) -> Deferred[Lines]:
    """Return what the operator reads of a change."""
    store = console.server.certificates
    told: Deferred[Lines] = changed.addCallbacks(
        lambda _: _LASTING if store.is_permanent else _PERISHABLE, _excuse
    )
    return told


def _excuse(failure: Failure) -> Lines:
    """Return why an account was not changed, or listed."""
    failure.trap(CertificateTrouble)
    if failure.check(CertificateExists):
        return (_EXISTS,)
    if failure.check(NoSuchCertificate):
        return (_MISSING,)
    if failure.check(UnfitCertificate):
        return (f"Not changed: {failure.value}",)
    return (f"The accounts cannot be asked: {failure.value}",)


def _list(console: Console, text: str) -> Deferred[Lines]:
    found = console.server.certificates.matching(text)
    ident = console.server.identity.ident
    listed: Deferred[Lines] = found.addCallbacks(_table, _excuse, callbackArgs=(ident,))
    return listed


def _table(rows: Sequence[CertificateRow], ident: str) -> Iterator[str]:
    yield _HEAD
    yield _RULE
    for row in rows:
        created = _moment(row.created, gmtime)
        used = _moment(row.last_used, localtime)
        level = _NAMES[row.rating]
        origin = row.origin or ident
        yield f"{row.cid:<10} {level:<13}  {origin:<10} {created}  {used}"
    if len(rows) >= MOST_LISTED:
        yield f"({MOST_LISTED} are shown; name a part of the CID for fewer)"


def _moment(at: Seconds | None, zone: Callable[[float], struct_time]) -> str:
    return f"{'-':<19}" if at is None else strftime("%d-%m-%Y %H:%M:%S", zone(at))
