"""``twistd rum``, and besides a part that leaks as soon as it is asked to.

It belongs to the tests and the bench alone: it stands for a plugin with a mistake.
Settings stand in the variable ``STANDSTILL``, one assignment a line; the file ``leak``
in the working directory says how many MB it takes at once, and how many a second from
then on.
"""

import os
import sys
from pathlib import Path

from twisted.application.service import Application, Service
from twisted.internet.task import LoopingCall
from typing_extensions import override

from rum_twisted.tap import Options, makeService
from rum_twisted.terms.measure import Measure

ORDER = Path("leak")
MB = 1 << 20
STEPS = 10  # a second


class LeakyPlugin(Service):
    """Keeps what it should let go of."""

    def __init__(self):
        self.kept = []
        self.rate = 0.0  # bytes a step
        self.looks = LoopingCall(self.look)

    @override
    def startService(self):
        """Begin to look for the order."""
        super().startService()
        self.looks.start(1 / STEPS)

    def look(self):
        """Leak, if that was ordered."""
        if ORDER.exists():
            at_once, rate = ORDER.read_text("ascii").split()
            ORDER.unlink()
            self.keep(float(at_once) * MB)
            self.rate = float(rate) * MB / STEPS
        self.keep(self.rate)

    def keep(self, size):
        """Take so many bytes."""
        if size:
            self.kept.append(b"\x01" * int(size))

    def measures(self):
        """Return what tells of the memory it keeps."""
        return {"leaky plugin": self.measure}

    def measure(self):
        """Tell how much it is."""
        return Measure(count=len(self.kept), bytes=sum(map(sys.getsizeof, self.kept)))

    def expendables(self):
        """Return what ends it."""
        return {"leaky plugin": self.end}

    def end(self):
        """Work no more, and let everything go."""
        if self.looks.running:
            self.looks.stop()
        self.rate = 0.0
        self.kept.clear()


options = Options()
words = [
    word
    for line in os.environ["STANDSTILL"].splitlines()
    for word in ("--set", line)
]
options.parseOptions(words)
options.parent = {"nodaemon": True}
application = Application("leak")
root = makeService(options)
root.setServiceParent(application)
plugin = LeakyPlugin()
plugin.setServiceParent(application)
root.getServiceNamed("admin").watch(plugin)
root.getServiceNamed("guard").acts.watch(plugin)
