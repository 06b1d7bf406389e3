"""How an etcd is reached, and the requests that are under way."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import grpc
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.discovery.access import (
    EtcdAccess,
    Requests,
    range_end,
    read_credentials,
)
from rum_twisted.discovery.errors import (
    AccessDenied,
    EtcdUnavailable,
    LeaseLost,
    RequestRefused,
    TokenExpired,
)
from rum_twisted.discovery.statuses import error_for, is_lost_token
from tests.support.loop import LoopTestCase

Code = grpc.StatusCode
T = TypeVar("T")


class AccessTests(SynchronousTestCase):
    """What we need to know of an etcd."""

    def test_password_is_not_shown(self) -> None:
        """It stands in no line about the access."""
        access = EtcdAccess(endpoints=("a:1",), user="rum", password="hush")
        self.assertNotIn("hush", repr(access))

    def test_missing_certificate_is_named(self) -> None:
        """An operator reads which file is missing."""
        path = Path(self.mktemp())
        access = EtcdAccess(endpoints=("a:1",), uses_tls=True, tls_ca=path)
        with self.assertRaises(AccessDenied) as caught:
            read_credentials(access)
        self.assertIn(str(path), str(caught.exception))

    def test_key_is_not_shown(self) -> None:
        """What is read from the files can be shown, but not the key."""
        path = Path(self.mktemp())
        path.write_bytes(b"SECRET")
        access = EtcdAccess(endpoints=("a:1",), uses_tls=True, tls_key=path)
        self.assertNotIn("SECRET", repr(read_credentials(access)))

    def test_end_of_a_range(self) -> None:
        """The first key behind a prefix is that with its last sign raised."""
        self.assertEqual(range_end("/rum/"), b"/rum0")
        self.assertEqual(range_end("a"), b"b")
        self.assertEqual(range_end(""), b"\0")


class StatusTests(SynchronousTestCase):
    """What etcd's answers mean to us."""

    def test_each_status_has_its_error(self) -> None:
        """Words count where etcd's statuses say too little."""
        for code, words, due in (
            (Code.UNAVAILABLE, "connection refused", EtcdUnavailable),
            (Code.DEADLINE_EXCEEDED, "", EtcdUnavailable),
            (Code.UNKNOWN, "stopped", EtcdUnavailable),
            (Code.RESOURCE_EXHAUSTED, "too many requests", EtcdUnavailable),
            (None, None, EtcdUnavailable),
            (Code.NOT_FOUND, "etcdserver: requested lease not found", LeaseLost),
            (Code.UNAUTHENTICATED, "etcdserver: invalid auth token", TokenExpired),
            (Code.INVALID_ARGUMENT, "revision of auth store is old", TokenExpired),
            (Code.INVALID_ARGUMENT, "etcdserver: user name is empty", TokenExpired),
            (Code.PERMISSION_DENIED, "permission denied", AccessDenied),
            (Code.INVALID_ARGUMENT, "authentication failed, ...", AccessDenied),
            (Code.FAILED_PRECONDITION, "not enabled", RequestRefused),
            (Code.INVALID_ARGUMENT, "key is not provided", RequestRefused),
        ):
            error = error_for(code, words, "etcd1:2379")
            self.assertIs(type(error), due, (code, words))
            self.assertIn("etcd1:2379", str(error))

    def test_long_words_are_cut(self) -> None:
        """What another says cannot fill our log."""
        error = error_for(Code.UNAVAILABLE, "x" * 100_000, "a:1")
        self.assertLess(len(str(error)), 300)

    def test_why_a_watch_was_ended(self) -> None:
        """A token that ran out is called a permission that is denied."""
        self.assertTrue(is_lost_token("etcdserver: permission denied"))
        self.assertTrue(is_lost_token("etcdserver: invalid auth token"))
        self.assertFalse(is_lost_token("etcdserver: no leader"))


class RequestsTests(LoopTestCase):
    """None outlives its connection."""

    @override
    def setUp(self) -> None:
        """Make an open connection's requests."""
        super().setUp()
        self.requests = Requests()
        self.requests.allow()

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Begin a request while the loop runs."""
        begun: list[Deferred[T]] = []
        self.loop.call_soon(lambda: begun.append(self.requests.begin(coroutine)))
        self.turn()
        return begun[0]

    async def wait(self) -> None:
        """Never answer."""
        await asyncio.Event().wait()

    async def answer(self) -> int:
        """Answer."""
        return 7

    def test_answer_comes_out(self) -> None:
        """A request that is over is forgotten."""
        self.assertEqual(self.outcome_of(self.begin(self.answer())), 7)
        self.assertEqual(len(self.requests), 0)

    def test_end_cancels_all(self) -> None:
        """Each fails with CancelledError before the end is told."""
        outcomes: list[Any] = []
        for _ in range(3):
            self.begin(self.wait()).addErrback(outcomes.append)
        self.turn()
        self.assertEqual(len(self.requests), 3)
        self.outcome_of(self.requests.end())
        self.assertEqual(len(outcomes), 3)
        for outcome in outcomes:
            self.assertTrue(outcome.check(CancelledError))
        self.assertEqual(len(self.requests), 0)

    def test_none_begins_afterwards(self) -> None:
        """A connection that is closed refuses at once."""
        self.outcome_of(self.requests.end())
        outcome = self.outcome_of(self.begin(self.answer()))
        assert isinstance(outcome, Failure)
        self.assertTrue(outcome.check(EtcdUnavailable))
