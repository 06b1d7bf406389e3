"""Lines as they may be shown to somebody else: without passwords.

Source: docs/protocol.md, "Logon".
"""

from typing import Final

__all__ = ["without_secrets"]

_LOGON: Final = b"#A"  # of pilots and of controllers
_HIDDEN: Final = b":***"


def without_secrets(line: bytes) -> bytes:
    """Return a line without its end, and of a logon only whose it is.

    Whatever could be meant as a logon counts as one: somebody who mistypes the prefix
    has typed his password all the same.

    Example: ``#APKLM1:SERVER:1000001:secret:1:9:2:Joe`` becomes ``#APKLM1:***``.
    """
    if not line.lstrip().upper().startswith(_LOGON):
        return line
    callsign, colon, _ = line.partition(b":")
    return callsign + _HIDDEN if colon else callsign
