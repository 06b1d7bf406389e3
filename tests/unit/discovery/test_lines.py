"""The way to an etcd of several members, without a network."""

from typing import Any

from typing_extensions import override

from rum_twisted.discovery.errors import (
    AccessDenied,
    EtcdUnavailable,
    RequestRefused,
    TokenExpired,
)
from rum_twisted.discovery.lines import Line, Lines
from rum_twisted.rpc.bridge import deferred
from rum_twisted.terms.units import Seconds
from tests.support.loop import LoopTestCase


class Member:
    """A connection that does what a test says."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.is_closed = False

    async def close(self) -> None:
        """Note it."""
        assert not self.is_closed, "closed once"
        self.is_closed = True


class LinesTests(LoopTestCase):
    """Which member is asked."""

    @override
    def setUp(self) -> None:
        """Make lines to three members, none of which is connected yet."""
        super().setUp()
        self.made: list[Member] = []
        self.asked: list[str] = []
        self.within: list[float] = []
        self.errors: dict[str, list[Exception]] = {}
        self.lines: Lines[Member] = Lines(
            ("a", "b", "c"),
            connect=self.connect,
            close=Member.close,
            request_timeout=Seconds(6.0),
        )

    def connect(self, endpoint: str) -> Member:
        """Return another connection."""
        member = Member(endpoint)
        self.made.append(member)
        return member

    async def attempt(self, line: Line[Member], within: float) -> str:
        """Ask a member, which fails if it shall."""
        self.asked.append(line.endpoint)
        self.within.append(within)
        errors = self.errors.get(line.endpoint)
        if errors:
            raise errors.pop(0)
        return line.endpoint

    def ask(self) -> Any:
        """Return the answer, or the failure."""
        return self.outcome_of(deferred(self.lines.ask(self.attempt), self.loop))

    def test_first_one_is_asked_while_it_answers(self) -> None:
        """One connection is made, and it stays."""
        self.assertEqual([self.ask(), self.ask()], ["a", "a"])
        self.assertEqual(len(self.made), 1)

    def test_nothing_is_connected_before_the_first_request(self) -> None:
        """Making it opens nothing."""
        self.assertEqual((len(self.lines), self.made), (0, []))

    def test_next_one_is_asked_if_one_is_away(self) -> None:
        """The request succeeds all the same, and the next one goes there at once."""
        self.errors["a"] = [EtcdUnavailable("away")]
        self.assertEqual(self.ask(), "b")
        self.assertEqual(self.ask(), "b")
        self.assertEqual(self.asked, ["a", "b", "b"])
        self.assertEqual([member.is_closed for member in self.made], [True, False])

    def test_each_is_asked_once_if_all_are_away(self) -> None:
        """A request ends, in the time that it may take; the next begins in front."""
        for endpoint in "abc":
            self.errors[endpoint] = [EtcdUnavailable("away")]
        failure = self.ask()
        self.assertIsInstance(failure.value, EtcdUnavailable)
        self.assertEqual(self.asked, ["a", "b", "c"])
        self.assertEqual(sum(self.within), 6.0)
        self.assertEqual(self.ask(), "a")

    def test_refusal_is_no_reason_to_ask_another(self) -> None:
        """What etcd refuses, each member would."""
        for error in (RequestRefused("no"), AccessDenied("no")):
            self.errors["a"] = [error]
            self.assertIs(self.ask().value, error)
        self.assertEqual(self.asked, ["a", "a"])

    def test_new_token_is_tried_once(self) -> None:
        """A token that ran out is no failure; one that is refused again is."""
        self.errors["a"] = [TokenExpired("old")]
        self.assertEqual(self.ask(), "a")
        self.errors["a"] = [TokenExpired("old"), TokenExpired("new")]
        self.assertIsInstance(self.ask().value, TokenExpired)

    def test_connection_is_closed_when_its_last_request_ends(self) -> None:
        """A watch may go on over a member that another request has left."""
        self.errors["a"] = [EtcdUnavailable("away")]

        async def watch() -> list[bool]:
            closed = []
            with self.lines.line():
                await self.lines.ask(self.attempt)
                closed.append(self.made[0].is_closed)
            await self.lines.ask(self.attempt)
            return closed

        self.assertEqual(self.outcome_of(deferred(watch(), self.loop)), [False])
        self.turn()
        self.assertEqual([member.is_closed for member in self.made], [True, False])

    def test_closing_closes_all(self) -> None:
        """Nothing is left, and the next request makes a new connection."""
        self.ask()
        self.outcome_of(deferred(self.lines.close(), self.loop))
        self.assertTrue(self.made[0].is_closed)
        self.assertEqual(len(self.lines), 0)
        self.assertEqual(self.ask(), "a")
        self.assertEqual(len(self.made), 2)

    def test_single_member_keeps_its_connection(self) -> None:
        """With one member there is nothing to change to; gRPC reconnects."""
        lines = Lines(
            ("a",),
            connect=self.connect,
            close=Member.close,
            request_timeout=Seconds(6.0),
        )
        self.errors["a"] = [EtcdUnavailable("away")]
        failure: Any = self.outcome_of(deferred(lines.ask(self.attempt), self.loop))
        self.assertIsInstance(failure.value, EtcdUnavailable)
        self.assertFalse(self.made[0].is_closed)
