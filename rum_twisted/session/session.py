"""One conversation: who speaks, where it stands, and the verbs its handlers use.

A `Session` is plain state: the phase, who the client is, and what he was counted
for. It holds no timer and no socket; the connection tells it of the end, and it
tells the connection what to send and when to close. What a line does to it stands in
`rum_twisted.session.commands`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.session.errors import InvalidSource
from rum_twisted.session.hooks import Gone
from rum_twisted.session.interfaces import IConnection
from rum_twisted.session.network import Network
from rum_twisted.session.phases import TRANSITIONS, Phase
from rum_twisted.session.replies import NOBODY, error_line, notice_line
from rum_twisted.session.tally import Closing
from rum_twisted.terms.errors import RumError, WorldError
from rum_twisted.terms.identity import fold
from rum_twisted.wire.codec import Message, encode
from rum_twisted.wire.messages.logon import ControllerDeparture, PilotDeparture
from rum_twisted.world.client import Client

__all__ = ["MAX_PENDING", "Session"]

MAX_PENDING: Final = 16  # answers one client may wait for at the same time


class Session:
    """One connection's conversation.

    Invariants: ``client`` is set exactly from ``LOGGED_ON`` on; a client is in the
    roster exactly while his session is ``LOGGED_ON``; everybody else hears of his
    departure once.
    """

    __slots__ = (
        "_held_for",
        "_pending",
        "client",
        "connection",
        "network",
        "phase",
        "was_denied",
    )

    log = Logger()

    def __init__(self, connection: IConnection, network: Network) -> None:
        self.connection = connection
        self.network = network
        self.phase = Phase.CONNECTED
        self.client: Client | None = None
        self.was_denied = False  # something he may not do; the log knows
        self._pending: tuple[Deferred[Any], ...] = ()  # answers waited for
        self._held_for: Deferred[Any] | None = None  # of these, that lines wait for

    @override
    def __repr__(self) -> str:
        """Tell who speaks, and where the conversation stands."""
        return f"<Session of {self.name}: {self.phase.value}>"

    @property
    def name(self) -> str:
        """What the client is addressed by."""
        return self.client.callsign if self.client else NOBODY

    @property
    def holds_back(self) -> bool:
        """Tell whether the client's next lines wait for an answer to this one."""
        return self._held_for is not None or len(self._pending) >= MAX_PENDING

    def refuse(self, error: RumError, callsign: str = "") -> None:
        """Tell the client what he did wrong, after what there is to say about it.

        Args:
            error: what it was.
            callsign: what a notice is addressed to, if he is not on yet: clients
                show texts to their own callsign only.
        """
        if isinstance(error, WorldError) and error.notice:
            self.connection.send(notice_line(callsign or self.name, error.notice))
        self.connection.send(error_line(error, self.name))

    def answer(self, message: Message) -> None:
        """Send the client a message."""
        self.connection.send(encode(message))

    def identify(self, source: str) -> Client:
        """Return who speaks, having checked that he says so.

        Raises:
            InvalidSource: ``source`` is somebody else's name, or nobody's.
        """
        client = self.client
        assert client is not None, "identify() is for those who are logged on"
        if source != client.callsign and fold(source) != fold(client.callsign):
            raise InvalidSource(source)
        return client

    def await_answer(
        self,
        deferred: Deferred[Any],
        handle: Callable[[Any], None],
        refused: Callable[[RumError], None] | None = None,
        *,
        hold: bool = False,
    ) -> None:
        """Go on with ``handle`` when ``deferred`` fires, unless the client is gone.

        Args:
            deferred: the answer that is waited for; it is cancelled if the session
                ends first.
            handle: takes the result.
            refused: takes the `RumError` with which it failed, if it did so; by
                default the client is told. Any other failure is logged, and the
                connection is closed.
            hold: hold the client's next lines back until then. Whoever waits for
                `MAX_PENDING` answers is held back in any case.
        """
        self._pending += (deferred,)
        if hold:
            self._held_for = deferred
        answer = partial(self._settle, deferred, handle, refused or self.refuse)
        deferred.addBoth(answer).addErrback(self._give_up)
        if deferred in self._pending and self.holds_back:
            self.connection.pause()

    def _settle(
        self,
        deferred: Deferred[Any],
        handle: Callable[[Any], None],
        refused: Callable[[RumError], None],
        result: Any,
    ) -> None:
        """Take the answer of ``deferred``, good or bad."""
        self._pending = tuple(one for one in self._pending if one is not deferred)
        if self._held_for is deferred:
            self._held_for = None
        if self.phase is Phase.CLOSED:
            return
        if not isinstance(result, Failure):
            handle(result)
        elif isinstance(result.value, RumError):
            refused(result.value)
        else:
            result.raiseException()
        self.connection.resume()

    def _give_up(self, failure: Failure) -> None:
        self.log.failure("no answer for {session}", failure, session=self)
        self.close(Closing.BUG)

    def enter(self, phase: Phase) -> None:
        """Go on to ``phase``, which must be one that may follow."""
        assert phase in TRANSITIONS[self.phase], (self.phase, phase)
        self.phase = phase

    def close(self, why: Closing) -> None:
        """End the conversation: what was said is delivered, nothing more is handled."""
        if self.phase is Phase.CLOSED:
            return
        self.end(why)
        self.connection.close()

    def end(self, why: Closing) -> None:
        """Leave the world, because the conversation is over or the socket is gone.

        Harmless where that has happened before.
        """
        if self.phase is Phase.CLOSED:
            return
        was_logged_on = self.phase is Phase.LOGGED_ON
        self.network.tally.closings[why] += 1
        self.enter(Phase.CLOSED)
        for deferred in self._pending:
            deferred.cancel()
        if was_logged_on:
            self._depart()

    def _depart(self) -> None:
        client = self.client
        assert client is not None
        network = self.network
        network.roster.remove(client)
        kind = PilotDeparture if client.is_pilot else ControllerDeparture
        network.delivery.leave(client)
        network.delivery.announce(encode(kind(client.callsign, client.cid)), None)
        network.logbook.logged_off(client)
        if network.plugins.is_attended:
            network.plugins.tell(Gone(client.callsign))
        self.log.info("{callsign} is gone", callsign=client.callsign, cid=client.cid)
