"""Who typed the command, and from where: what the audit log has of an operator."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.cli.invocation import operator_name, whereabouts


def name_of(uid: int) -> str:
    """Return a user's name."""
    return {0: "root", 1000: "anna"}[uid]


class OperatorTests(SynchronousTestCase):
    """The operating system's name of whoever acts."""

    def test_a_user(self) -> None:
        """Everybody has a name of his own."""
        self.assertEqual(operator_name({}, 1000, name_of), "anna")

    def test_behind_sudo(self) -> None:
        """Root is nobody: the log has who became root."""
        self.assertEqual(operator_name({"SUDO_USER": "anna"}, 0, name_of), "anna")

    def test_only_root_is_believed(self) -> None:
        """Anybody can set a variable."""
        environ = {"SUDO_USER": "somebody"}
        self.assertEqual(operator_name(environ, 1000, name_of), "anna")

    def test_a_user_without_a_name(self) -> None:
        """Containers run as numbers that nobody has given a name."""
        self.assertEqual(operator_name({}, 4711, name_of), "uid 4711")


class WhereaboutsTests(SynchronousTestCase):
    """Where somebody sits."""

    def test_over_ssh(self) -> None:
        """The address that he comes from."""
        environ = {"SSH_CONNECTION": "192.0.2.7 50000 198.51.100.1 22"}
        self.assertEqual(whereabouts(environ, "/dev/pts/1"), "192.0.2.7")
        environ = {"SSH_CLIENT": "2001:db8::7 50000 22"}
        self.assertEqual(whereabouts(environ, None), "2001:db8::7")

    def test_at_the_machine(self) -> None:
        """The terminal's name."""
        self.assertEqual(whereabouts({}, "/dev/tty1"), "tty1")

    def test_without_a_terminal(self) -> None:
        """A script of the club's web site, perhaps."""
        self.assertEqual(whereabouts({"SSH_CLIENT": ""}, None), "no terminal")
