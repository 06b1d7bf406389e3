"""Real sockets between askers and the small HTTP server in its thread."""

import contextlib
import os
import resource
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase, TestCase
from typing_extensions import override

from rum_twisted.admin.http import (
    LONGEST_REQUEST,
    MOST_CONNECTIONS,
    Answer,
    Asked,
    AskedWrongly,
    WatchServer,
    json_answer,
)
from rum_twisted.admin.http import PATIENCE as LONG_PATIENCE
from tests.support.twistd import PATIENCE


def fail(query: Asked) -> Answer:
    """Have a bug."""
    raise ZeroDivisionError


def refuse(query: Asked) -> Answer:
    """Understand nothing."""
    raise AskedWrongly("minutes: due a number")


class WatchServerTests(SynchronousTestCase):
    """No reactor runs here, as in a server that stands still."""

    @override
    def setUp(self) -> None:
        """Listen."""
        self.later: list[Callable[[], Any]] = []
        self.server = WatchServer(
            "127.0.0.1",
            0,
            {
                "/echo": lambda query: json_answer(dict(query)),
                "/large": lambda query: Answer(b"x" * 5_000_000),
                "/gone": lambda query: json_answer({}, 503),
                "/refuse": refuse,
                "/fail": fail,
            },
            lambda call, *arguments: self.later.append(lambda: call(*arguments)),
        )
        self.server.startService()
        self.addCleanup(self.server.stopService)
        host, _, port = self.server.address.rpartition(":")
        self.address = (host, int(port))

    def ask(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        """Return status and body."""
        connection = HTTPConnection(*self.address, timeout=PATIENCE)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def send(self, data: bytes) -> bytes:
        """Send bytes, and return all that comes until the server hangs up."""
        with socket.create_connection(self.address, PATIENCE) as connection:
            connection.sendall(data)
            answer = b""
            while part := connection.recv(1 << 16):
                answer += part
            return answer

    def test_a_page(self) -> None:
        """With its query."""
        self.assertEqual(self.ask("/echo?a=1&b=%20x"), (200, b'{"a":"1","b":" x"}\n'))
        self.assertEqual(self.ask("/gone"), (503, b"{}\n"))

    def test_a_large_page(self) -> None:
        """It leaves as the kernel takes it."""
        status, body = self.ask("/large")
        self.assertEqual((status, len(body)), (200, 5_000_000))

    def test_head(self) -> None:
        """The same without the body."""
        self.assertEqual(self.ask("/echo?a=1", "HEAD"), (200, b""))

    def test_other_pages(self) -> None:
        """An operator who guesses is told what there is."""
        status, body = self.ask("/nothing")
        self.assertEqual(status, 404)
        self.assertIn(b"/echo\n", body)

    def test_it_only_tells(self) -> None:
        """Nothing can be changed over HTTP."""
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            self.assertEqual(self.ask("/echo", method)[0], 405, method)

    def test_wrong_questions(self) -> None:
        """It is said what was due."""
        self.assertEqual(self.ask("/refuse"), (400, b"minutes: due a number\n"))
        many = "&".join(f"a{number}=1" for number in range(50))
        self.assertEqual(self.ask(f"/echo?{many}")[0], 400)

    def test_a_bug_in_a_page(self) -> None:
        """It is told, logged in the reactor's thread, and others are answered."""
        self.assertEqual(self.ask("/fail")[0], 500)
        self.assertEqual(self.ask("/echo")[0], 200)
        (log,) = self.later
        log()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_no_http(self) -> None:
        """Whatever comes is answered, or hung up on."""
        for data in (b"\r\n\r\n", b"hello\r\n\r\n", b"\x00\xff /\r\n\r\n"):
            self.assertTrue(self.send(data).startswith(b"HTTP/1.1 400 "), data)
        for target in ("//[", "http://[x/", "/echo?%zz=%ff"):
            answer = self.send(f"GET {target} HTTP/1.1\r\n\r\n".encode())
            self.assertTrue(answer.startswith(b"HTTP/1.1 "), target)
        self.assertEqual(self.ask("/echo")[0], 200)

    def test_at_the_bound_and_one_past_it(self) -> None:
        """A request may be so long, and no longer."""
        begin, end = b"GET /echo HTTP/1.1\r\nX: ", b"\r\n\r\n"
        room = LONGEST_REQUEST - len(begin) - len(end)
        fits = self.send(begin + b"x" * room + end)
        self.assertTrue(fits.startswith(b"HTTP/1.1 200 "))
        # Exactly what it reads, so that nothing unread makes the kernel reset it.
        too_long = self.send(begin + b"x" * (room + len(end)))
        self.assertTrue(too_long.startswith(b"HTTP/1.1 431 "))

    def test_byte_by_byte(self) -> None:
        """A request may come in pieces."""
        with socket.create_connection(self.address, PATIENCE) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n":
                connection.sendall(bytes((byte,)))
            self.assertTrue(connection.recv(1 << 16).startswith(b"HTTP/1.1 200 "))

    def test_who_says_nothing_is_hung_up_on(self) -> None:
        """After two seconds he is told so, and nobody has waited for him."""
        with socket.create_connection(self.address, PATIENCE) as silent:
            self.assertEqual(self.ask("/echo")[0], 200)
            self.assertTrue(silent.recv(1 << 16).startswith(b"HTTP/1.1 408 "))

    def test_connections_are_bounded(self) -> None:
        """Who comes past the bound waits until others are hung up on."""
        with ExitStack() as stack:
            for _ in range(MOST_CONNECTIONS):
                stack.enter_context(socket.create_connection(self.address, PATIENCE))
            self.assertEqual(self.ask("/echo")[0], 200)

    def test_who_dawdles_while_others_wait(self) -> None:
        """He is hung up on before his two seconds are over, and they are answered."""
        with ExitStack() as stack:
            dawdlers = [
                stack.enter_context(socket.create_connection(self.address, PATIENCE))
                for _ in range(5 * MOST_CONNECTIONS)
            ]
            for each in dawdlers:
                each.sendall(b"GET /ec")
            begun = time.monotonic()
            self.assertEqual(self.ask("/echo")[0], 200)
            # One after the other they would have had two seconds each eight.
            self.assertLess(time.monotonic() - begun, 7 * LONG_PATIENCE)

    def test_no_files_left(self) -> None:
        """Who comes meanwhile waits, which costs nothing, and is answered then."""
        turns: list[float] = []
        has_come_round = threading.Event()

        def monotonic() -> float:
            turns.append(time.monotonic())
            if len(turns) == 3:
                has_come_round.set()
            return turns[-1]

        pages = {"/echo": lambda query: json_answer(dict(query))}
        server = WatchServer(
            "127.0.0.1", 0, pages, lambda *_: None, monotonic=monotonic
        )
        server.startService()
        self.addCleanup(server.stopService)
        host, _, port = server.address.rpartition(":")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with socket.socket() as asker:
            asker.settimeout(PATIENCE)
            highest = max(int(one.name) for one in Path("/proc/self/fd").iterdir())
            with ExitStack() as stack:
                # Numbers that are free below the highest are taken.
                resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
                with contextlib.suppress(OSError):
                    while True:
                        stack.enter_context(Path(os.devnull).open())
                asker.connect((host, int(port)))
                asker.sendall(b"GET /echo HTTP/1.1\r\n\r\n")
                self.assertTrue(has_come_round.wait(PATIENCE))
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            self.assertTrue(asker.recv(1 << 16).startswith(b"HTTP/1.1 200 "))
        self.assertGreater(turns[2] - turns[0], 0.1)

    def test_start_and_stop_twice(self) -> None:
        """No thread and no socket stays behind."""
        for _ in range(2):
            self.server.startService()
            self.server.startService()
            self.assertIn(self.server.address, repr(self.server))
            self.server.stopService()
            self.server.stopService()
            self.assertEqual(self.server.address, "")
            names = [thread.name for thread in threading.enumerate()]
            self.assertNotIn("http", names)
        self.assertRaises(ConnectionRefusedError, self.ask, "/echo")

    def test_an_address_that_is_taken(self) -> None:
        """The server does without, and the log says so."""
        second = WatchServer(*self.address, {}, lambda call: None)
        with capturedLogs() as events:
            second.startService()
        self.assertEqual(second.address, "")
        (trouble,) = (event["trouble"] for event in events if "trouble" in event)
        self.assertEqual(trouble, "Address already in use")
        second.stopService()


class BesideAReactorTests(TestCase):
    """A reactor that runs is not needed, and not in the way."""

    timeout = PATIENCE

    async def test_it_answers(self) -> None:
        """From its own thread."""
        threads: list[str] = []

        def page(query: Asked) -> Answer:
            threads.append(threading.current_thread().name)
            return Answer(b"here\n")

        server = WatchServer("127.0.0.1", 0, {"/": page}, lambda call: None)
        server.startService()
        self.addCleanup(server.stopService)
        host, _, port = server.address.rpartition(":")

        def ask() -> bytes:
            connection = HTTPConnection(host, int(port), timeout=PATIENCE)
            connection.request("GET", "/")
            return connection.getresponse().read()

        self.assertEqual(await deferToThread(ask), b"here\n")
        self.assertEqual(threads, ["http"])
