"""The table of settings, and the example file that is made from it."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.config import load
from rum_twisted.config.example import example
from rum_twisted.config.settings import SETTINGS, TABLES, Config
from rum_twisted.guard.rungs import MEMORY

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "etc" / "rum.toml.example"
ROOMS = ROOT / "rum_twisted"


class SettingsTests(SynchronousTestCase):
    """Every setting is described, and its default fits its own kind."""

    def test_every_field_is_a_setting(self) -> None:
        """Nothing in the tree is out of an operator's reach."""
        leaves = {"data_dir"}
        for name, table in TABLES.items():
            leaves.update(f"{name}.{entry.name}" for entry in fields(table))
        self.assertEqual(set(SETTINGS), leaves)
        self.assertEqual(
            {entry.name for entry in fields(Config)}, {"data_dir", "sources", *TABLES}
        )

    def test_every_default_fits_its_kind(self) -> None:
        """A default written into a file means the same as none."""
        here = Path.cwd()
        config = load()
        for key, setting in SETTINGS.items():
            value: object = config
            for name in key.split("."):
                value = getattr(value, name)
            default = setting.default
            written = list(default) if isinstance(default, tuple) else default
            self.assertEqual(setting.kind.read(written, here), value, key)

    def test_every_setting_has_a_reason(self) -> None:
        """It is a whole sentence; a number has a unit besides."""
        for key, setting in SETTINGS.items():
            self.assertTrue(setting.reason.endswith("."), key)
            default = setting.default
            if isinstance(default, (int, float)) and not isinstance(default, bool):
                self.assertTrue(setting.unit, key)

    def test_every_setting_is_read(self) -> None:
        """Somewhere in the rooms: an option that does nothing is a lie."""
        rooms = (path for path in ROOMS.rglob("*.py") if path.parent.name != "config")
        text = "\n".join(path.read_text("utf-8") for path in rooms)
        read = set(re.findall(r"\.([a-z_]+)\b", text))
        read |= {rung.name for rung in MEMORY}  # by the name of its rung
        for key in SETTINGS:
            self.assertIn(key.rpartition(".")[2], read, key)

    def test_the_names_that_operators_rely_on(self) -> None:
        """They do not change under anybody's configuration."""
        self.assertLessEqual(
            {
                "data_dir",
                "pergola.listen",
                "pergola.ident",
                "pergola.name",
                "pergola.email",
                "pergola.hostname",
                "pergola.location",
                "pergola.max_clients",
                "pergola.motd",
                "pergola.max_line",
                "pergola.idle_timeout",
                "pergola.login_timeout",
                "accounts.cert_file",
                "accounts.store",
                "accounts.database",
                "accounts.answer_within",
                "accounts.allow",
                "control.socket",
                "services.roles",
                "services.listen",
                "services.advertise",
                "services.version",
                "services.group",
                "services.zone",
                "services.tls_cert",
                "services.tls_key",
                "services.tls_ca",
                "discovery.backend",
                "discovery.endpoints",
                "discovery.base_path",
                "discovery.lease_ttl",
                "discovery.client",
                "discovery.user",
                "discovery.password",
                "discovery.tls_ca",
                "discovery.tls_cert",
                "discovery.tls_key",
                "weather.source",
                "weather.file",
                "status.whazzup",
                "status.interval",
            },
            set(SETTINGS),
        )


class ExampleTests(SynchronousTestCase):
    """``etc/rum.toml.example`` tells the truth."""

    def test_the_file_is_current(self) -> None:
        """It was written from the settings as they are now.

        If not: ``python -m rum_twisted.config.example > etc/rum.toml.example``.
        """
        self.assertEqual(EXAMPLE.read_text(encoding="utf-8"), example())

    def test_it_changes_nothing(self) -> None:
        """An untouched copy leaves every default as it is."""
        self.assertEqual(load(EXAMPLE), load())

    def test_it_lists_every_setting_with_its_default(self) -> None:
        """Without the signs that comment them out, the lines say the defaults."""
        uncommented = "\n".join(
            line.removeprefix("#") if line[1:2] not in {" ", ""} else line
            for line in EXAMPLE.read_text(encoding="utf-8").splitlines()
        )
        listed = tomllib.loads(uncommented)
        keys = {key for key in listed if key not in TABLES}
        keys |= {f"{name}.{key}" for name in TABLES for key in listed[name]}
        self.assertEqual(keys, set(SETTINGS))

        copy = Path(self.mktemp())
        copy.write_text(uncommented, encoding="utf-8")
        # In a file, "data" would be a folder beside the file.
        data_dir = copy.absolute().parent / "data"
        self.assertEqual(load(copy), load(overrides=[f"data_dir = '{data_dir}'"]))
