"""A hashed password, checked in a thread; imported only where there is one."""

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from typing_extensions import override

from rum_twisted.accounts.hashing import HashingPool
from rum_twisted.accounts.passwords import Argon2Parameters, Hasher
from rum_twisted.terms.measure import Measure

__all__ = ["hashed_password"]

_MOST_WAITING: Final = 16  # guesses; more are wrong without being looked at


def hashed_password(
    stored: str, reactor: Any
) -> tuple[Callable[[str], Deferred[bool]], HashingPool]:
    """Return what checks a password, and the service that has to run for it.

    Args:
        stored: its hash.
        reactor: is told from the thread that an answer is there.
    """
    pool = ConsoleHashing(
        Hasher(Argon2Parameters()), reactor, at_once=1, longest=_MOST_WAITING
    )
    pool.setName("console hashing")
    return HashedPassword(stored, pool).verify, pool


class ConsoleHashing(HashingPool):
    """The same as for members' passwords, and apart from it."""

    @override
    def measures(self) -> dict[str, Callable[[], Measure]]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {"console hashing": self.measure}


class HashedPassword:
    """A password of which the hash is known.

    Args:
        stored: the hash.
        pool: checks.
    """

    def __init__(self, stored: str, pool: HashingPool) -> None:
        self._stored = stored
        self._pool = pool

    def verify(self, typed: str) -> Deferred[bool]:
        """Check what was typed."""
        checked = self._pool.verify(self._stored, typed)
        return checked.addCallback(lambda verdict: verdict.ok)
