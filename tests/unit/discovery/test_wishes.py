"""Wishes as the values of keys."""

import json

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.discovery.etcd import EtcdRegistry
from rum_twisted.discovery.keys import wish_key
from rum_twisted.discovery.service import DiscoveryClient
from rum_twisted.discovery.wishes import (
    LONGEST_WISH,
    WISH_LIVES,
    UnreadableWish,
    decode_wish,
    encode_wish,
)
from rum_twisted.terms.units import Seconds
from rum_twisted.terms.wish import Wish
from tests.support.fabric import chance
from tests.support.memory_etcd import MemoryEtcd, MemoryStore
from tests.support.wishes import make_wish

KEY = wish_key("/rum", "a-1")


class CodecTests(SynchronousTestCase):
    """There and back."""

    def test_round_trip(self) -> None:
        """What was wanted is read; what a later version adds is passed over."""
        wish = make_wish("a-1")
        value = encode_wish(wish)
        self.assertEqual(decode_wish("/rum", KEY, value), wish)
        more = json.dumps({**json.loads(value), "more": 7}).encode()
        self.assertEqual(decode_wish("/rum", KEY, more), wish)

    def test_nonsense(self) -> None:
        """It is named, and why it is none."""
        fields = json.loads(encode_wish(make_wish("a-1")))
        for value in (
            b"{",
            b"[]",
            *(
                json.dumps({**fields, **wrong}).encode()
                for wrong in (
                    {"kind": "fly"},
                    {"kind": None},
                    {"by": 7},
                    {"where": "two\nlines"},
                    {"asked": "1"},
                    {"asked": True},
                    {"asked": 10**400},
                    {"more": "x" * LONGEST_WISH},
                )
            ),
        ):
            with self.assertRaises(UnreadableWish):
                decode_wish("/rum", KEY, value)
        for key in ("/rum/rules/a-1", "/rum/wishes/", "/rum/wishes/a/b"):
            with self.assertRaises(UnreadableWish):
                decode_wish("/rum", key, encode_wish(make_wish("a-1")))


class LifeTests(SynchronousTestCase):
    """Wishes in an etcd in memory."""

    def test_nobody_takes_it_up(self) -> None:
        """Then it is gone by itself; nonsense under a key is passed over."""
        clock = Clock()
        store = MemoryStore(clock)
        registry = EtcdRegistry(
            MemoryEtcd(clock, store),
            clock,
            chance(),
            base_path="/rum",
            ttl=Seconds(5.0),
        )
        client = DiscoveryClient(registry)
        heard: list[tuple[Wish, ...]] = []
        client.startService()
        self.addCleanup(client.stopService)
        client.heed(heard.append)
        self.successResultOf(client.wish(make_wish("a-1")))
        clock.advance(0.1)
        self.assertEqual(heard[-1], (make_wish("a-1"),))
        clock.pump([0.5] * int(2 * WISH_LIVES + 4))
        self.assertEqual(self.successResultOf(client.look()).wishes, ())
        heard.clear()
        client.heed(None)
        self.successResultOf(client.wish(make_wish("a-2")))
        clock.advance(0.1)
        self.assertEqual(heard, [])

    def test_listener_that_fails(self) -> None:
        """It is logged; the next wish is told."""
        clock = Clock()
        registry = EtcdRegistry(
            MemoryEtcd(clock, MemoryStore(clock)),
            clock,
            chance(),
            base_path="/rum",
            ttl=Seconds(5.0),
        )
        client = DiscoveryClient(registry)
        client.startService()
        self.addCleanup(client.stopService)
        heard: list[tuple[Wish, ...]] = []

        def fail(wishes: tuple[Wish, ...]) -> None:
            heard.append(wishes)
            raise RuntimeError("no")

        client.heed(fail)
        for name in ("a-1", "a-2"):
            self.successResultOf(client.wish(make_wish(name)))
            clock.advance(0.1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.assertEqual(len(heard[-1]), 2)
