"""``rumctl lockouts`` where no server can be asked; `tests.integration` asks one."""

from tests.unit.cli.builders import CommandTestCase


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

    def test_a_server_without_a_socket_file(self) -> None:
        """The setting is named."""
        result = self.rumctl("lockouts", overrides=('control.socket=""',))
        self.assert_refused(result, "control.socket")
