"""Deferreds and coroutines, each turned into the other."""

import asyncio

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.rpc.bridge import deferred, future
from tests.support.loop import LoopTestCase


class OfOurs(Exception):
    """An exception that neither side knows."""


class DeferredTests(LoopTestCase):
    """A coroutine, seen as a Deferred."""

    @override
    def setUp(self) -> None:
        """Make something to wait for."""
        super().setUp()
        self.gate: asyncio.Future[str] = self.loop.create_future()
        self.ended: list[str] = []

    async def wait(self) -> str:
        """Wait at the gate, and note how that ended."""
        try:
            return await self.gate
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise

    def test_result_comes_when_the_coroutine_returns(self) -> None:
        """It fires with what the coroutine returns, and not earlier."""
        outcome = deferred(self.wait(), self.loop)
        self.turn()
        self.assertNoResult(outcome)
        self.gate.set_result("METAR")
        self.assertEqual(self.outcome_of(outcome), "METAR")

    def test_exception_comes_out_unchanged(self) -> None:
        """The very exception that was raised is that of the failure."""
        error = OfOurs("LFPG")
        outcome = deferred(self.wait(), self.loop)
        self.gate.set_exception(error)
        failure = self.outcome_of(outcome)
        assert isinstance(failure, Failure)
        self.assertIs(failure.value, error)

    def test_cancelling_ends_the_task_first(self) -> None:
        """It fires when the coroutine has ended, and with Twisted's error."""
        outcome = deferred(self.wait(), self.loop)
        self.turn()
        outcome.cancel()
        self.assertNoResult(outcome)
        failure = self.outcome_of(outcome)
        assert isinstance(failure, Failure)
        self.assertIsInstance(failure.value, CancelledError)
        self.assertEqual(self.ended, ["cancelled"])
        self.assertTrue(self.gate.cancelled())

    def test_cancelling_before_the_first_step_runs_nothing(self) -> None:
        """A coroutine that has not begun never does."""
        outcome = deferred(self.wait(), self.loop)
        outcome.cancel()
        failure = self.outcome_of(outcome)
        assert isinstance(failure, Failure)
        failure.trap(CancelledError)
        self.assertEqual(self.ended, [])

    def test_coroutine_may_end_otherwise(self) -> None:
        """A coroutine that answers though it was cancelled is heard."""

        async def stubborn() -> str:
            try:
                return await self.gate
            except asyncio.CancelledError:
                return "last word"

        outcome = deferred(stubborn(), self.loop)
        self.turn()
        outcome.cancel()
        self.assertEqual(self.outcome_of(outcome), "last word")

    def test_second_cancelling_waits_no_longer(self) -> None:
        """Whoever cancels twice is not held up by a coroutine that takes its time."""
        slow: asyncio.Future[None] = self.loop.create_future()

        async def tidy_up() -> None:
            try:
                await self.gate
            finally:
                await slow

        outcome = deferred(tidy_up(), self.loop)
        self.turn()
        outcome.cancel()
        self.turn(3)
        self.assertNoResult(outcome)
        outcome.cancel()
        self.failureResultOf(outcome, CancelledError)
        slow.set_result(None)
        self.turn(3)

    def test_time_out_is_told_as_for_any_deferred(self) -> None:
        """`Deferred.addTimeout` knows the cancellation when it comes back."""
        clock = Clock()
        outcome = deferred(self.wait(), self.loop).addTimeout(5.0, clock)
        self.turn()
        clock.advance(5.0)
        failure = self.outcome_of(outcome)
        assert isinstance(failure, Failure)
        failure.trap(defer.TimeoutError)


class FutureTests(LoopTestCase):
    """A Deferred, awaited by asyncio code."""

    async def wait(self, outcome: Deferred[str]) -> str:
        """Await a Deferred as grpc's code does."""
        return await future(outcome, self.loop)

    def test_result_is_awaited(self) -> None:
        """The coroutine goes on with the result, whenever it comes."""
        later: Deferred[str] = Deferred()
        for source in (succeed("now"), later):
            outcome = deferred(self.wait(source), self.loop)
            self.turn()
            if source is later:
                self.assertNoResult(outcome)
                later.callback("now")
            self.assertEqual(self.outcome_of(outcome), "now")

    def test_exception_goes_through_both_ways(self) -> None:
        """A failure crosses twice and is still the same exception."""
        error = OfOurs("LFPG")
        failure = self.outcome_of(deferred(self.wait(fail(error)), self.loop))
        assert isinstance(failure, Failure)
        self.assertIs(failure.value, error)

    def test_cancelling_the_task_cancels_the_deferred(self) -> None:
        """A call that is given up gives up what it waited for."""
        given_up: list[object] = []
        source: Deferred[str] = Deferred(given_up.append)
        outcome = deferred(self.wait(source), self.loop)
        self.turn()
        outcome.cancel()
        failure = self.outcome_of(outcome)
        assert isinstance(failure, Failure)
        failure.trap(CancelledError)
        self.turn(2)
        self.assertEqual(given_up, [source])
        self.successResultOf(source)  # its failure has been taken care of

    def test_cancelled_deferred_is_told_unchanged(self) -> None:
        """What others gave up reads as it does to Twisted's code."""
        source: Deferred[str] = Deferred()
        outcome = deferred(self.wait(source), self.loop)
        self.turn()
        source.cancel()
        failure = self.outcome_of(outcome)
        assert isinstance(failure, Failure)
        failure.trap(CancelledError)
