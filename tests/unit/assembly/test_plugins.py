"""Plugins as owners of memory, and as what a server can do without."""

import gc
import json
import shutil
import weakref
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.assembly.plugins import LocalPlugins, make_host
from rum_twisted.config import load
from tests.support.builders import NOON
from tests.support.fabric import chance
from tests.unit.assembly.test_admin import LoopClock

PLUGIN: Final = Path(__file__).parents[2] / "support" / "leaky.py"
MEGABYTES: Final = 3
MB: Final = 1 << 20


class LocalPluginsTests(SynchronousTestCase):
    """A plugin that leaks."""

    @override
    def setUp(self) -> None:
        """Start it."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        shutil.copy(PLUGIN, folder / "leaky.py")
        overrides = (
            f"plugins.folder={json.dumps(str(folder))}",
            'plugins.enabled=["leaky"]',
        )
        config = load(overrides=overrides)
        self.clock = LoopClock()
        self.host = make_host(config, self.clock, chance(), lambda: NOON)
        self.plugins = LocalPlugins(config, self.host)
        self.host.startService()
        self.addCleanup(self.host.stopService)

    def bytes_kept(self) -> int:
        """Return what the owner tells."""
        found = self.plugins.measures()["plugin leaky"]()
        assert not isinstance(found, tuple)
        return found.bytes

    def leak(self) -> None:
        """Let it leak some megabytes."""
        plugin = self.plugins._plugins["leaky"]  # noqa: SLF001 - nobody else has it
        plugin.remember(MEGABYTES)  # type: ignore[attr-defined]

    def test_what_it_keeps(self) -> None:
        """Nothing before it runs; then about as much as it has leaked."""
        self.assertEqual(self.bytes_kept(), 0)
        self.assertEqual(self.plugins.expendables(), {})
        self.plugins.startService()
        self.leak()
        self.assertEqual(round(self.bytes_kept() / MB), MEGABYTES)

    def test_its_end(self) -> None:
        """It works no more and keeps nothing, though it is as old as the server."""
        self.plugins.startService()
        self.leak()
        plugin = self.plugins._plugins["leaky"]  # noqa: SLF001 - as above
        known = weakref.ref(plugin)
        del plugin
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        end = self.plugins.expendables()["plugin leaky"]
        end()
        self.assertEqual(self.host.guards, ())
        self.assertEqual(vars(known()) if known() is not None else {}, {})
        self.assertEqual(self.bytes_kept(), 0)
        self.assertEqual(self.plugins.expendables(), {})
        end()  # a second time is no other
