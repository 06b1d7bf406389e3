"""Command line, environment, file, default: which value counts, what is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import FrozenInstanceError
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.config import Config, ConfigError, load


class SourcesTestCase(SynchronousTestCase):
    """Files to read settings from."""

    def file(self, content: str | bytes) -> Path:
        """Return a configuration file, in a folder of its own."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        path = folder / "rum.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def mistakes(
        self,
        path: Path | None = None,
        overrides: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Return the lines in which `load` tells what is wrong."""
        with self.assertRaises(ConfigError) as caught:
            load(path, overrides, environ or {})
        lines = str(caught.exception).splitlines()
        self.assertEqual(lines, [str(item) for item in caught.exception.mistakes])
        return lines


class DefaultTests(SourcesTestCase):
    """What holds where nobody says anything."""

    def test_the_defaults(self) -> None:
        """A server that is not configured is a usable one."""
        config = load()
        data = Path.cwd() / "data"
        self.assertEqual(config.data_dir, data)
        self.assertEqual(config.pergola.listen, ("tcp:6809",))
        self.assertEqual(config.pergola.ident, "RUM")
        self.assertEqual(config.pergola.max_clients, 2000)
        self.assertEqual(config.pergola.max_line, 2048)
        self.assertEqual(config.pergola.idle_timeout, 500.0)
        self.assertEqual(config.pergola.motd, data / "motd.txt")
        self.assertEqual(config.accounts.cert_file, data / "cert.txt")
        self.assertEqual(config.weather.source, "file")
        self.assertEqual(config.weather.file, data / "metar.txt")
        self.assertEqual(config.status.whazzup, data / "whazzup.txt")
        self.assertEqual(config.status.interval, 15.0)

    def test_files_move_with_the_data_folder(self) -> None:
        """One setting moves them all; a file that was named stays where it is."""
        config = load(overrides=['data_dir = "/srv/rum"', 'weather.file = "/m.txt"'])
        self.assertEqual(config.accounts.cert_file, Path("/srv/rum/cert.txt"))
        self.assertEqual(config.weather.file, Path("/m.txt"))

    def test_settings_do_not_change(self) -> None:
        """Nobody can write to them while the server runs."""
        with self.assertRaises(FrozenInstanceError):
            load().data_dir = Path("/")  # type: ignore[misc]  # the point of the test

    def test_an_account_file_may_be_the_operators_own(self) -> None:
        """One that he named is told from the one in the data folder."""

        def is_default(*overrides: str) -> bool:
            return load(overrides=overrides).cert_file_is_default

        self.assertTrue(is_default())
        self.assertTrue(is_default('data_dir = "/srv/rum"'))
        self.assertFalse(is_default('accounts.cert_file = "/etc/cert.txt"'))

    def test_where_accounts_are_kept(self) -> None:
        """In what is named; else in the account file if it is there."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()

        def store(*overrides: str) -> str:
            overrides = (f'data_dir = "{folder}"', *overrides)
            return load(overrides=overrides).chosen_store()

        self.assertEqual(store(), "database")
        self.assertEqual(store('accounts.store = "cert"'), "cert")
        self.assertEqual(store('accounts.cert_file = "/nowhere/cert.txt"'), "cert")
        (folder / "cert.txt").write_bytes(b"")
        self.assertEqual(store(), "cert")
        self.assertEqual(store('accounts.store = "database"'), "database")
        database = 'accounts.database = "postgresql://rum@localhost/rum"'
        self.assertEqual(store(database), "database")
        named = 'accounts.cert_file = "/nowhere/cert.txt"'
        self.assertEqual(store(database, named), "cert")

    def test_a_password_in_a_url_is_not_shown(self) -> None:
        """Neither in a message about a mistake nor when the settings are printed."""
        url = "postgresql+asyncpg://rum:secret@localhost/rum"
        config = load(overrides=[f'accounts.database = "{url}"'])
        self.assertEqual(config.accounts.database, url)
        self.assertNotIn("secret", repr(config))
        (mistake,) = self.mistakes(
            overrides=['accounts.database = "mysql://rum:secret@localhost/rum"']
        )
        self.assertNotIn("secret", mistake)
        self.assertIn("accounts.database = (not shown): due", mistake)

    def test_only_encrypted_listeners_need_tls(self) -> None:
        """The default does not."""
        self.assertFalse(load().pergola.needs_tls)
        listen = 'pergola.listen = ["tcp:6809", "ssl:6810"]'
        self.assertTrue(load(overrides=[listen]).pergola.needs_tls)


class PrecedenceTests(SourcesTestCase):
    """Of several sources, one counts."""

    def test_command_line_then_environment_then_file(self) -> None:
        """Each one is stronger than the next, setting by setting."""
        path = self.file(
            "[pergola]\nmax_clients = 1\nmax_line = 1001\nflood_limit = 1001\n"
        )
        environ = {"RUM_PERGOLA__MAX_CLIENTS": "2", "RUM_PERGOLA__MAX_LINE": "1002"}
        pergola = load(path, ["pergola.max_clients = 3"], environ).pergola
        self.assertEqual(pergola.max_clients, 3)
        self.assertEqual(pergola.max_line, 1002)
        self.assertEqual(pergola.flood_limit, 1001)

    def test_the_later_of_two_counts(self) -> None:
        """A command line may be added to."""
        overrides = ["status.interval=1", "status.interval=2"]
        self.assertEqual(load(overrides=overrides).status.interval, 2.0)

    def test_relative_paths(self) -> None:
        """A file's are relative to its folder, others to the working directory."""
        path = self.file('data_dir = "a"\n[pergola]\nmotd = "../b"\n')
        environ = {"RUM_WEATHER__FILE": "c"}
        config = load(path, ['accounts.cert_file = "d"'], environ)
        self.assertEqual(config.data_dir, path.parent / "a")
        self.assertEqual(config.pergola.motd, path.parent.parent / "b")
        self.assertEqual(config.weather.file, Path.cwd() / "c")
        self.assertEqual(config.accounts.cert_file, Path.cwd() / "d")

    def test_the_file_itself_may_be_relative(self) -> None:
        """Paths in it still become absolute."""
        path = self.file('data_dir = "a"\n')
        config = load(path.relative_to(Path.cwd()))
        self.assertEqual(config.data_dir, path.parent / "a")


class FileTests(SourcesTestCase):
    """What may be wrong with a file."""

    def test_a_missing_file(self) -> None:
        """A file that is named has to be there."""
        path = Path(self.mktemp())
        self.assertEqual(
            self.mistakes(path), [f"{path}: cannot be read: No such file or directory"]
        )

    def test_what_is_no_toml(self) -> None:
        """The line is named."""
        path = self.file("[pergola]\nident = RUM\n")
        (line,) = self.mistakes(path)
        self.assertIn(f"{path}: is not TOML: ", line)
        self.assertIn("line 2", line)

    def test_what_is_no_utf_8(self) -> None:
        """TOML is UTF-8 by definition; the byte is named."""
        path = self.file(b'data_dir = "\xff"\n')
        self.assertEqual(self.mistakes(path), [f"{path}: is not UTF-8 text at byte 13"])

    def test_a_byte_order_mark(self) -> None:
        """Windows editors write one; it does no harm."""
        path = self.file(b'\xef\xbb\xbfdata_dir = "/x"\n')
        self.assertEqual(load(path).data_dir, Path("/x"))

    def test_an_empty_file(self) -> None:
        """It says nothing, and that is fine."""
        self.assertEqual(load(self.file("")), load())

    def test_an_unknown_key(self) -> None:
        """The nearest known one is named."""
        path = self.file("[pergola]\nmax_client = 5\n")
        self.assertEqual(
            self.mistakes(path),
            [
                (
                    f"{path}: pergola.max_client: no such setting; "
                    "did you mean pergola.max_clients?"
                )
            ],
        )

    def test_an_unknown_table(self) -> None:
        """It is one mistake, however much stands in it."""
        path = self.file('[pergolla]\nident = "A"\nname = "B"\n')
        self.assertEqual(
            self.mistakes(path),
            [f"{path}: pergolla: no such setting; did you mean pergola?"],
        )

    def test_a_key_in_the_wrong_table(self) -> None:
        """Its own one is named."""
        path = self.file("[status]\nmax_clients = 5\n")
        (line,) = self.mistakes(path)
        self.assertIn("did you mean pergola.max_clients?", line)

    def test_a_key_like_no_other(self) -> None:
        """Nothing is guessed then."""
        path = self.file("zzzzzz = 5\n")
        self.assertEqual(self.mistakes(path), [f"{path}: zzzzzz: no such setting"])

    def test_a_value_where_a_table_is_due(self) -> None:
        """It says how settings in it are written."""
        path = self.file("pergola = 5\n")
        self.assertEqual(
            self.mistakes(path),
            [f"{path}: pergola is a table; its settings are pergola.name = value"],
        )

    def test_a_table_where_a_value_is_due(self) -> None:
        """A setting holds no settings."""
        path = self.file("[data_dir]\nx = 1\n")
        self.assertEqual(
            self.mistakes(path), [f'{path}: data_dir = {{"x": 1}}: due a path']
        )

    def test_all_mistakes_are_told_at_once(self) -> None:
        """From all sources, and for keys that a stronger source sets well, too."""
        path = self.file('[pergola]\nmax_clients = "50"\n[status]\ninterval = true\n')
        lines = self.mistakes(
            path,
            ["pergola.max_clients = 50", "pergola.max_line = 100"],
            {"RUM_WEATHER__SOURCE": "web"},
        )
        self.assertEqual(
            lines,
            [
                (
                    f'{path}: pergola.max_clients = "50": '
                    "due a whole number from 1 to 100000"
                ),
                f"{path}: status.interval = true: due a number from 0.1 to 86400",
                (
                    'RUM_WEATHER__SOURCE: weather.source = "web": '
                    'due "file" or "http" or "none"'
                ),
                "--set: pergola.max_line = 100: due a whole number from 512 to 65536",
            ],
        )

    def test_a_long_value_is_cut(self) -> None:
        """A mistake stays one readable line."""
        path = self.file(f'[pergola]\nname = "{"x" * 9999}\\n"\n')
        (line,) = self.mistakes(path)
        self.assertLess(len(line), len(str(path)) + 200)
        self.assertIn("x…: due one line of text", line)


class EnvironmentTests(SourcesTestCase):
    """Settings in variables."""

    def test_values_are_toml(self) -> None:
        """Numbers and lists are written as in the file."""
        config = load(
            environ={
                "RUM_PERGOLA__LISTEN": '["tcp:1", "tcp:2"]',
                "RUM_STATUS__INTERVAL": "2.5",
            }
        )
        self.assertEqual(config.pergola.listen, ("tcp:1", "tcp:2"))
        self.assertEqual(config.status.interval, 2.5)

    def test_text_needs_no_quotes(self) -> None:
        """A name or a path is taken as it stands, even if it looks like a number."""
        config = load(
            environ={
                "RUM_DATA_DIR": "/srv/my rum",
                "RUM_PERGOLA__NAME": "1903",
                "RUM_PERGOLA__LOCATION": '"Lyon"',
                "RUM_PERGOLA__EMAIL": "",
                "RUM_STATUS__WHAZZUP": "",
            }
        )
        self.assertEqual(config.data_dir, Path("/srv/my rum"))
        self.assertEqual(config.pergola.name, "1903")
        self.assertEqual(config.pergola.location, "Lyon")
        self.assertEqual(config.pergola.email, "")
        self.assertIsNone(config.status.whazzup)

    def test_other_variables_are_not_ours(self) -> None:
        """Only names that start with RUM_ count."""
        self.assertEqual(load(environ={"PATH": "/bin", "RUMBA": "x"}), load())

    def test_an_unknown_variable(self) -> None:
        """A typo does not go unnoticed."""
        self.assertEqual(
            self.mistakes(environ={"RUM_PERGOLA__MAX_CLIENT": "5"}),
            [
                (
                    "RUM_PERGOLA__MAX_CLIENT: no such setting; "
                    "did you mean RUM_PERGOLA__MAX_CLIENTS?"
                )
            ],
        )

    def test_a_value_that_does_not_fit(self) -> None:
        """The variable and the key are named; a bare word is no number."""
        for text in ("fifty", "", "true", "5\nx = 1", '"5"'):
            (line,) = self.mistakes(environ={"RUM_PERGOLA__MAX_CLIENTS": text})
            self.assertTrue(
                line.startswith("RUM_PERGOLA__MAX_CLIENTS: pergola.max_clients = "),
                line,
            )

    def test_a_line_break_adds_no_setting(self) -> None:
        """One variable sets one thing."""
        (line,) = self.mistakes(environ={"RUM_PERGOLA__NAME": '"A"\nvalue2 = "B"'})
        self.assertIn("due one line of text", line)


class CommandLineTests(SourcesTestCase):
    """Settings behind ``--set``."""

    def test_values_are_toml(self) -> None:
        """Text stands in quotes; blanks around the sign of equality may stand."""
        config = load(overrides=['pergola.name="A=B"', " pergola.max_clients = 7 "])
        self.assertEqual(config.pergola.name, "A=B")
        self.assertEqual(config.pergola.max_clients, 7)

    def test_a_bare_word(self) -> None:
        """It says to quote it."""
        self.assertEqual(
            self.mistakes(overrides=["pergola.name=Rum"]),
            [
                (
                    "--set: pergola.name = Rum: due a TOML value; text stands in "
                    "quotes, which a shell wants to be quoted too: "
                    "'pergola.name=\"Rum\"'"
                )
            ],
        )

    def test_no_value(self) -> None:
        """It says what is due."""
        self.assertEqual(
            self.mistakes(overrides=["pergola.name"]),
            ["--set: pergola.name: due key=value"],
        )

    def test_more_than_a_value(self) -> None:
        """A line break does not smuggle a second setting in."""
        (line,) = self.mistakes(overrides=["status.interval=1\nx=2"])
        self.assertIn("due a TOML value", line)

    def test_an_unknown_key(self) -> None:
        """The nearest known one is named; an empty key is unknown too."""
        self.assertEqual(
            self.mistakes(overrides=["status.intervall=5", "=5"]),
            [
                (
                    "--set: status.intervall: no such setting; "
                    "did you mean status.interval?"
                ),
                "--set: : no such setting",
            ],
        )

    def test_a_bad_port(self) -> None:
        """It is found before anything is opened."""
        (line,) = self.mistakes(overrides=['pergola.listen=["tcp:68099"]'])
        self.assertEqual(
            line,
            '--set: pergola.listen = ["tcp:68099"]: '
            "due a port from 0 to 65535 in 'tcp:68099'",
        )


class ConformanceTests(SynchronousTestCase):
    """The settings of the conformance suite."""

    def test_they_are_what_its_readme_asks(self) -> None:
        """Files are found from wherever the server is started."""
        root = Path(__file__).parents[3]
        config: Config = load(root / "etc" / "conformance.toml")
        self.assertEqual(config.pergola.ident, "FSDA")
        self.assertEqual(config.pergola.name, "Conformance server FSDA")
        self.assertEqual(config.pergola.max_clients, 200)
        suite = root / "tests" / "conformance"
        self.assertEqual(config.pergola.motd, suite / "motd.txt")
        self.assertEqual(config.accounts.cert_file, suite / "accounts.txt")
        self.assertEqual(config.weather.file, suite / "metar.txt")
        self.assertEqual(
            config.status.whazzup, root / "data" / "conformance" / "whazzup.txt"
        )
        for path in (config.pergola.motd, config.weather.file):
            self.assertTrue(path.is_file(), path)


class GuardTests(SourcesTestCase):
    """Rungs have to stand in their order."""

    def test_at_the_bound_and_one_past_it(self) -> None:
        """Two at the same place are in order; one that overtakes is not."""
        load(overrides=["guard.thin = 85", "guard.cut = 87"])
        (mistake,) = self.mistakes(overrides=["guard.thin = 85.1"])
        self.assertEqual(
            mistake,
            "--set: guard.observers = 85: due at least guard.thin, which is 85.1",
        )

    def test_each_order(self) -> None:
        """Of memory, of lag, of intervals."""
        path = self.file("[guard]\nspare_lag = 0.1\n")
        mistakes = self.mistakes(path, ["guard.far_interval = 0.5"])
        self.assertEqual(len(mistakes), 2)
        for mistake, key in zip(mistakes, ("spare_lag", "far_interval"), strict=True):
            self.assertIn(f"guard.{key} = ", mistake)
        self.assertTrue(mistakes[0].startswith(str(path)))
        self.assertTrue(mistakes[1].startswith("--set"))
