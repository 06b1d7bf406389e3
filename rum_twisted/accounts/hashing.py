"""Passwords are checked in threads of their own, a few at a time.

A check is slow on purpose. On the reactor's thread it would hold everybody up, so it
runs on another; argon2 and bcrypt let Python go on meanwhile. Each check under way
fills some megabytes and a core: so there are few threads, and they yield to the reactor
where cores are scarce. What is asked for beyond that waits in a bounded queue.

A new hash for a member whose old one is of another kind is in no hurry. Such work is
done when nobody waits at the door.
"""

import ctypes
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from typing_extensions import override

from rum_twisted.accounts.passwords import Hasher, Verdict
from rum_twisted.accounts.queue import TooManyLogons
from rum_twisted.session.interfaces import AccountsUnavailable
from rum_twisted.terms.measure import Measure

__all__ = ["HashingPool", "IThreads", "make_threads", "return_freed_memory"]

T = TypeVar("T")

_LONGEST: Final = 2000  # waiting checks; a minute of one thread
_TASK: Final = 700  # bytes of one that waits: its Deferred, its work, its texts
# Of 19. At 10 a hash takes the core from a busy reactor ten times a second, for up to
# 5 ms, where they share one. At 19 a logon takes 5 s beside a busy neighbor, here 0.9.
_NICENESS: Final = 15
_STOPPING: Final = "the server is stopping; try again in a moment"
_NO_MEMORY: Final = "the server cannot check passwords just now; try again later"

# As glibc sets them by itself once a block of 1 MiB has been freed.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_MAPPED_FROM: Final = 1 << 20  # bytes; a block of this size or more is mapped by itself


class IThreads(Protocol):
    """The threads that a `HashingPool` needs; Twisted's `ThreadPool` is such."""

    def start(self) -> None:
        """Take work from now on."""

    def stop(self) -> None:
        """Take no more work, and end the threads when theirs is done."""

    def callInThreadWithCallback(  # noqa: N802 - Twisted's name
        self,
        onResult: Callable[[bool, Any], object],  # noqa: N803
        func: Callable[[], Any],
    ) -> None:
        """Call ``func`` in a thread, and there ``onResult`` with the outcome.

        Args:
            onResult: takes whether ``func`` returned, and what: the value, or else
                the ``Failure``.
            func: the work.
        """


def make_threads(number: int) -> IThreads:
    """Return ``number`` threads, of which each is started when it is first needed."""
    return ThreadPool(minthreads=0, maxthreads=number, name="passwords")


class _Task:
    """Work that was asked for."""

    __slots__ = ("answer", "work")

    def __init__(self, work: Callable[[], Any], answer: Deferred[Any]) -> None:
        self.work = work
        self.answer = answer


class HashingPool(Service):
    """Runs a `Hasher` off the reactor's thread.

    Args:
        hasher: makes and checks the hashes.
        reactor: is told from the threads that an answer is there.
        at_once: how many hashes are computed at the same time, at most.
        longest: how many checks may wait, and how many new hashes beside them.
        threads: makes the threads, anew at each start.

    Invariants: at most ``at_once`` hashes are under way, and so much of their memory is
    in use; nobody waits while fewer are; checks have their turns in order, and before
    all work that can wait.
    """

    log = Logger()

    def __init__(
        self,
        hasher: Hasher,
        reactor: IReactorFromThreads,
        *,
        at_once: int = 1,
        longest: int = _LONGEST,
        threads: Callable[[int], IThreads] = make_threads,
    ) -> None:
        self.name = "hashing"
        self._hasher = hasher
        self._reactor = reactor
        self._at_once = at_once
        self._longest = longest
        self._make_threads = threads
        self._threads: IThreads | None = None
        self._waiting: deque[_Task] = deque()
        self._unhurried: deque[_Task] = deque()
        self._running: set[_Task] = set()
        self._stopped: Deferred[None] | None = None
        self._of_thread = threading.local()

    @override
    def __repr__(self) -> str:
        return (
            f"<HashingPool: {len(self._running)} of {self._at_once} under way, "
            f"{self.waiting} waiting>"
        )

    @property
    def waiting(self) -> int:
        """How many checks and new hashes wait for their turn."""
        return len(self._waiting) + len(self._unhurried)

    @override
    def startService(self) -> None:
        """Take work from now on; no thread is started before there is any."""
        super().startService()
        self._tell_stopped()  # whoever waits for the end of what has begun anew
        self._open()

    @override
    def stopService(self) -> Deferred[None] | None:
        """Drop what waits, and wait for the hashes under way.

        Returns:
            a Deferred that fires when no thread is at work any more.
        """
        super().stopService()
        while self._waiting or self._unhurried:
            task = (self._waiting or self._unhurried).popleft()
            task.answer.errback(AccountsUnavailable(notice=_STOPPING))
        if not self._running:
            self._close()
            return None
        if self._stopped is None:
            self._stopped = Deferred()
        waiter: Deferred[None] = Deferred()
        self._stopped.chainDeferred(waiter)
        return waiter

    def verify(self, stored: str | None, password: str) -> Deferred[Verdict]:
        """Check a password in a thread; see `Hasher.verify`.

        Returns:
            a Deferred that fires with the verdict. It fails with `TooManyLogons` when
            too many wait already, and with `AccountsUnavailable` when the pool does
            not run or the machine has no memory for a hash. Cancelling it drops a check
            that waits; of one under way the verdict is dropped.
        """
        return self._ask(self._waiting, lambda: self._hasher.verify(stored, password))

    def hash(self, password: str) -> Deferred[str]:
        """Hash a password in a thread, when no check waits; see `Hasher.hash`.

        Returns:
            a Deferred that fires with the hash. It fails with `UnfitPassword`, and
            as for `verify`.
        """
        return self._ask(self._unhurried, lambda: self._hasher.hash(password))

    def measures(self) -> dict[str, Callable[[], Measure]]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {"hashing": self.measure}

    def measure(self) -> Measure:
        """Tell how much work waits; what a hash fills while it is made not counted."""
        count = len(self._waiting) + len(self._unhurried)
        return Measure(count=count, bytes=count * _TASK, bound=2 * self._longest)

    def _ask(self, queue: deque[_Task], work: Callable[[], T]) -> Deferred[T]:
        if not self.running:
            return fail(AccountsUnavailable(notice=_STOPPING))
        is_free = len(self._running) < self._at_once
        if not is_free and len(queue) >= self._longest:
            return fail(TooManyLogons())
        answer: Deferred[T] = Deferred(self._give_up)
        queue.append(_Task(work, answer))
        self._go_on()
        return answer

    def _go_on(self) -> None:
        """Give work to the threads that have none."""
        while len(self._running) < self._at_once:
            queue = self._waiting or self._unhurried
            if not queue:
                return
            task = queue.popleft()
            self._running.add(task)
            assert self._threads is not None
            self._threads.callInThreadWithCallback(
                partial(self._reactor.callFromThread, self._finish, task),
                partial(self._at_ease, task.work),
            )

    def _finish(self, task: _Task, ok: bool, result: Any) -> None:  # noqa: FBT001
        """Tell an outcome; then the next have their turn."""
        self._running.discard(task)
        # Whoever reads the answer may ask for more: what waits comes first.
        self._go_on()
        if not ok and result.check(MemoryError):
            self.log.error(
                "no memory to check a password; lower accounts.hash_memory or "
                "accounts.hash_threads, or give the server more"
            )
            result = Failure(AccountsUnavailable(notice=_NO_MEMORY))
        if not task.answer.called:
            task.answer.callback(result)  # a Failure, too
        if not self.running and not self._running:
            self._close()

    def _at_ease(self, work: Callable[[], T]) -> T:
        """Do the work, in a thread, at a lower priority than the reactor has.

        On Linux each thread has a priority of its own. Elsewhere, or where a sandbox
        forbids it, threads stay as they are.
        """
        if not getattr(self._of_thread, "is_nice", False):
            self._of_thread.is_nice = True
            if sys.platform == "linux":
                thread = threading.get_native_id()
                with suppress(OSError):
                    mine = os.getpriority(os.PRIO_PROCESS, thread)
                    os.setpriority(os.PRIO_PROCESS, thread, max(mine, _NICENESS))
        return work()

    def _open(self) -> None:
        if self._threads is None:
            return_freed_memory()
            self._threads = self._make_threads(self._at_once)
            self._threads.start()

    def _close(self) -> None:
        """End the threads, which have no work and so end at once."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.stop()
        self._tell_stopped()

    def _tell_stopped(self) -> None:
        stopped, self._stopped = self._stopped, None
        if stopped is not None:
            stopped.callback(None)

    def _give_up(self, answer: Deferred[Any]) -> None:
        """Forget work that waits and that nobody wants any more."""
        for queue in (self._waiting, self._unhurried):
            for task in queue:
                if task.answer is answer:
                    queue.remove(task)
                    return


def return_freed_memory() -> None:
    """Have large blocks go back to the system when they are freed.

    The memory of a hash is one large block. After the first, glibc would take the next
    ones from a heap of the thread, and keep that for ever: 9 MiB for each thread of a
    server that nobody logs on to. Setting the bound by hand ends that habit. It costs
    a quarter more time for each hash, as the system gives the pages anew.

    Where the C library is another one, nothing happens.

    Source: mallopt(3), "M_MMAP_THRESHOLD" and its note on the dynamic bound; figures
    in docs/accounts.md, "Passwords and guessing".
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM)
        mallopt(_M_TRIM_THRESHOLD, 2 * _MAPPED_FROM)
