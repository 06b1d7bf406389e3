"""Bytes of one client in, bytes out: the only module that knows his transport.

Lines end in CR, LF, or both, and for everybody alike: a server that splits at CR LF
only lets a liar put a line into somebody else's mouth. Segments may be cut anywhere.

The end of a connection needs care. A socket that is closed while input is unread
makes the kernel throw away what was just written, and with it the ``$ER`` that says
why a logon was refused. So the connection is closed for writing first; what still
comes in is read and dropped until the client closes too, or a moment has passed.
"""

from socket import (
    IPPROTO_TCP,
    SO_SNDBUF,
    SOL_SOCKET,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_USER_TIMEOUT,
)
from typing import Any, Final

from twisted.internet.tcp import Server
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.pergola.connections import SWEEP_INTERVAL, Connections
from rum_twisted.pergola.fanout import Fanout
from rum_twisted.pergola.limits import Limits, Traffic
from rum_twisted.pergola.outbox import Outbox
from rum_twisted.pergola.trace import Take, Tap
from rum_twisted.session.commands import receive
from rum_twisted.session.errors import ServerFull
from rum_twisted.session.hooks import Connected, Hook
from rum_twisted.session.interfaces import IConnection
from rum_twisted.session.network import Network
from rum_twisted.session.phases import Phase
from rum_twisted.session.replies import TIMEOUT_WARNING, text_line
from rum_twisted.session.session import Session
from rum_twisted.session.staff import is_needed, tell_staff
from rum_twisted.session.tally import OTHER, Closing
from rum_twisted.wire.errors import LineTooLong

__all__ = ["FSDProtocol"]

LINES_AT_A_TIME: Final = 25
"""How many lines of one client are handled before others have their turn."""

_KEEPALIVE: Final = ((TCP_KEEPIDLE, 60), (TCP_KEEPINTVL, 15), (TCP_KEEPCNT, 4))
"""Asks a silent client's machine after a minute, and four times until it is gone."""


_GONE_WORDS: Final = b"(the connection is closed)"  # the last line that is shown


@implementer(IConnection)
class _Gone:
    """What a session and an outbox hold when their connection is gone.

    In its place, the connection would be kept by those that it keeps, until a search
    for unreachable objects: thousands of them after an evening of poor lines.
    """

    __slots__ = ()
    outbox = None
    address = ""
    peer = "nowhere"

    def send(self, line: bytes) -> None:
        """Say nothing to nobody."""

    def pause(self) -> None:
        """Hold nothing back."""

    def resume(self) -> None:
        """Go on with nothing."""

    def close(self) -> None:
        """Be closed already."""

    def cut(self, reason: str) -> None:
        """Be cut already."""

    def disconnect(self) -> None:
        """Be disconnected already."""


_GONE: Final = _Gone()


@implementer(IConnection)
class FSDProtocol(LineReceiver):
    """One client's connection.

    All that it knows is plain state: the session, the outbox, the traffic, and
    ``_rest``, input that has not been handled yet.
    """

    __slots__ = (
        "_connections",
        "_fanout",
        "_is_busy",
        "_is_held",
        "_is_overlong",
        "_is_yielding",
        "_limits",
        "_receive",
        "_rest",
        "_tap",
        "outbox",
        "session",
        "traffic",
    )

    log = Logger()
    transport: Any  # ITransport and more, and always there when it is used
    outbox: Outbox
    traffic: Traffic

    def __init__(
        self,
        network: Network,
        fanout: Fanout,
        limits: Limits,
        connections: Connections,
    ) -> None:
        self._connections = connections
        self._fanout = fanout
        self._limits = limits
        self._rest = b""  # input not handled yet: held lines, the begin of a line
        self._is_overlong = False  # the line that comes in is dropped up to its end
        self._is_held = False  # the session waits for an answer
        self._is_yielding = False  # others have their turn
        self._is_busy = False  # lines are being handled
        self._receive = receive  # or a tap, which shows each line to an operator
        self._tap: Tap | None = None
        self.session = Session(self, network)

    @override
    def __repr__(self) -> str:
        """Tell who is at the other end."""
        return f"<FSDProtocol of {self.session.name}>"

    # What Twisted calls.

    @override
    def connectionMade(self) -> None:
        """Meet a client: say nothing, unless the server is full."""
        self.traffic = Traffic(self._connections.clock.seconds())
        _tune(self.transport, self._limits)
        self.outbox = Outbox(
            self, self.transport, self._limits.outbox_bytes, self._fanout.turn
        )
        self._fanout.turn.tally.accepted += 1
        if self._connections.admit(self):
            plugins = self.session.network.plugins
            if Hook.CONNECTED in plugins.wanted:
                plugins.tell(Connected(self.address))
            return
        self.session.refuse(ServerFull())
        self.session.close(Closing.FULL)
        self._fanout.settle()

    @override
    def dataReceived(self, data: bytes) -> None:
        """Take bytes as they come, cut in any way."""
        if self.session.phase is Phase.CLOSED:
            return
        traffic = self.traffic
        traffic.count(len(data))
        traffic.read_at = self._connections.clock.seconds()
        self._fanout.turn.tally.bytes_in += len(data)
        if self._rest:
            data = self._rest + data
            self._rest = b""
        if self._is_held or self._is_yielding:
            self._rest = data
        else:
            self._handle(data)

    @override
    def lineReceived(self, line: bytes) -> None:
        """Handle one line; a fault of ours costs this connection, and no other."""
        try:
            self._receive(self.session, line)
        except Exception:  # noqa: BLE001  # the boundary that outlives its guests
            self.log.failure("a line of {session} met a bug", session=self.session)
            self.session.close(Closing.BUG)

    @override
    def lineLengthExceeded(self, line: bytes) -> None:
        """Drop a line that is too long, and go on with the next one."""
        self._fanout.turn.tally.lines_in[OTHER] += 1
        self.session.refuse(LineTooLong())

    @override
    def connectionLost(self, reason: Failure | None = None) -> None:
        """Note that the socket is gone: the client leaves the world at once."""
        self.outbox.stopProducing()
        self.session.end(Closing.BROKEN if self.outbox.is_broken else Closing.LOST)
        self._connections.forget(self)
        self.hide(_GONE_WORDS)
        self.outbox.owner = _GONE
        self.session.connection = _GONE
        self._fanout.settle()

    # What a session asks for.

    @property
    def address(self) -> str:
        """The client's network address; empty where it has none."""
        return str(getattr(self.transport.getPeer(), "host", ""))

    @property
    def peer(self) -> str:
        """The client's address, for the log."""
        return self.address or "an unknown place"

    def send(self, line: bytes) -> None:
        """Give the client a line; it leaves at once."""
        self.outbox.push(line)

    def pause(self) -> None:
        """Hold the lines that follow back until `resume`."""
        self._is_held = True
        self.transport.pauseProducing()

    def resume(self) -> None:
        """Go on with the lines held back; what was said meanwhile leaves."""
        if self._is_held and not self.session.holds_back:
            self._is_held = False
            # What was held back has not waited for us.
            self.traffic.read_at = self._connections.clock.seconds()
            self._go_on()
        if not self._is_busy:
            self._fanout.settle()

    def close(self) -> None:
        """Say no more, after what has been said; called by the session's end."""
        self._rest = b""
        self._connections.dismiss(self)
        self.outbox.finish(self._hang_up)
        if not self._is_busy:
            self._fanout.settle()

    # What the rest of the server asks for.

    def show(self, take: Take) -> bool:
        """Show what comes and goes from now on, until `hide`; one show at a time.

        Args:
            take: shows a line.

        Returns:
            whether nothing was shown yet.
        """
        if self._tap is not None or self.session.phase is not Phase.LOGGED_ON:
            return False
        tap = self._tap = Tap(receive, self.outbox.send, take)
        self._receive = tap.receive
        self.outbox.send = tap.send
        self.outbox.tap = tap
        return True

    def hide(self, last_words: bytes = b"") -> None:
        """Show nothing more, after ``last_words``; harmless where nothing is shown."""
        tap, self._tap = self._tap, None
        if tap is None:
            return
        tap.close(last_words)
        self._receive = receive
        self.outbox.untap()

    @property
    def waiting_in(self) -> int:
        """Bytes of input that wait to be handled."""
        return len(self._rest)

    @property
    def waiting_out(self) -> int:
        """Bytes of memory that output takes which waits to be taken."""
        return self.outbox.cost

    @property
    def is_needed(self) -> bool:
        """Whether others rely on the client."""
        client = self.session.client
        return client is not None and is_needed(client)

    @property
    def name(self) -> str:
        """What the client is addressed by."""
        return self.session.name

    @property
    def queued(self) -> int:
        """Bytes of output that wait to be taken, as they count for the bound."""
        return self.outbox.waiting

    def say(self, text: str) -> None:
        """Send the client a text of the server, if he is on."""
        if self.session.phase is Phase.LOGGED_ON:
            self.send(text_line(self.session.name, text))

    def disconnect(self, why: Closing = Closing.KILLED) -> None:
        """End the session as if the client had logged off."""
        self.session.close(why)

    def cut(self, reason: str, why: Closing = Closing.OVERFLOW) -> None:
        """Disconnect a client at once who does not read, or whose socket is dead."""
        self.log.warn(
            "{callsign} is cut: {reason}", callsign=self.session.name, reason=reason
        )
        self.session.end(why)
        self._connections.dismiss(self)
        self.outbox.stopProducing()
        self.transport.abortConnection()

    def check(self, now: float) -> None:
        """Look after this connection, about once a second."""
        limits = self._limits
        self._note_slowness()
        if self.outbox.idle_sweeps * SWEEP_INTERVAL > limits.stall_timeout:
            reason = f"he took nothing for {limits.stall_timeout:g} s"
            self.cut(reason, Closing.STALLED)
            return
        is_on = self.session.phase is Phase.LOGGED_ON
        # Who has never said anything is both: what he has not done tells more.
        if not is_on and now - self.traffic.begun_at > limits.login_timeout:
            self._dismiss_for("not logging on", Closing.NO_LOGON, TIMEOUT_WARNING)
        elif now - self.traffic.last_line_at > limits.idle_timeout:
            self._dismiss_for("silence", Closing.SILENCE, TIMEOUT_WARNING)
        elif self.traffic.is_flooding(now, limits.flood_limit):
            self._dismiss_for("flooding", Closing.FLOODING)

    def _note_slowness(self) -> None:
        """Count how long a slow client takes nothing, and tell the staff of him."""
        outbox = self.outbox
        if not outbox.is_slow:
            if outbox.is_known_slow:
                outbox.is_known_slow = False
                self.log.info("{callsign} reads again", callsign=self.session.name)
            return
        outbox.idle_sweeps += 1
        if outbox.is_thinned and not outbox.is_known_slow:
            outbox.is_known_slow = True
            self.log.info("{callsign} reads slowly", callsign=self.session.name)
            network = self.session.network
            tell_staff(
                network.roster,
                network.delivery,
                f"{self.session.name} reads slowly: he is sent fewer positions, "
                "the nearest first.",
            )

    def _dismiss_for(self, reason: str, why: Closing, last_words: bytes = b"") -> None:
        self.log.info(
            "{callsign} is disconnected for {reason}",
            callsign=self.session.name,
            reason=reason,
        )
        if last_words:
            self.send(last_words)
        self.session.close(why)

    def _handle(self, data: bytes) -> None:
        """Handle the lines in ``data``; what is left becomes the rest."""
        *lines, begun = data.replace(b"\r", b"\n").split(b"\n")
        if lines and self._is_overlong:
            del lines[0]
            self._is_overlong = False
        lines = [line for line in lines if line]  # blank ones, and between CR and LF
        turn = self._fanout.turn
        turn.read_at = self.traffic.read_at
        self._is_busy = True
        for number, line in enumerate(lines):
            if self.session.phase is Phase.CLOSED:
                break
            if number == LINES_AT_A_TIME:
                self._yield()
            if self._is_held or self._is_yielding:
                self._rest = b"\n".join((*lines[number:], begun))
                break
            self._handle_line(line)
        else:
            if self.session.phase is not Phase.CLOSED:
                self._keep(begun)
        self._is_busy = False
        if self.session.phase is Phase.CLOSED:
            self._rest = b""
        self._fanout.settle()
        turn.read_at = None

    def _handle_line(self, line: bytes) -> None:
        self.traffic.last_line_at = self.traffic.read_at
        if len(line) + len(b"\r\n") > self._limits.max_line:
            self.lineLengthExceeded(line)
        else:
            self.lineReceived(line)

    def _keep(self, begun: bytes) -> None:
        """Keep the begin of a line, as long as it may still become one."""
        if self._is_overlong:
            return
        if len(begun) + len(b"\r\n") > self._limits.max_line:
            self._is_overlong = True
            self.lineLengthExceeded(begun)
        else:
            self._rest = begun

    def _yield(self) -> None:
        """Let others have their turn before the lines that follow."""
        self._is_yielding = True
        self.transport.pauseProducing()
        self._connections.clock.callLater(0, self._go_on_after_others)

    def _go_on_after_others(self) -> None:
        self._is_yielding = False
        self._go_on()

    def _go_on(self) -> None:
        """Handle the rest, and read on."""
        if self._is_held or self._is_yielding or self._is_busy:
            return
        data, self._rest = self._rest, b""
        self._handle(data)
        is_waiting = self._is_held or self._is_yielding
        if not is_waiting and self.session.phase is not Phase.CLOSED:
            self.transport.resumeProducing()

    def _hang_up(self) -> None:
        """Close for writing; the client has a moment to read and to close as well."""
        if type(self.transport) is not Server:
            self.transport.loseConnection()
            return
        self.transport.loseWriteConnection()
        self.transport.resumeProducing()  # and drop what comes


def _tune(transport: Any, limits: Limits) -> None:
    """Set a TCP connection up for short lines to many, some of whom are gone.

    Left alone, the kernel holds up to 4 MB for each client that sleeps, and takes a
    quarter of an hour to find out that a machine has vanished.
    """
    while type(transport) is not Server:  # TLS, or a proxy's wrapper
        transport = getattr(transport, "transport", None)
        if transport is None:
            return  # no TCP
    transport.setTcpNoDelay(True)
    transport.setTcpKeepAlive(True)
    socket = transport.getHandle()
    socket.setsockopt(SOL_SOCKET, SO_SNDBUF, limits.send_buffer)
    for option, value in _KEEPALIVE:
        socket.setsockopt(IPPROTO_TCP, option, value)
    # Who is alive but does not read is for us to cut, and to tell; so later.
    vanished_after = int(2 * limits.stall_timeout * 1000)  # ms
    socket.setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, vanished_after)
