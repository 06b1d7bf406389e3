"""The front as it is put together: what its turns are tuned by."""

import gc
from random import Random
from threading import Thread
from time import thread_time

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.memory import MemoryAccounts
from rum_twisted.accounts.memorylogbook import MemoryLogbook
from rum_twisted.assembly.front import Front
from rum_twisted.config import load
from rum_twisted.weather.memory import MemoryWeather
from tests.support.builders import ACCOUNTS, make_client
from tests.unit.pergola.builders import Receiver, Wire, put

WORK = 0.1  # CPU seconds of another thread; several of the longest turns
REPORT = b"@N:KLM1:1200:1\r\n"


class BusyWire(Wire):
    """A transport during whose writes another thread works, as one that hashes."""

    @override
    def write(self, data: bytes) -> None:
        """Take what is written, and wait until the other thread has done its work."""
        super().write(data)
        other = Thread(target=_work)
        other.start()
        other.join()


def _work() -> None:
    begun = thread_time()
    while thread_time() - begun < WORK:
        pass


class TurnTests(SynchronousTestCase):
    """The pace of reports."""

    def test_work_of_other_threads_makes_no_turn_longer(self) -> None:
        """While passwords are hashed, those who fly are told as often as ever."""
        gc.disable()  # a collection would be work of this thread
        self.addCleanup(gc.enable)
        clock = Clock()
        config = load()
        front = Front(config, clock, Random(1))  # noqa: S311 - for the wind
        fanout = front.pergola(
            MemoryAccounts(ACCOUNTS), MemoryLogbook(), MemoryWeather({})
        ).fanout
        wires = {name: BusyWire() for name in ("KLM1", "KLM2")}
        for name, wire in wires.items():
            client = make_client(name)
            front.roster.add(client)
            fanout.join(client, Receiver(fanout, wire))
            put(client, 50.0)
        sender, receiver = front.roster
        for client in (receiver, sender):  # the second has somebody in range
            fanout.report(client, REPORT)
            fanout.settle()
            clock.advance(config.pergola.turn_max)
        self.assertEqual(wires["KLM2"].take(), [REPORT])
        fanout.report(sender, REPORT)
        fanout.settle()
        self.assertEqual(wires["KLM2"].take(), [REPORT])
        fanout.report(sender, REPORT)
        fanout.settle()
        # A turn that cost WORK would be followed by the longest pause there is.
        clock.advance(config.pergola.turn_max / 2)
        self.assertEqual(wires["KLM2"].take(), [REPORT])
