"""Who connects over SSH and shows no key."""

from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.manhole.shell import Shell
from rum_twisted.admin.manhole.ssh import LOGON_TIMEOUT, KeyFile, SSHManhole


class LogonTests(SynchronousTestCase):
    """A port that anybody on this machine may connect to."""

    @override
    def setUp(self) -> None:
        """Listen, on a reactor that stands still."""
        self.reactor = MemoryReactorClock()
        folder = Path(self.mktemp())
        self.service = SSHManhole(
            ("127.0.0.1", 6022),
            self.reactor,
            self.open_shell,
            self.note,
            keys=KeyFile(folder / "keys"),
            host_key=folder / "host_key",
        )
        self.service.startService()
        factory: Any = self.reactor.tcpServers[0][1]
        self.factory = factory
        self.factory.doStart()

    def open_shell(self, *arguments: object) -> Shell:
        """Fail: nobody comes so far."""
        raise AssertionError(arguments)

    def note(self, *arguments: object) -> None:
        """Fail, as above."""
        raise AssertionError(arguments)

    def connect(self) -> tuple[Any, StringTransport]:
        """Return a stranger's connection."""
        transport = StringTransport()
        protocol: Any = self.factory.buildProtocol(None)
        protocol.makeConnection(transport)
        return protocol, transport

    def test_whoever_shows_no_key(self) -> None:
        """He is hung up on after half a minute, whatever he says."""
        protocol, transport = self.connect()
        self.reactor.advance(LOGON_TIMEOUT - 1)
        protocol.dataReceived(b"SSH-2.0-patience\r\n")
        self.assertFalse(transport.disconnected)
        self.reactor.advance(1)
        self.assertTrue(transport.disconnected)

    def test_whoever_goes_before(self) -> None:
        """Nothing of him is left."""
        protocol, _ = self.connect()
        protocol.connectionLost()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(len(self.factory.seats), 0)
