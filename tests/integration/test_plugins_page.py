"""docs/plugins.md, followed by somebody who knows nothing else."""

import shutil
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from tests.support.page import Block, Reader, blocks_of
from tests.support.twistd import ROOT, free_port

PAGE = ROOT / "docs" / "plugins.md"
PORTS = ("6809", "6819", "7001", "7002")
NODE = ("node", "salut")  # the terminals of whoever has Node


class PageTests(SynchronousTestCase):
    """From an empty folder to plugins that run."""

    @override
    def setUp(self) -> None:
        """Take the page, and an empty folder."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        words = {port: str(free_port()) for port in PORTS}
        # On the page it is where it is by default; here others may have that port.
        listen = f'listen = ["tcp:{words["6809"]}:interface=127.0.0.1"]'
        words[listen] = f'http = ""\n{listen}'
        words["/path/to/rum"] = str(ROOT)
        self.reader = Reader(folder, words)
        self.addCleanup(self.reader.end)
        blocks = list(blocks_of(PAGE.read_text("utf-8")))
        self.by_hand = [block for block in blocks if not self.is_of_node(block)]
        self.of_node = [block for block in blocks if block.name != "server"]

    def is_of_node(self, block: Block) -> bool:
        """Tell whether a block is for Node."""
        return block.name in NODE or block.kind == "javascript"

    def test_a_plugin_in_python(self) -> None:
        """What the page shows is what is shown."""
        self.assertGreater(len(self.by_hand), 8)
        for block in self.by_hand:
            self.reader.follow(block)

    def test_a_plugin_in_node(self) -> None:
        """So it is in another language, from the contract alone."""
        if not shutil.which("node") or not shutil.which("npm"):
            raise SkipTest("needs node and npm")
        commands = 0
        for block in self.of_node:
            is_pilot = block.kind == "console" and "pilot.py Joe" in block.text
            if is_pilot and not self.is_of_node(block):
                continue  # the server that he calls is the other test's
            try:
                self.reader.follow(block)
            except AssertionError as error:
                if "npm install" in str(error):
                    raise SkipTest(f"npm cannot install: {error}") from error
                raise
            commands += self.is_of_node(block)
        self.assertEqual(commands, 4)
