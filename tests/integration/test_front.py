"""The front over real TCP: what sockets do, and what no fake transport shows."""

import contextlib
import resource
import socket
import struct
from functools import partial
from pathlib import Path

from OpenSSL.crypto import FILETYPE_PEM
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.ssl import KeyPair
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.pergola.service import CannotStart
from rum_twisted.session.tally import Closing
from tests.integration.front import (
    PASSWORD,
    Caller,
    FrontTestCase,
    SecureCaller,
    reactor,
)
from tests.support.roles import wait_until
from tests.support.twistd import PATIENCE, serve

WARNING = "# Timeout"
FAREWELL = "The server is going down."
MEGABYTE = 1_000_000
RESET = struct.pack("ii", 1, 0)  # of SO_LINGER: what closes it resets the connection
SMALL_BUFFERS = ("pergola.send_buffer=32768", "pergola.outbox_bytes=16384")


def names(lines: list[str], prefix: str) -> list[str]:
    """Return who is told of in the lines that begin with ``prefix``."""
    return [
        line.removeprefix(prefix).partition(":")[0]
        for line in lines
        if line.startswith(prefix)
    ]


class LogonTests(FrontTestCase):
    """How connections begin."""

    async def test_a_refusal_arrives_with_input_unread(self) -> None:
        """Who talks on behind a bad logon still reads why he was refused."""
        self.serve()
        for size in (1000, 200_000, 5 * MEGABYTE):
            caller = await self.connect()
            caller.stop_reading()
            caller.say("#APKLM1:SERVER:1000001:wrong:1:9:2:Joe")
            line = b"#TMKLM1:*:x\r\n"
            caller.send(line * (size // len(line)))
            await caller.sent()
            caller.read_on()
            self.assertEqual(
                await caller.end(),
                ["$ERserver:unknown:006:1000001:Invalid CID/password"],
            )
            assert caller.reason is not None
            self.assertTrue(caller.reason.check(ConnectionDone), caller.reason)

    async def test_fifty_race_for_one_callsign(self) -> None:
        """Exactly one wins; the others read that it is in use."""
        self.serve()
        callers = [await self.connect() for _ in range(50)]
        for caller in callers:
            caller.log_on("KLM1")
        answers = [await caller.line() for caller in callers]
        refused = "$ERserver:unknown:001::Callsign in use"
        self.assertEqual(answers.count(refused), 49)
        self.assertEqual(sum(line.startswith("#TMserver:KLM1:") for line in answers), 1)

    async def test_a_storm(self) -> None:
        """Three hundred who come at once all get in, and read of each other."""
        self.serve()
        callers = await gatherResults(
            [Deferred.fromCoroutine(self.connect()) for _ in range(300)],
            consumeErrors=True,
        )
        for number, caller in enumerate(callers):
            caller.log_on(f"KLM{number:03d}")
        for caller in callers:
            await caller.until("#TMserver:")
        late = await self.log_on("LATE1")
        late.say("#DPLATE1")
        for caller in callers:
            lines = await caller.until("#DPLATE1")
            arrivals = names(lines, "#AP")
            self.assertEqual(len(arrivals), len(set(arrivals)))
            self.assertNotIn(caller.callsign, arrivals)

    async def test_probes(self) -> None:
        """Who connects and closes at once is noticed by nobody."""
        self.serve()
        caller = await self.log_on("KLM1")
        for probe in [await self.connect() for _ in range(50)]:
            probe.transport.loseConnection()
            self.assertEqual(await probe.end(), [])
        await self.eventually(lambda: len(self.pergola.connections.open) == 1)
        self.assertEqual(await caller.sync(), [])

    async def test_a_full_server(self) -> None:
        """The third of two reads why he is turned away, and counts for nothing."""
        self.serve("pergola.max_clients=2")
        first, _ = await self.log_on("KLM1"), await self.log_on("KLM2")
        for _ in range(3):
            turned_away = await self.connect()
            self.assertEqual(
                await turned_away.end(),
                ["$ERserver:unknown:012::Too many clients connected"],
            )
        first.say("#DPKLM1:1000001")
        await first.end()
        await self.log_on("KLM3")


class LeavingTests(FrontTestCase):
    """How connections end."""

    async def test_dead_sockets(self) -> None:
        """Be it closed or reset: one departure at once, and the callsign is free."""
        self.serve()
        witness = await self.log_on("KLM1")
        for leave in ("loseConnection", "abortConnection", "loseConnection"):
            caller = await self.log_on("KLM2")
            caller.fly(1)
            getattr(caller.transport, leave)()
            await caller.end()
            await witness.until("#DPKLM2:1000001")
        await self.log_on("KLM2")
        lines = await witness.sync()
        self.assertEqual((names(lines, "#AP"), names(lines, "#DP")), (["KLM2"], []))

    async def test_a_dead_socket_in_the_middle_of_a_turn(self) -> None:
        """What he was owed is forgotten: nothing is written to a closed socket."""
        self.serve()
        await self.log_on("KLM1", latitude=50.0)
        other = await self.log_on("KLM2", latitude=59.1)  # at the limit of sight
        leaver, reporter = self.connection_of("KLM1"), self.connection_of("KLM2")
        report = b"@N:KLM2:2000:1:59.1:8.0:35000:1:0:0\r\n"
        with capturedLogs() as events:
            for _ in range(2):  # the second one waits for the end of the turn
                reporter.dataReceived(report)
            leaver.transport.connectionLost(Failure(ConnectionLost()))
            await other.until("#DPKLM1:1000001")
            await other.sync()
        told = [formatEvent(event) or "" for event in events]
        self.assertEqual([line for line in told if "is cut" in line], [])
        self.assertEqual(
            repr(self.pergola.connections), "<Connections: 1 open, 0 closing>"
        )

    async def test_a_socket_that_breaks(self) -> None:
        """Whose end is found by writing to him leaves at once, and counts as such."""
        self.serve()
        witness = await self.log_on("KLM1")
        with socket.create_connection(("127.0.0.1", self.port)) as guest:
            guest.sendall(f"#APKLM2:SERVER:1000001:{PASSWORD}:1:9:2:Joe\r\n".encode())
            await witness.until("#APKLM2:")
            guest.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        # The reactor has not looked at the socket since.
        self.connection_of("KLM2").send(b"#TMserver:KLM2:hello\r\n")
        self.pergola.fanout.settle()
        await witness.until("#DPKLM2:1000001")
        closings = self.pergola.fanout.tally.closings
        self.assertEqual((closings[Closing.BROKEN], closings[Closing.LOST]), (1, 0))

    async def test_a_logoff_is_closed_by_the_server(self) -> None:
        """The client reads the end of the connection, and nothing else."""
        self.serve()
        caller = await self.log_on("KLM1")
        caller.say("#DPKLM1:1000001", "#TMKLM1:*:still here")
        self.assertEqual(await caller.end(), [])
        assert caller.reason is not None
        self.assertTrue(caller.reason.check(ConnectionDone))

    async def test_half_open_sockets(self) -> None:
        """Who connects and says nothing is told so and disconnected."""
        self.serve("pergola.login_timeout=0.5")
        callers = [await self.connect() for _ in range(10)]
        for caller in callers:
            self.assertEqual(await caller.end(), [WARNING])

    async def test_silence(self) -> None:
        """So is a pilot who falls silent; others read of his departure."""
        self.serve("pergola.idle_timeout=1.0")
        silent, talker = await self.log_on("KLM1"), await self.log_on("KLM2")
        lines: list[str] = []
        while not names(lines, "#DP"):
            lines += await talker.sync()
        self.assertEqual(names(lines, "#DP"), ["KLM1"])
        self.assertEqual((await silent.end())[-1], WARNING)


class SlowReaderTests(FrontTestCase):
    """Clients who do not read cost themselves only."""

    async def test_a_frozen_client_among_others(self) -> None:
        """He is cut with a line in the log; the others miss nothing."""
        self.serve(*SMALL_BUFFERS, "pergola.stall_timeout=1")
        frozen = await self.log_on("FROZEN", latitude=50.0)
        pilots = [await self.log_on(f"KLM{n}", latitude=50.0) for n in range(5)]
        for pilot in pilots:
            await pilot.sync()
        frozen.stop_reading()
        outbox = self.connection_of("FROZEN").outbox
        read: dict[Caller, list[str]] = {pilot: [] for pilot in pilots}
        rounds, most = 0, 0
        with capturedLogs() as events:
            while outbox.spot is not None:  # as long as he is on
                rounds += 1
                for pilot in pilots:
                    pilot.fly(rounds)
                    pilot.say(f"#TM{pilot.callsign}:*:{'x' * 500}{rounds}")
                for pilot in pilots:
                    read[pilot] += await pilot.sync()
                    most = max(most, outbox.waiting)
        await self.eventually(lambda: len(self.pergola.connections.open) == 5)
        self.assertIn(most, range(5000, 16_385))
        warnings = [event for event in events if event["log_level"] is LogLevel.warn]
        self.assertEqual(
            [formatEvent(event) for event in warnings],
            ["FROZEN is cut: he took nothing for 1 s"],
        )
        for pilot in pilots:
            lines = read[pilot] + await pilot.sync()
            self.assertEqual(names(lines, "#DP"), ["FROZEN"])
            for other in pilots:
                if other is not pilot:
                    begin = f"@N:{other.callsign}:"
                    numbers = [
                        int(line.split(":")[7])
                        for line in lines
                        if line.startswith(begin)
                    ]
                    self.assertEqual(numbers, list(range(1, rounds + 1)))

    async def test_who_asks_and_does_not_read(self) -> None:
        """What the server says is never dropped; past the bound he is cut."""
        self.serve(*SMALL_BUFFERS)
        witness, greedy = await self.log_on("KLM1"), await self.log_on("GREEDY")
        greedy.stop_reading()
        with capturedLogs() as events:
            greedy.say(*[f"$PIGREEDY:SERVER:{'x' * 500}"] * 2000)
            await witness.until("#DPGREEDY:1000001")
        told = [formatEvent(event) or "" for event in events]
        cuts = [line for line in told if line.startswith("GREEDY is cut: ")]
        self.assertEqual(len(cuts), 1)
        self.assertIn("bytes wait for him", cuts[0])

    async def test_a_slow_client_gets_it_all(self) -> None:
        """Who reads late, but within his bound, reads everything, in order."""
        self.serve("pergola.send_buffer=32768", "pergola.outbox_bytes=10000000")
        slow = await self.log_on("SLOW1")
        slow.stop_reading()
        expected = [f"$POserver:SLOW1:{number:0500d}" for number in range(5000)]
        slow.say(*(f"$PISLOW1:SERVER:{number:0500d}" for number in range(5000)))
        await self.eventually(lambda: self.connection_of("SLOW1").outbox.is_slow)
        await slow.sent()
        slow.read_on()
        self.assertEqual([await slow.line() for _ in expected], expected)
        self.assertEqual(await slow.sync(), [])
        self.assertFalse(self.connection_of("SLOW1").outbox.is_slow)

    async def test_a_slow_client_who_logs_off(self) -> None:
        """He reads what he was sent before, to the end."""
        self.serve("pergola.send_buffer=32768", "pergola.outbox_bytes=10000000")
        slow = await self.log_on("SLOW1")
        slow.stop_reading()
        slow.say(*[f"$PISLOW1:SERVER:{'x' * 500}"] * 1000, "#DPSLOW1:1000001")
        await slow.sent()
        slow.read_on()
        self.assertEqual(len(await slow.end()), 1000)

    async def test_no_ghosts(self) -> None:
        """Behind the departure of an aircraft there is no position of it."""
        self.serve(*SMALL_BUFFERS)
        slow = await self.log_on("SLOW1", latitude=50.0)
        leaver = await self.log_on("KLM1", latitude=50.0)
        other = await self.log_on("KLM2", latitude=50.0)
        slow.stop_reading()
        outbox = self.connection_of("SLOW1").outbox
        number = 0
        while not outbox.is_slow:
            number += 1
            leaver.fly(number)
            other.fly(number)
            await leaver.sync()
        leaver.say(*(f"@S:KLM1:2000:1:50.0:8.0:35000:{n}:0:0" for n in range(9)))
        leaver.say("#DPKLM1:1000001")
        await leaver.end()
        await other.until("#DPKLM1:1000001")
        slow.read_on()
        await slow.until("#DPKLM1:1000001")
        other.fly(number + 1)
        lines = await slow.until(f"@N:KLM2:2000:1:50.00000:8.00000:35000:{number + 1}:")
        self.assertEqual([line for line in lines if "KLM1" in line], [])


class StoppingTests(FrontTestCase):
    """How the server goes down."""

    async def stop(self) -> None:
        """Stop it; what takes longer than half a minute has failed."""
        assert self.root is not None
        stopped = self.root.stopService()
        stopped.addTimeout(30.0, reactor)
        await stopped
        self.assertEqual(
            repr(self.pergola.connections), "<Connections: 0 open, 0 closing>"
        )

    async def test_clients_are_told(self) -> None:
        """Each reads why, and then the end of his connection."""
        self.serve()
        callers = [await self.log_on(f"KLM{number}") for number in range(10)]
        stranger = await self.connect()
        await self.stop()
        for caller in callers:
            lines = await caller.end()
            self.assertEqual(lines[-1], f"#TMserver:{caller.callsign}:{FAREWELL}")
            self.assertEqual(names(lines, "#DP"), [])
        self.assertEqual(await stranger.end(), [])

    async def test_clients_who_do_not_react(self) -> None:
        """Neither one who keeps his socket open nor a frozen one delays the end."""
        self.serve("pergola.send_buffer=32768", "pergola.outbox_bytes=10000000")
        deaf, frozen = await self.log_on("DEAF1"), await self.log_on("FROZEN")
        deaf.stop_reading()
        frozen.stop_reading()
        frozen.say(*[f"$PIFROZEN:SERVER:{'x' * 500}"] * 1000)
        await self.eventually(lambda: self.connection_of("FROZEN").outbox.is_slow)
        await self.stop()

    async def test_a_logon_on_the_way(self) -> None:
        """Who is coming in as it goes down does not hold it up."""
        self.serve()
        callers = [await self.connect() for _ in range(20)]
        for caller in callers:
            caller.log_on("KLM1")
        await self.stop()
        for caller in callers:
            await caller.end()

    async def test_twice_in_one_process(self) -> None:
        """The same tree starts again, serves, and again leaves nothing."""
        root = self.serve('weather.source="file"')
        for _ in range(2):
            for name in ("accounts", "weather", "whazzup", "pergola"):
                self.assertTrue(root.getServiceNamed(name).running, name)
            first, second = await self.log_on("KLM1"), await self.log_on("KLM2")
            await first.until("#APKLM2")
            second.fly(1)
            await self.stop()
            for caller in (first, second):
                self.assertIn(FAREWELL, (await caller.end())[-1])
            self.assertEqual(self.pergola.addresses, [])
            root.privilegedStartService()
            root.startService()

    async def test_a_port_that_is_taken(self) -> None:
        """It says which; the ports that it had opened already are closed again."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            bad = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            root = self.build(listen=f'tcp:0:interface=127.0.0.1","{bad}')
            with self.assertRaises(CannotStart) as caught:
                root.privilegedStartService()
            self.assertIn(bad, str(caught.exception))
            self.assertIn("Address already in use", str(caught.exception))
            self.assertNotIn(address, repr(root))


class WrappedTests(FrontTestCase):
    """Connections that are not bare TCP."""

    def make_certificate(self) -> Path:
        """Write a key and a certificate that nobody but it has signed."""
        certificate = KeyPair.generate(size=2048).selfSignedCert(1, CN="localhost")
        path = self.folder / "server.pem"
        path.write_bytes(
            certificate.dumpPEM() + certificate.privateKey.dump(FILETYPE_PEM)
        )
        return path

    def serve_encrypted(self, *settings: str) -> None:
        """Start a server with an encrypted port."""
        key = self.make_certificate()
        self.serve(*settings, listen=f"ssl:0:interface=127.0.0.1:privateKey={key}")

    async def log_on_encrypted(self, callsign: str) -> SecureCaller:
        """Return the end of somebody who is on."""
        caller = await self.connect_encrypted()
        caller.log_on(callsign)
        await caller.until("#TMserver:")
        return caller

    async def test_tls(self) -> None:
        """Clients talk to each other, and an eavesdropper reads not one line."""
        self.serve_encrypted()
        first = await self.log_on_encrypted("KLM1")
        second = await self.log_on_encrypted("KLM2")
        second.say("#TMKLM2:KLM1:a secret")
        lines = await first.until("#TMKLM2")
        self.assertEqual(lines[-1], "#TMKLM2:KLM1:a secret")
        for word in (b"#TM", b"#AP", b"KLM", b"secret", b"server"):
            self.assertNotIn(word, first.raw)
        second.say("#DPKLM2:1000001")
        await second.end()
        await first.until("#DPKLM2:1000001")

    async def test_tls_without_tls(self) -> None:
        """Who speaks plainly to an encrypted port reads no FSD, and hurts nobody."""
        self.serve_encrypted()
        plain = await self.connect()
        plain.log_on("KLM1")
        await plain.end()
        self.assertNotIn(b"#TM", plain.raw)
        self.assertNotIn(PASSWORD.encode(), plain.raw)
        await self.log_on_encrypted("KLM1")

    async def test_tls_with_a_slow_reader(self) -> None:
        """Who reads late reads everything, in order, past all buffers on the way."""
        self.serve_encrypted("pergola.outbox_bytes=100000000")
        slow = await self.log_on_encrypted("SLOW1")
        slow.stop_reading()
        expected = [f"$POserver:SLOW1:{number:0900d}" for number in range(9000)]
        slow.say(*(f"$PISLOW1:SERVER:{number:0900d}" for number in range(9000)))
        await self.eventually(lambda: self.connection_of("SLOW1").outbox.is_slow)
        await slow.sent()
        slow.read_on()
        self.assertEqual([await slow.line() for _ in expected], expected)

    async def test_tls_with_a_frozen_reader(self) -> None:
        """He is cut at his bound, as over bare TCP."""
        self.serve_encrypted(*SMALL_BUFFERS)
        frozen = await self.log_on_encrypted("FROZEN")
        frozen.stop_reading()
        frozen.say(*[f"$PIFROZEN:SERVER:{'x' * 900}"] * 9000)
        await self.eventually(lambda: not self.pergola.connections.open)

    async def test_tls_and_the_end(self) -> None:
        """Clients read the farewell over TLS as well."""
        self.serve_encrypted()
        caller = await self.log_on_encrypted("KLM1")
        assert self.root is not None
        await self.root.stopService()
        self.assertEqual(await caller.end(), [f"#TMserver:KLM1:{FAREWELL}"])

    async def test_behind_a_proxy(self) -> None:
        """The proxy's first line is no FSD; all the rest is as without it."""
        self.serve(listen="haproxy:tcp:0:interface=127.0.0.1")
        callers = []
        for callsign in ("KLM1", "KLM2"):
            caller = await self.connect()
            caller.say("PROXY TCP4 192.0.2.7 192.0.2.1 50000 6809")
            caller.log_on(callsign)
            await caller.until("#TMserver:")
            callers.append(caller)
        first, second = callers
        second.say("#TMKLM2:KLM1:hello")
        self.assertEqual((await first.until("#TMKLM2"))[-1], "#TMKLM2:KLM1:hello")
        second.transport.abortConnection()
        await first.until("#DPKLM2:1000001")
        assert self.root is not None
        await self.root.stopService()
        self.assertEqual(await first.end(), [f"#TMserver:KLM1:{FAREWELL}"])

    async def test_the_kernels_share(self) -> None:
        """What it may hold for one client is bounded, whatever is on top of TCP."""
        key = self.make_certificate()
        for listen in (
            "tcp:0:interface=127.0.0.1",
            f"ssl:0:interface=127.0.0.1:privateKey={key}",
            "haproxy:tcp:0:interface=127.0.0.1",
        ):
            root = self.serve("pergola.send_buffer=20000", listen=listen)
            await self.connect()
            await self.eventually(lambda: bool(self.pergola.connections.open))
            transport = self.connection_of("unknown").transport
            while hasattr(transport, "transport"):
                transport = transport.transport
            size = transport.getHandle().getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            self.assertEqual(size, 40_000, listen)  # the kernel counts its own part
            await root.stopService()


class DescriptorTests(SynchronousTestCase):
    """A server that may open few files."""

    def test_more_clients_than_files(self) -> None:
        """It goes on with those it has, and takes others when some have gone."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        logon = f"#APKLM1:SERVER:1000001:{PASSWORD}:1:9:2:Joe\r\n".encode()
        (folder / "accounts.txt").write_text(f"1000001 {PASSWORD} 1\n", "ascii")
        settings = ("--set", 'accounts.cert_file="accounts.txt"')
        with serve(folder, "rum", *settings, daemon=False) as server:
            address = ("127.0.0.1", server.port)
            with socket.create_connection(address, timeout=PATIENCE) as first:
                lines = first.makefile("rb")
                first.sendall(logon + b"$PIKLM1:SERVER:0\r\n")
                self.assertTrue(lines.readline().startswith(b"#TMserver:KLM1:"))
                while lines.readline() != b"$POserver:KLM1:0\r\n":
                    pass
                files = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
                limit = (files + 10, files + 10)
                resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limit)
                crowd = [
                    socket.create_connection(address, timeout=PATIENCE)
                    for _ in range(50)
                ]
                first.sendall(b"$PIKLM1:SERVER:1\r\n")
                self.assertEqual(lines.readline(), b"$POserver:KLM1:1\r\n")
                lines.close()
                for client in crowd:
                    client.close()
            wait_until(partial(self.is_let_in, address, logon), "it has room again")
            self.assertNotIn("Traceback", server.log)

    def is_let_in(self, address: tuple[str, int], logon: bytes) -> bool:
        """Tell whether somebody who logs on is greeted."""
        with (
            contextlib.suppress(ConnectionError),
            socket.create_connection(address, timeout=PATIENCE) as client,
        ):
            client.sendall(logon)
            return client.recv(1000).startswith(b"#TMserver:KLM1:")
        return False
