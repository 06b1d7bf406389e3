"""How Python plugins are found, and what is said of those that cannot be used."""

import json
import textwrap
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.config import Config, ConfigError, load
from rum_twisted.plugins.loading import BUNDLED, find_plugins, install
from rum_twisted.plugins.manifest import (
    LONGEST_TEXT,
    MOST_TEXTS,
    Manifest,
    Option,
    UnfitPlugin,
    checked,
)
from rum_twisted.session.hooks import Hook
from rum_twisted.terms.units import Seconds
from tests.support.plugins import make_host, make_manifest

GOOD = """
    from rum_twisted.plugins import Hook, Manifest, Option

    class plugin:
        manifest = Manifest(
            name="NAME",
            hooks=frozenset({Hook.TEXT}),
            options=(Option(name="word", default="a", about="A word."),),
        )

        def __init__(self, rum, settings):
            self.settings = settings

        def text(self, event):
            pass
"""


class LoadingTests(SynchronousTestCase):
    """A folder of plugins, and settings that name them."""

    @override
    def setUp(self) -> None:
        """Make the folder."""
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def write(self, name: str, code: str = GOOD) -> str:
        """Write a plugin of this name, which no other test uses."""
        text = textwrap.dedent(code).replace("NAME", name)
        (self.folder / f"{name}.py").write_text(text, "utf-8")
        return name

    def configuration(self, *names: str, tables: str = "") -> Config:
        """Return settings that enable these."""
        path = self.folder / "rum.toml"
        path.write_text(
            f"[plugins]\nfolder = {json.dumps(str(self.folder))}\n"
            f"enabled = {json.dumps(names)}\n{tables}",
            "utf-8",
        )
        return load(path)

    def mistake(self, *names: str, tables: str = "") -> str:
        """Return what is wrong."""
        with self.assertRaises(ConfigError) as caught:
            find_plugins(self.configuration(*names, tables=tables))
        return str(caught.exception)

    def test_a_file(self) -> None:
        """It is found by its name, and gets its settings."""
        name = self.write("loading_good")
        tables = f"[plugins.settings.{name}]\nword = 'b'\n"
        (found,) = find_plugins(self.configuration(name, tables=tables))
        self.assertEqual(found.settings, {"word": "b", "may_kick": False})
        host = make_host(Clock())
        self.addCleanup(host.stopService)
        install(found, host)
        self.assertEqual([guard.name for guard in host.guards], [name])

    def test_those_that_rum_brings(self) -> None:
        """Each is there, and is what it calls itself."""
        tables = "[plugins.settings.webhooks]\nurls = []\nsecret = 's'\n"
        found = find_plugins(self.configuration(*BUNDLED, tables=tables))
        self.assertEqual([each.manifest.name for each in found], list(BUNDLED))

    def test_settings_that_do_not_fit(self) -> None:
        """File, key, value, and what was due, each in a line."""
        name = self.write("loading_unfit")
        tables = f"[plugins.settings.{name}]\nword = 3\nwrod = 'x'\n"
        first, second = self.mistake(name, tables=tables).splitlines()
        place = f"{self.folder / 'rum.toml'}: plugins.settings.{name}"
        due = f"due is a text of at most {LONGEST_TEXT} characters"
        self.assertEqual(first, f"{place}.word = 3: {due}")
        self.assertIn(
            f"{place}.wrod: no such setting; there are may_kick, word", second
        )

    def test_secret_is_not_shown(self) -> None:
        """Not even where it does not fit."""
        tables = "[plugins.settings.webhooks]\nurls = []\nsecret = 12345678\n"
        mistake = self.mistake("webhooks", tables=tables)
        self.assertIn("secret = (not shown)", mistake)
        self.assertNotIn("12345678", mistake)

    def test_what_has_to_be_said(self) -> None:
        """A required setting that is missing is a mistake."""
        self.assertIn("plugins.settings.webhooks.secret", self.mistake("webhooks"))

    def test_table_of_nobody(self) -> None:
        """A slip in the name of a table is found."""
        mistake = self.mistake("dots", tables="[plugins.settings.dotz]\nmost = 1\n")
        self.assertIn("plugins.settings.dotz: no such plugin", mistake)

    def test_no_such_plugin(self) -> None:
        """What was due is told."""
        self.assertIn("due is one of dots, greeter, webhooks", self.mistake("nobody"))

    def test_code_that_cannot_be_run(self) -> None:
        """The reason is one line."""
        mistake = self.mistake(self.write("loading_broken", "raise OSError('x')"))
        self.assertIn("'loading_broken' cannot be loaded: OSError: x", mistake)

    def test_other_name(self) -> None:
        """A file is called as its plugin."""
        name = self.write("loading_other", GOOD.replace("NAME", "somebody"))
        self.assertIn("calls itself 'somebody'", self.mistake(name))

    def test_hook_without_a_method(self) -> None:
        """It is missed before anything happens."""
        name = self.write("loading_lame", GOOD.replace("def text", "def txet"))
        self.assertIn("due is a method text()", self.mistake(name))

    def test_it_raises_while_it_is_made(self) -> None:
        """That is told to whoever installs it."""
        name = self.write("loading_made", GOOD.replace("self.settings =", "1 / 0 ;"))
        (found,) = find_plugins(self.configuration(name))
        host = make_host(Clock())
        self.addCleanup(host.stopService)
        with self.assertRaises(UnfitPlugin) as caught:
            install(found, host)
        self.assertIn("ZeroDivisionError", str(caught.exception))

    def test_two_with_one_command(self) -> None:
        """The second is refused."""
        host = make_host(Clock())
        self.addCleanup(host.stopService)
        (found,) = find_plugins(self.configuration("dots"))
        install(found, host)
        with self.assertRaises(UnfitPlugin):
            install(found, host)


class ManifestTests(SynchronousTestCase):
    """What a plugin may declare."""

    def test_what_is_refused(self) -> None:
        """Names, hooks, words, packets and budgets that are none."""
        hooks = frozenset({Hook.TEXT})
        cases: tuple[dict[str, Any], ...] = (
            {"name": "Bad"},
            {"name": ""},
            {"hooks": frozenset()},
            {"budget": Seconds(0.0)},
            {"budget": Seconds(5.1)},
            {"commands": ("metar",)},  # without the hook
            {"hooks": frozenset({Hook.COMMAND})},  # without words
            {"hooks": frozenset({Hook.COMMAND}), "commands": ("Metar",)},
            {"hooks": frozenset({Hook.LINE}), "prefixes": ("#AP",)},
            {"hooks": frozenset({Hook.LINE}), "prefixes": ("@",)},
            {"options": (Option(name="may_kick", default=True, about="."),)},
        )
        for fields in cases:
            usual: dict[str, Any] = {"name": "good", "hooks": hooks}
            with self.assertRaises(UnfitPlugin, msg=fields):
                Manifest(**{**usual, **fields})

    def test_values_at_their_bounds(self) -> None:
        """Each kind takes what fits, and no more."""
        cases: tuple[tuple[Option, object, object], ...] = (
            (Option(name="a", default=1, least=1, most=5, about="."), 5, 6),
            (Option(name="a", default=1, about="."), 2, True),
            (Option(name="a", default=1.0, most=2.0, about="."), 2, 2.1),
            (Option(name="a", default=False, about="."), True, 1),
            (
                Option(name="a", default="", about="."),
                "x" * LONGEST_TEXT,
                "x" * (LONGEST_TEXT + 1),
            ),
            (
                Option(name="a", default=(), about="."),
                ["x"] * MOST_TEXTS,
                ["x"] * (MOST_TEXTS + 1),
            ),
            (Option(name="a", default=(), about="."), [], [1]),
        )
        for option, good, bad in cases:
            manifest = make_manifest(Hook.TEXT, options=(option,))
            checked(manifest, {"a": good}, "test")
            with self.assertRaises(UnfitPlugin, msg=option):
                checked(manifest, {"a": bad}, "test")
