"""A real socket file between rumctl's client and the service."""

import shutil
import socket
import stat
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase
from typing_extensions import override

from rum_twisted.control.client import ControlClient, NotAnswering, Refused
from rum_twisted.control.lines import (
    LONGEST_ANSWER,
    Question,
    read_answer,
    write_question,
)
from rum_twisted.control.server import MOST_CONVERSATIONS, ControlSocket
from tests.support.twistd import PATIENCE


def refuse(arguments: object) -> None:
    """Refuse whatever is asked."""
    raise Refused("not today")


class ControlSocketTests(TestCase):
    """Asking over a socket file."""

    timeout = PATIENCE

    @override
    def setUp(self) -> None:
        """Choose a place for the file, short enough for the kernel."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        self.path = folder / "data" / "control.sock"

    def serve(self) -> ControlSocket:
        """Return a service that listens until the test ends."""
        service = ControlSocket(self.path, reactor, {"echo": dict, "refuse": refuse})
        service.startService()
        self.addCleanup(service.stopService)
        return service

    def ask(self, command: str, **arguments: Any) -> Deferred[Any]:
        """Ask from a thread, since the client blocks."""
        client = ControlClient(self.path, patience=PATIENCE)
        return deferToThread(client.ask, command, **arguments)

    async def test_a_question_is_answered(self) -> None:
        """What the server returns, the client returns."""
        self.serve()
        self.assertEqual(await self.ask("echo", key="192.0.2.1"), {"key": "192.0.2.1"})

    async def test_a_refusal_reaches_the_client(self) -> None:
        """As an error of its own, with the server's words."""
        self.serve()
        error = await self.assertFailure(self.ask("refuse"), Refused)
        self.assertEqual(str(error), "not today")

    async def test_only_the_owner_may_open_it(self) -> None:
        """Neither group nor others have any right to the file."""
        self.serve()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    async def test_it_starts_and_stops_twice(self) -> None:
        """The file is there while it runs, and gone afterwards."""
        service = self.serve()
        await service.stopService()
        self.assertFalse(self.path.exists())
        await self.assertFailure(self.ask("echo"), NotAnswering)
        service.startService()
        self.assertEqual(await self.ask("echo"), {})
        await service.stopService()
        self.assertFalse(self.path.exists())

    async def test_a_name_that_is_too_long_for_the_kernel(self) -> None:
        """A data folder deep in a tree has its socket all the same."""
        self.path = self.path.parent / ("x" * 120) / "control.sock"
        service = self.serve()
        self.assertEqual(await self.ask("echo"), {})
        await service.stopService()
        self.assertFalse(self.path.exists())

    async def test_a_file_of_a_killed_server_is_replaced(self) -> None:
        """Nobody listens behind it any more."""
        self.path.parent.mkdir()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(bytes(self.path))
        self.serve()
        self.assertEqual(await self.ask("echo"), {})

    async def test_a_living_server_keeps_its_file(self) -> None:
        """A second one does without, and the log says so."""
        self.serve()
        with capturedLogs() as events:
            second = ControlSocket(self.path, reactor, {})
            second.startService()
        (trouble,) = (event["trouble"] for event in events if "trouble" in event)
        self.assertEqual(trouble, "another server listens there")
        await second.stopService()
        self.assertEqual(await self.ask("echo"), {})

    async def test_what_is_no_socket_is_left_alone(self) -> None:
        """A file of the operator's is not overwritten."""
        self.path.parent.mkdir()
        self.path.write_text("mine")
        service = self.serve()
        await service.stopService()
        self.assertEqual(self.path.read_text(), "mine")

    async def test_a_file_that_was_removed(self) -> None:
        """The end of the server does not trip over it."""
        service = self.serve()
        self.path.unlink()
        await service.stopService()

    async def test_connections_are_bounded(self) -> None:
        """So many are served at the same time; one more is hung up on."""
        self.serve()
        line = write_question(Question("echo", {}))
        with ExitStack() as stack:
            for _ in range(MOST_CONVERSATIONS):
                connection = stack.enter_context(socket.socket(socket.AF_UNIX))
                connection.settimeout(PATIENCE)
                connection.connect(bytes(self.path))
                connection.sendall(line)
                answer = await deferToThread(connection.recv, LONGEST_ANSWER)
                self.assertEqual(read_answer(answer), {})
            error = await self.assertFailure(self.ask("echo"), NotAnswering)
            self.assertIn("hung up", str(error))

    async def test_what_listens_may_be_no_server_of_ours(self) -> None:
        """Then the operator is told so, and which file it is."""
        self.path.parent.mkdir()
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.bind(bytes(self.path))
            stranger.listen()
            asked = self.ask("echo")
            connection, _ = await deferToThread(stranger.accept)
            with connection:
                connection.sendall(b"220 mail.example.com ESMTP\r\n")
            error = await self.assertFailure(asked, NotAnswering)
        self.assertIn("is no Rum", str(error))
        self.assertIn(str(self.path), str(error))
