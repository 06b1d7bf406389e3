"""``twistd rum``, and besides a part that holds the reactor up whenever it is asked to.

It belongs to the tests alone: a server has nothing of the kind. Settings stand in the
variable ``STANDSTILL``, one assignment a line; the file ``stand-still`` in the working
directory says for how many seconds, and goes when that begins.
"""

import os
import time
from pathlib import Path

from twisted.application.service import Application, Service
from twisted.internet.task import LoopingCall
from typing_extensions import override

from rum_twisted.tap import Options, makeService

ORDER = Path("stand-still")


class Standstill(Service):
    """Looks for the order ten times a second."""

    @override
    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        LoopingCall(self.look).start(0.1)

    def look(self) -> None:
        """Stand still if that was ordered."""
        if ORDER.exists():
            seconds = float(ORDER.read_text("ascii"))
            ORDER.unlink()
            self.hold_everybody_up(seconds)

    def hold_everybody_up(self, seconds: float) -> None:
        """Do nothing else for so long."""
        time.sleep(seconds)  # noqa: TID251 - that is the point


options = Options()
words = [
    word
    for line in os.environ["STANDSTILL"].splitlines()
    for word in ("--set", line)
]
options.parseOptions(words)
options.parent = {"nodaemon": True}
application = Application("standstill")
makeService(options).setServiceParent(application)
Standstill().setServiceParent(application)
