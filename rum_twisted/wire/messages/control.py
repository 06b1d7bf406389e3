"""The connection itself: ``$PI`` ``$PO`` ``$ER`` ``$!!``."""

from dataclasses import dataclass

__all__ = ["ErrorMessage", "Kill", "Ping", "Pong"]


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks somebody, or the server, for a sign of life.

    Example: ``$PIKLM123:SERVER:1668012345678``
    """

    source: str
    destination: str
    data: str


@dataclass(frozen=True, slots=True)
class Pong:
    """Answers a `Ping` with the same data.

    Example: ``$POserver:KLM123:1668012345678``
    """

    source: str
    destination: str
    data: str


@dataclass(frozen=True, slots=True)
class Kill:
    """A supervisor ends somebody's session, or the server tells somebody so.

    Example: ``$!!EHAM_SUP:KLM123:Please read the rules``
    """

    source: str
    destination: str
    reason: str


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """Tells a client what it did wrong.

    Example: ``$ERserver:KLM123:007:NOBODY:No such callsign``
    """

    source: str
    destination: str
    code: int  # printed with three digits
    parameter: str
    text: str
