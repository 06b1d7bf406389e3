"""The far side of an outbox: transports that remember, connections that only take."""

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from twisted.internet.testing import StringTransport
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.pergola.fanout import Fanout
from rum_twisted.pergola.outbox import Outbox
from rum_twisted.session.interfaces import IConnection
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees, Feet
from rum_twisted.world.client import Client

BOUND = 16_384  # bytes, the least that the settings allow


def put(
    client: Client, latitude: float, longitude: float = 0.0, altitude: int = 0
) -> None:
    """Let a client be somewhere; degrees and feet."""
    client.position = Position(Degrees(latitude), Degrees(longitude))
    client.altitude = Feet(altitude)


def run(machine: type[RuleBasedStateMachine], *, examples: int) -> None:
    """Play a state machine, the same games each time.

    Raises:
        AssertionError: with the steps of the shortest game that went wrong.
    """
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                derandomize=True,
                deadline=None,
                database=None,
                report_multiple_bugs=False,
            ),
        )
    except Exception as error:
        notes = getattr(error, "__notes__", ())
        raise AssertionError("\n".join((repr(error), *notes))) from error


class CpuClock:
    """CPU seconds, spent by those who add to ``spent``."""

    def __init__(self) -> None:
        self.spent = 0.0

    def __call__(self) -> float:
        """Return the CPU seconds so far."""
        return self.spent


class Wire(StringTransport):
    """A transport that remembers each write.

    Args:
        cpu: the clock on which a write costs time.
        cost: of each write, CPU seconds.
    """

    is_narrow = False  # each write fills its buffer

    def __init__(self, cpu: CpuClock | None = None, cost: float = 0.0) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self._cpu = cpu or CpuClock()
        self.cost = cost

    @override
    def write(self, data: bytes) -> None:
        """Take all that is written."""
        super().write(data)
        self.writes.append(data)
        self._cpu.spent += self.cost
        if self.is_narrow and self.producer is not None:
            self.producer.pauseProducing()

    def take(self) -> list[bytes]:
        """Return the lines that were written since the last call."""
        lines: list[bytes] = self.value().splitlines(keepends=True)
        self.clear()
        return lines


@implementer(IConnection)
class Receiver:
    """A client's connection that takes what it is sent, and says nothing.

    Args:
        fanout: whose lines he gets.
        wire: what they are written to.
        bound: bytes that may wait.
    """

    address = "127.0.0.1"
    peer = "127.0.0.1"

    def __init__(
        self, fanout: Fanout, wire: Wire | None = None, bound: int = BOUND
    ) -> None:
        self.wire = wire or Wire()
        self.outbox = Outbox(self, self.wire, bound, fanout.turn)
        self.cuts: list[str] = []  # why he was cut
        self.is_disconnected = False
        self.ends = 0  # how often he was told that all is written

    def cut(self, reason: str) -> None:
        """Note that the client is cut."""
        self.cuts.append(reason)

    def disconnect(self) -> None:
        """Note that the client's session is ended."""
        self.is_disconnected = True

    def send(self, line: bytes) -> None:
        """Give the client a line."""
        self.outbox.push(line)

    def close(self) -> None:
        """Say no more, after what has been said."""
        self.outbox.finish(self._note_the_end)

    def pause(self) -> None:
        """Hold nothing back: nobody speaks here."""

    def resume(self) -> None:
        """Go on with nothing."""

    def stop_reading(self) -> None:
        """Let the transport be full: the client does not read."""
        self.outbox.pauseProducing()

    def read_on(self) -> None:
        """Let the transport have room again: the client reads."""
        self.outbox.resumeProducing()

    def _note_the_end(self) -> None:
        self.ends += 1
