"""The console's password: who is let in, and how often one may guess."""

import hashlib
from collections.abc import Callable
from hmac import compare_digest
from pathlib import Path
from typing import Final, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from rum_twisted.console.interfaces import Verdict
from rum_twisted.terms.errors import WorldError
from rum_twisted.terms.units import Seconds

__all__ = ["FilePassword", "ThrottledPassword", "Throttling", "Verify"]

_LONGEST: Final = 1024  # bytes of a password file that are read
_OTHERS: Final = 0o077  # who has no business with it

Verify = Callable[[str], Deferred[bool]]


class Throttling(Protocol):
    """Counts wrong passwords, and says who has to wait."""

    def wait(self, cid: str, address: str, now: Seconds) -> Seconds:
        """Return how long he has to wait; 0: not at all."""

    def fail(self, cid: str, address: str, now: Seconds) -> object:
        """Count one."""

    def lift(self, key: str) -> bool:
        """Forget those of an address."""


class FilePassword:
    """The first line of a file, which is read at each try: it may be changed.

    Args:
        path: the file.
    """

    log = Logger()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_told = False  # that others may read it

    def verify(self, typed: str) -> Deferred[bool]:
        """Check; nothing is right while the file cannot be read, or is empty."""
        try:
            with self._path.open("rb") as file:
                kept = file.read(_LONGEST).split(b"\n", 1)[0].strip()
            is_open = bool(self._path.stat().st_mode & _OTHERS)
        except OSError as error:
            self.log.warn(
                "console.password_file {path} cannot be read: {trouble}",
                path=self._path,
                trouble=error.strerror or str(error),
            )
            return succeed(False)  # noqa: FBT003 - the answer itself
        if is_open and not self._is_told:
            self._is_told = True
            self.log.warn(
                "console.password_file {path} may be read by others (chmod 600)",
                path=self._path,
            )
        return succeed(bool(kept) and _are_same(typed.encode("latin-1"), kept))


class ThrottledPassword:
    """Whoever guesses has to wait, and his guesses are not looked at meanwhile.

    Args:
        verify: checks what was typed.
        throttle: counts, by address.
        clock: for the times of failures.
    """

    log = Logger()

    def __init__(
        self, verify: Verify, throttle: Throttling, clock: IReactorTime
    ) -> None:
        self._verify = verify
        self._throttle = throttle
        self._clock = clock

    def check(self, typed: str, address: str) -> Deferred[Verdict]:
        """Check what was typed at ``address``."""
        wait = self._wait(address)
        if wait > 0:
            return succeed(Verdict(is_right=False, wait=wait))
        checked = self._verify(typed)
        return checked.addCallbacks(self._judge, self._give_up, callbackArgs=(address,))

    def _judge(self, is_right: bool, address: str) -> Verdict:  # noqa: FBT001
        # Many guesses at the same moment all come before the first has failed.
        wait = self._wait(address)
        if wait > 0:
            return Verdict(is_right=False, wait=wait)
        if is_right:
            self._throttle.lift(address)
            return Verdict(is_right=True)
        self._throttle.fail(address, address, self._now())
        return Verdict(is_right=False)

    def _give_up(self, failure: Failure) -> Verdict:
        """Refuse where nothing could be checked: too many wait, or we stop."""
        failure.trap(WorldError)
        return Verdict(is_right=False)

    def _wait(self, address: str) -> Seconds:
        return self._throttle.wait(address, address, self._now())

    def _now(self) -> Seconds:
        return Seconds(self._clock.seconds())


def _are_same(one: bytes, other: bytes) -> bool:
    """Compare two passwords in a time that does not tell their lengths."""
    digests = (hashlib.sha256(text).digest() for text in (one, other))
    return compare_digest(*digests)
