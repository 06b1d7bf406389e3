"""What the server itself says to one client."""

import re
from collections.abc import Mapping
from typing import Final

from rum_twisted.terms.errors import ErrorCode, RumError
from rum_twisted.wire.codec import encode
from rum_twisted.wire.messages.control import ErrorMessage
from rum_twisted.wire.messages.text import TextMessage

__all__ = [
    "ANNOUNCER",
    "NOBODY",
    "SERVER",
    "TIMEOUT_WARNING",
    "error_line",
    "notice_line",
    "text_line",
]

SERVER: Final = "server"
"""The server's name as a sender; some clients insist on the lower case."""

ANNOUNCER: Final = "SERVER"
"""Its name in announcements, kills and wind deltas."""

NOBODY: Final = "unknown"
"""Who is addressed before it is known who speaks."""

NOTICE_LENGTH: Final = 400
"""The most bytes of a notice; clients cut longer texts, some at 500."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

TIMEOUT_WARNING: Final = b"# Timeout\r\n"
"""The last line that a client reads who was silent too long."""

_TEXTS: Final[Mapping[ErrorCode, str]] = {
    ErrorCode.CALLSIGN_IN_USE: "Callsign in use",
    ErrorCode.INVALID_CALLSIGN: "Invalid callsign",
    ErrorCode.ALREADY_REGISTERED: "Already registered",
    ErrorCode.SYNTAX_ERROR: "Syntax error",
    ErrorCode.INVALID_SOURCE: "Invalid source callsign",
    ErrorCode.INVALID_CREDENTIALS: "Invalid CID/password",
    ErrorCode.NO_SUCH_CALLSIGN: "No such callsign",
    ErrorCode.NO_FLIGHT_PLAN: "No flightplan",
    ErrorCode.NO_WEATHER: "No such weather profile",
    ErrorCode.INVALID_REVISION: "Invalid protocol revision",
    ErrorCode.RATING_TOO_HIGH: "Requested level too high",
    ErrorCode.SERVER_FULL: "Too many clients connected",
    ErrorCode.SUSPENDED: "CID/PID was suspended",
}


def error_line(error: RumError, receiver: str = NOBODY) -> bytes:
    """Return the ``$ER`` line that tells ``receiver`` of ``error``.

    Example: ``$ERserver:KLM123:007:NOBODY:No such callsign``
    """
    return encode(
        ErrorMessage(SERVER, receiver, error.code, error.parameter, _TEXTS[error.code])
    )


def text_line(receiver: str, text: str) -> bytes:
    """Return a text from the server to ``receiver``."""
    return encode(TextMessage(SERVER, receiver, text))


def notice_line(receiver: str, notice: str) -> bytes:
    """Return a text that people wrote elsewhere, made fit for one line of FSD.

    It may be in any script: it goes out as UTF-8. Signs that would end the line or
    confuse a terminal become blanks, and what is too long for a packet is cut.

    Example: ``#TMserver:KLM123:suspended until 2026-12-01: abuse on frequency``
    """
    text = _CONTROL.sub(" ", notice).encode(errors="replace")[:NOTICE_LENGTH]
    whole = text.decode(errors="ignore").encode()  # no half letter at the cut
    return text_line(receiver, whole.decode("latin-1"))
