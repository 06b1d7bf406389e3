"""Passing messages on: who gets them, and as what bytes."""

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.session.relay import relay, relay_to_one
from rum_twisted.wire.messages.text import TextMessage
from rum_twisted.world.client import Client
from rum_twisted.world.visibility import Channel
from tests.support.server import MemoryServer, Terminal


class RelayTests(SynchronousTestCase):
    """One message, by every kind of destination."""

    @override
    def setUp(self) -> None:
        """Put a pilot on, and one of each who may get what he says."""
        self.server = MemoryServer()
        self.sender = self.server.log_on_pilot("KLM1")
        self.pilot = self.server.log_on_pilot("AFR2")
        self.controller = self.server.log_on_controller("EHAM_TWR")
        self.supervisor = self.server.log_on_controller("EHAM_SUP", rating=11)

    @property
    def client(self) -> Client:
        """Who speaks."""
        client = self.sender.session.client
        assert client is not None, "setUp() logs him on"
        return client

    def readers(self, destination: str, *, to_one: bool = False) -> list[Terminal]:
        """Pass a text on; return who reads it."""
        message = TextMessage("KLM1", destination, "a: b")
        if to_one:
            relay_to_one(self.sender.session, self.client, message)
        else:
            relay(self.sender.session, self.client, message, Channel.TEXT)
        self.server.fanout.settle()
        line = f"#TMKLM1:{destination}:a: b"
        read = {one: one.read() for one in self.server.terminals}
        self.assertTrue(all(lines in ([], [line]) for lines in read.values()))
        return [one for one, lines in read.items() if lines]

    def test_callsign(self) -> None:
        """One is reached by his callsign in any case, and nobody by another."""
        self.assertEqual(self.readers("afr2"), [self.pilot])
        self.assertEqual(self.readers("NOBODY"), [])
        self.assertEqual(self.readers(""), [])
        self.assertEqual(self.readers("SERVER"), [])

    def test_groups(self) -> None:
        """Groups reach their members without any range."""
        everybody = [self.pilot, self.controller, self.supervisor]
        self.assertEqual(self.readers("*"), everybody)
        self.assertEqual(self.readers("*x"), everybody)
        self.assertEqual(self.readers("*P"), [self.pilot])
        self.assertEqual(self.readers("*A"), [self.controller, self.supervisor])
        self.assertEqual(self.readers("*S"), [self.supervisor])

    def test_frequency(self) -> None:
        """A frequency reaches who is in range, and nobody without a position."""
        self.assertEqual(self.readers("@18100"), [])
        self.sender.say("@N:KLM1:2200:1:50.0:5.0:0:0:0:0")
        self.pilot.say("@N:AFR2:2200:1:50.1:5.0:0:0:0:0")
        self.controller.say("%EHAM_TWR:18100:4:50:5:60.0:5.0:0")
        self.sender.read()
        self.assertEqual(self.readers("@18100"), [self.pilot])

    def test_sender_gets_nothing_back(self) -> None:
        """Not even what he says to himself."""
        for destination in ("KLM1", "klm1", "*", "*P"):
            self.assertNotIn(self.sender, self.readers(destination))

    def test_one_is_one(self) -> None:
        """What may go to one client only goes to no group and no frequency."""
        self.assertEqual(self.readers("AFR2", to_one=True), [self.pilot])
        for destination in ("*", "*A", "*P", "*S", "@18100", "SERVER", "KLM1", ""):
            self.assertEqual(self.readers(destination, to_one=True), [])
