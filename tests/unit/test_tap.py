"""The command line of ``twistd rum``."""

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.config import load
from rum_twisted.tap import Options, makeService


class PluginTests(SynchronousTestCase):
    """twistd knows of Rum."""

    def test_rum_is_among_the_plugins(self) -> None:
        """``twistd --help`` lists it, and it leads here."""
        (rum,) = [
            plugin for plugin in getPlugins(IServiceMaker) if plugin.tapname == "rum"
        ]
        self.assertIs(rum.options, Options)
        self.assertIs(rum.makeService, makeService)


class OptionsTests(SynchronousTestCase):
    """Options become settings."""

    def parse(self, *arguments: str, **environ: str) -> Options:
        """Parse ``arguments`` with nothing but ``environ`` in the environment."""
        options = Options(environ)
        options.parseOptions(list(arguments))
        return options

    def check(self, *arguments: str) -> tuple[int | str | None, str]:
        """Return what ``--check-config`` exits with and prints."""
        printed = StringIO()
        with redirect_stdout(printed), self.assertRaises(SystemExit) as caught:
            self.parse("--check-config", *arguments)
        return caught.exception.code, printed.getvalue()

    def test_nothing_is_needed(self) -> None:
        """Without options the defaults hold."""
        self.assertEqual(self.parse().configuration, load())

    def test_roles(self) -> None:
        """``--role`` says which roles are played; in whatever order they are named."""
        etcd = ("--set", 'discovery.backend="etcd"')
        services = self.parse(*etcd, "--role", "weather,passport").configuration
        self.assertEqual(services.services.roles, ("passport", "weather"))

    def test_nobody_comes_to_the_console_without_a_password(self) -> None:
        """One is due, and one only, as a hash that can be checked, or in a file."""
        listen = ("--set", 'console.listen="tcp:3010:interface=127.0.0.1"')
        file = ("--set", 'console.password_file="password.txt"')
        salt, digest = "c2FsdHNhbHQ", "A" * 43

        def hashed(memory: int) -> tuple[str, str]:
            text = f"$argon2id$v=19$m={memory},t=4,p=1${salt}${digest}"
            return ("--set", f'console.password="{text}"')

        for words, complaint in (
            ((), "console.password: there is no console without a password"),
            ((*file, *hashed(9216)), "console.password_file: due this or"),
            (hashed(99_999_999), "console.password: "),
            (("--set", 'console.password="sesame"'), "$argon2id$"),
        ):
            status, printed = self.check(*listen, *words)
            self.assertEqual(status, 1, words)
            self.assertIn(complaint, printed)
            self.assertNotIn("sesame", printed)
        for words in (file, hashed(9216)):
            self.assertEqual(self.check(*listen, *words), (0, "configuration ok\n"))
        elsewhere = ("--set", "services.roles=['weather']")
        etcd = ("--set", 'discovery.backend="etcd"')
        self.assertEqual(self.check(*listen, *elsewhere, *etcd)[0], 0)

    def test_nobody_comes_in_over_ssh_without_a_key(self) -> None:
        """SSH wants a file of keys, and this machine's own address."""
        ssh = 'manhole.ssh="tcp:6022:interface={}"'.format
        status, printed = self.check("--set", ssh("127.0.0.1"))
        self.assertEqual(status, 1)
        self.assertIn("manhole.authorized_keys: manhole.ssh lets in by key", printed)
        keys = ("--set", 'manhole.authorized_keys="keys"')
        self.assertEqual(self.check("--set", ssh("127.0.0.1"), *keys)[0], 0)
        status, printed = self.check("--set", ssh("192.0.2.7"), *keys)
        self.assertEqual(status, 1)
        self.assertIn("due a loopback address", printed)

    def test_role_that_there_is_not(self) -> None:
        """The operator reads which there are."""
        with self.assertRaises(UsageError) as caught:
            self.parse("--role", "tower")
        self.assertIn("pergola, passport, weather", str(caught.exception))

    def test_roles_that_do_not_fit(self) -> None:
        """A front alone has to find others; an open port needs protection."""
        code, printed = self.check("--role", "pergola")
        self.assertEqual(code, 1)
        self.assertIn("discovery.backend", printed)
        open_port = ("--set", 'services.listen="192.0.2.1:7001"')
        code, printed = self.check("--role", "weather", *open_port)
        self.assertEqual(code, 1)
        self.assertIn("allow_plaintext", printed)

    def test_all_sources_are_read(self) -> None:
        """The file, variables and each ``--set`` reach the settings."""
        path = Path(self.mktemp())
        path.write_text('[pergola]\nident = "A"\n', encoding="utf-8")
        pergola = self.parse(
            "--config",
            str(path),
            "--set",
            "pergola.max_clients=5",
            "--set",
            "pergola.max_line=4096",
            RUM_PERGOLA__NAME="Club",
        ).configuration.pergola
        self.assertEqual(pergola.ident, "A")
        self.assertEqual(pergola.name, "Club")
        self.assertEqual(pergola.max_clients, 5)
        self.assertEqual(pergola.max_line, 4096)

    def test_a_mistake_is_one_of_usage(self) -> None:
        """Its text is for twistd to show; there is no traceback."""
        with self.assertRaises(UsageError) as caught:
            self.parse("--set", "pergola.max_client=5", RUM_X="1")
        self.assertEqual(
            str(caught.exception),
            "the settings cannot be used:\n"
            "RUM_X: no such setting\n"
            "--set: pergola.max_client: no such setting; "
            "did you mean pergola.max_clients?",
        )

    def test_arguments_are_refused(self) -> None:
        """There is nothing that one could mean."""
        with self.assertRaises(UsageError):
            self.parse("rum.toml")

    def test_an_endpoint_that_cannot_be_built(self) -> None:
        """Twisted looks at each, and all that it refuses are told."""
        with self.assertRaises(UsageError) as caught:
            self.parse("--set", 'pergola.listen=["foo:1", "tcp:0", "tcp:0:x=1"]')
        _, first, second = str(caught.exception).splitlines()
        self.assertTrue(first.startswith("pergola.listen: foo:1 cannot be used: "))
        self.assertTrue(second.startswith("pergola.listen: tcp:0:x=1 cannot be used: "))

    def test_good_settings_are_ok(self) -> None:
        """``--check-config`` says so and exits with 0."""
        self.assertEqual(self.check(), (0, "configuration ok\n"))

    def test_bad_settings_are_listed(self) -> None:
        """``--check-config`` prints a line for each mistake and exits with 1."""
        code, printed = self.check("--set", "status.interval=0", "--set", "x=1")
        self.assertEqual(code, 1)
        self.assertEqual(
            printed,
            "--set: status.interval = 0: due a number from 0.1 to 86400\n"
            "--set: x: no such setting\n",
        )

    def test_a_check_does_not_miss_inherited_sockets(self) -> None:
        """Only a server under systemd has them; a check is made by hand."""
        listen = 'pergola.listen=["systemd:INET:index=0"]'
        self.assertEqual(self.check("--set", listen), (0, "configuration ok\n"))
        with self.assertRaises(UsageError):
            self.parse("--set", listen)
