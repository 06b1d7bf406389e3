"""Passwords are checked in other threads, a few at a time."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.accounts.hashing import HashingPool
from rum_twisted.accounts.passwords import (
    Argon2Parameters,
    Hasher,
    UnfitPassword,
    Verdict,
)
from rum_twisted.accounts.queue import TooManyLogons
from rum_twisted.session.interfaces import AccountsUnavailable
from rum_twisted.terms.errors import ErrorCode

CHEAP = Argon2Parameters(memory=8, passes=1)
RIGHT = Verdict(ok=True)


@implementer(IReactorFromThreads)
class Here:
    """A reactor's thread and a test's are the same."""

    def callFromThread(  # noqa: N802 - Twisted's name
        self,
        callable: Callable[..., Any],  # noqa: A002
        *args: object,
        **kwargs: object,
    ) -> None:
        """Call it now."""
        callable(*args, **kwargs)


class Threads:
    """Threads that work when the test says so, in order."""

    def __init__(self) -> None:
        self.is_running = False
        self.work: list[tuple[Callable[[bool, Any], object], Callable[[], Any]]] = []

    def start(self) -> None:
        """Take work; see `IThreads`."""
        self.is_running = True

    def stop(self) -> None:
        """Take no more work; see `IThreads`."""
        assert not self.work, "a thread is left at work"
        self.is_running = False

    def callInThreadWithCallback(  # noqa: N802 - Twisted's name
        self,
        onResult: Callable[[bool, Any], object],  # noqa: N803
        func: Callable[[], Any],
    ) -> None:
        """Keep the work; see `IThreads`."""
        assert self.is_running
        self.work.append((onResult, func))

    def run(self) -> None:
        """Let the first thread finish."""
        on_result, func = self.work.pop(0)
        try:
            result = func()
        except BaseException:  # noqa: BLE001 - as a real thread pool does
            on_result(False, Failure())  # noqa: FBT003
        else:
            on_result(True, result)  # noqa: FBT003


class StarvedHasher(Hasher):
    """Has no memory."""

    @override
    def verify(self, stored: str | None, password: str) -> Verdict:
        """Fail as on a machine without memory."""
        raise MemoryError("no memory for a hash of argon2id")


class PoolTests(SynchronousTestCase):
    """A pool of two threads, before which three may wait."""

    @override
    def setUp(self) -> None:
        """Start the pool."""
        self.made: list[Threads] = []
        self.hasher = Hasher(CHEAP)
        self.stored = self.hasher.hash("pw01")
        self.pool = self.make_pool(self.hasher)
        self.pool.startService()
        self.threads = self.made[0]

    def make_pool(self, hasher: Hasher) -> HashingPool:
        """Return a pool that is not started."""
        return HashingPool(
            hasher, Here(), at_once=2, longest=3, threads=self.make_threads
        )

    def make_threads(self, number: int) -> Threads:
        """Return threads, and remember them."""
        self.assertEqual(number, 2)
        self.made.append(Threads())
        return self.made[-1]

    def check(self, times: int, typed: str = "pw01") -> list[Deferred[Verdict]]:
        """Ask for so many checks."""
        return [self.pool.verify(self.stored, typed) for _ in range(times)]

    def run_all(self) -> None:
        """Let all work be done, what waits too."""
        while self.threads.work:
            self.threads.run()

    def test_verdict_comes_from_a_thread(self) -> None:
        """A password is checked when a thread has done so, and not before."""
        right, wrong = *self.check(1), *self.check(1, "pw02")
        self.assertNoResult(right)
        self.run_all()
        self.assertEqual(self.successResultOf(right), RIGHT)
        self.assertEqual(self.successResultOf(wrong), Verdict(ok=False))

    def test_unknown_cid_is_hashed_too(self) -> None:
        """Who does not exist is checked in the same way."""
        answer = self.pool.verify(None, "pw01")
        self.assertEqual(len(self.threads.work), 1)
        self.run_all()
        self.assertEqual(self.successResultOf(answer), Verdict(ok=False))

    def test_hash_comes_from_a_thread(self) -> None:
        """A new hash is made there as well, and is a good one."""
        answer = self.pool.hash("pw02")
        self.assertNoResult(answer)
        self.run_all()
        made = self.successResultOf(answer)
        self.assertEqual(self.hasher.verify(made, "pw02"), RIGHT)

    def test_unfit_password_is_told(self) -> None:
        """What cannot be hashed is refused with its reason."""
        answer = self.pool.hash("a:b")
        self.run_all()
        self.failureResultOf(answer, UnfitPassword)

    def test_few_are_under_way(self) -> None:
        """Two at once, and so much memory; the third waits."""
        answers = self.check(3)
        self.assertEqual((len(self.threads.work), self.pool.waiting), (2, 1))
        self.threads.run()
        self.assertEqual((len(self.threads.work), self.pool.waiting), (2, 0))
        self.successResultOf(answers[0])
        self.run_all()
        self.successResultOf(answers[2])

    def test_too_many_are_refused(self) -> None:
        """Three wait; a fourth is told so at once, until there is room again."""
        answers = self.check(5)
        (refused,) = self.check(1)
        error = self.failureResultOf(refused, TooManyLogons).value
        self.assertEqual(error.code, ErrorCode.SERVER_FULL)
        self.threads.run()
        answers += self.check(1)
        self.run_all()
        for answer in answers:
            self.assertEqual(self.successResultOf(answer), RIGHT)

    def test_new_hashes_wait_for_checks(self) -> None:
        """Nobody stands at the door while a better hash is made for another."""
        self.check(2)
        better = self.pool.hash("pw02")
        (check,) = self.check(1)
        self.threads.run()
        self.threads.run()
        self.threads.run()
        self.successResultOf(check)
        self.assertNoResult(better)
        self.run_all()
        self.successResultOf(better)

    def test_new_hashes_have_a_bound_of_their_own(self) -> None:
        """Three new hashes may wait, however many checks do."""
        self.check(5)
        hashes = [self.pool.hash("pw02") for _ in range(3)]
        self.failureResultOf(self.pool.hash("pw02"), TooManyLogons)
        self.assertEqual(self.pool.waiting, 6)
        self.run_all()
        for made in hashes:
            self.successResultOf(made)

    def test_check_that_waits_is_dropped_when_nobody_wants_it(self) -> None:
        """Who hangs up while he waits costs no hash."""
        first, second, third, fourth = self.check(4)
        third.cancel()
        self.failureResultOf(third, CancelledError)
        self.assertEqual(self.pool.waiting, 1)
        self.run_all()
        for answer in (first, second, fourth):
            self.assertEqual(self.successResultOf(answer), RIGHT)

    def test_check_under_way_is_finished_for_nobody(self) -> None:
        """Who hangs up while he is checked keeps his thread until it is done."""
        first, second, third = self.check(3)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual((len(self.threads.work), self.pool.waiting), (2, 1))
        self.run_all()
        self.successResultOf(second)
        self.successResultOf(third)

    def test_new_hash_that_waits_is_dropped_as_well(self) -> None:
        """When the server has no more use for it."""
        self.check(2)
        better = self.pool.hash("pw02")
        better.cancel()
        self.failureResultOf(better, CancelledError)
        self.assertEqual(self.pool.waiting, 0)

    def test_want_of_memory_is_told(self) -> None:
        """An operator reads what to do, and the member to come again."""
        pool = self.make_pool(StarvedHasher(CHEAP))
        pool.startService()
        answer = pool.verify(self.stored, "pw01")
        with capturedLogs() as logs:
            self.made[1].run()
        error = self.failureResultOf(answer, AccountsUnavailable).value
        self.assertIn("try again later", error.notice)
        (event,) = logs
        self.assertEqual(event["log_level"], LogLevel.error)
        self.assertIn("accounts.hash_memory", formatEvent(event))

    def test_pool_that_does_not_run_refuses(self) -> None:
        """Before its start nobody waits for what may never come."""
        answer = self.make_pool(self.hasher).verify(self.stored, "pw01")
        self.failureResultOf(answer, AccountsUnavailable)

    def test_stop_drops_what_waits_and_waits_for_the_rest(self) -> None:
        """Those who wait are told at once; threads are ended when they are done."""
        answers = self.check(4)
        better = self.pool.hash("pw02")
        stopped = self.pool.stopService()
        assert stopped is not None
        for answer in (*answers[2:], better):
            error = self.failureResultOf(answer, AccountsUnavailable).value
            self.assertIn("stopping", error.notice)
        self.assertNoResult(stopped)
        self.threads.run()
        self.assertNoResult(stopped)
        self.assertTrue(self.threads.is_running)
        self.threads.run()
        self.successResultOf(stopped)
        self.assertFalse(self.threads.is_running)
        for answer in answers[:2]:
            self.assertEqual(self.successResultOf(answer), RIGHT)
        self.failureResultOf(self.pool.verify(None, "pw01"), AccountsUnavailable)

    def test_idle_pool_stops_at_once(self) -> None:
        """Without work there is nothing to wait for; a second stop does no harm."""
        self.assertIsNone(self.pool.stopService())
        self.assertFalse(self.threads.is_running)
        self.assertIsNone(self.pool.stopService())

    def test_two_who_wait_for_the_stop_are_both_told(self) -> None:
        """Whoever asks the pool to stop learns when it has."""
        self.check(1)
        stops = [self.pool.stopService(), self.pool.stopService()]
        self.threads.run()
        for stop in stops:
            assert stop is not None
            self.successResultOf(stop)

    def test_pool_starts_again(self) -> None:
        """After a stop it works as before, with new threads."""
        self.pool.stopService()
        self.pool.startService()
        (answer,) = self.check(1)
        self.made[1].run()
        self.assertEqual(self.successResultOf(answer), RIGHT)

    def test_start_overtakes_a_stop(self) -> None:
        """Started again while a hash is under way, it goes on with its threads."""
        (first,) = self.check(1)
        stopped = self.pool.stopService()
        assert stopped is not None
        self.pool.startService()
        self.successResultOf(stopped)
        (second,) = self.check(1)
        self.run_all()
        for answer in (first, second):
            self.assertEqual(self.successResultOf(answer), RIGHT)
        self.assertTrue(self.threads.is_running)

    def test_who_asks_for_more_when_he_is_told_does_not_push_in(self) -> None:
        """An answer that leads to another check puts that at the end."""
        answers = self.check(3)
        later: list[Deferred[Verdict]] = []
        answers[0].addCallback(lambda _: later.extend(self.check(1)))
        self.threads.run()
        self.threads.run()
        self.threads.run()
        self.assertEqual(self.successResultOf(answers[2]), RIGHT)
        self.assertNoResult(later[0])
        self.run_all()
        self.successResultOf(later[0])

    def test_looking_at_it_shows_the_load(self) -> None:
        """In the manhole one line tells how much is under way, and no password."""
        self.check(4)
        self.assertEqual(repr(self.pool), "<HashingPool: 2 of 2 under way, 2 waiting>")
