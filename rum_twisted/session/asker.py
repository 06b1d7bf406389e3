"""On whose behalf something is asked, for whoever has to ask another process.

An answer does not depend on it, so the interfaces do not have it; which of several
processes answers may. Whoever asks later than he was called keeps it till then.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

__all__ = ["asked_by", "asker"]

_ASKER: Final[ContextVar[str]] = ContextVar("asker", default="")


@contextmanager
def asked_by(cid: str) -> Iterator[None]:
    """Let everything that is asked within be asked on behalf of a member."""
    token = _ASKER.set(cid)
    try:
        yield
    finally:
        _ASKER.reset(token)


def asker() -> str:
    """Return the CID of the member on whose behalf we are called; "": of nobody."""
    return _ASKER.get()
