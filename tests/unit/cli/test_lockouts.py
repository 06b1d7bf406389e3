"""``rumctl lockouts`` where no server can be asked; `tests.integration` asks one."""

import json
import socket
from threading import Thread
from typing import Any, Final

from rum_twisted.control.address import socket_name
from tests.unit.cli.builders import CommandTestCase

PATIENCE: Final = 60.0  # seconds


class LockoutTests(CommandTestCase):
    """Asking a server that is not there."""

    def test_no_server_listens(self) -> None:
        """The socket file is named."""
        for arguments in ((), ("lift", "1000001"), ("lift", "x", "--dry-run")):
            self.assert_refused(
                self.rumctl("lockouts", *arguments),
                f"no server listens at {self.folder / 'control.sock'}",
            )
        audit = self.directory(lambda directory: directory.audit_log(1))
        self.assertEqual(audit, [])

    def test_a_process_with_some_of_the_roles_is_meant(self) -> None:
        """Whoever forgets to name its roles reads how."""
        (self.folder / "control-passport.sock").touch()
        self.assert_refused(
            self.rumctl("lockouts"),
            f"no server listens at {self.folder / 'control.sock'}; there is "
            "control-passport.sock: name the roles of the process, as in "
            """--set 'services.roles=["passport"]'""",
        )

    def answered(self, result: object, *arguments: str) -> dict[str, Any]:
        """Run a command that succeeds; return what it asked the server.

        Args:
            result: what the server answers.
            arguments: behind ``rumctl lockouts``.
        """
        asked: list[bytes] = []
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.settimeout(PATIENCE)
        path = self.folder / "control.sock"
        with socket_name(path) as name:  # the folder of a test is deep in a tree
            listener.bind(name)
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb") as lines:
                asked.append(lines.readline())
                lines.write(json.dumps({"result": result}).encode() + b"\n")

        thread = Thread(target=serve)
        thread.start()
        try:
            self.assert_done(self.rumctl("lockouts", *arguments), "may try again")
        finally:
            thread.join(PATIENCE)
            path.unlink()
        question: dict[str, Any] = json.loads(asked[0])
        return question

    def test_a_cid_in_any_case(self) -> None:
        """It is lifted, and noted, as the server counts it: in lower case."""
        listed = [{"key": "abc", "counted": "cid", "failures": 6, "wait": 2.0}]
        self.answered(listed, "lift", "ABC", "--dry-run")
        question = self.answered(None, "lift", "ABC")
        self.assertEqual(question["arguments"], {"key": "abc"})
        self.assertEqual(self.noted().whom, "abc")

    def test_a_server_without_a_socket_file(self) -> None:
        """The setting is named."""
        result = self.rumctl("lockouts", overrides=('control.socket=""',))
        self.assert_refused(result, "control.socket")
