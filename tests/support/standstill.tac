"""``twistd rum``, and besides a part that holds the reactor up whenever it is asked to.

It belongs to the tests alone: a server has nothing of the kind. Settings stand in the
variable ``STANDSTILL``, one assignment a line; the file ``stand-still`` in the working
directory says for how many seconds at most, and goes when that begins. It ends earlier
when somebody writes to the pipe ``go-on``.
"""

import os
import select
from pathlib import Path

from twisted.application.service import Application, Service
from twisted.internet.task import LoopingCall
from typing_extensions import override

from rum_twisted.tap import Options, makeService

ORDER = Path("stand-still")
END = Path("go-on")


class Standstill(Service):
    """Looks for the order ten times a second."""

    @override
    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        os.mkfifo(END)
        LoopingCall(self.look).start(0.1)

    def look(self) -> None:
        """Stand still if that was ordered."""
        order = ORDER.read_text("ascii") if ORDER.exists() else ""
        if order:  # else it is just being written
            ORDER.unlink()
            self.hold_everybody_up(float(order))

    def hold_everybody_up(self, seconds: float) -> None:
        """Do nothing else for so long, or until that is enough."""
        end = os.open(END, os.O_RDWR)
        select.select([end], [], [], seconds)
        os.close(end)


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
