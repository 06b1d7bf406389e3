"""A plugin with a mistake, for tests and the bench: it keeps what it should let go of.

To be copied to a folder of plugins. The file ``leak`` in the working directory says how
many MB it takes at once, and how many a second from then on.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

from twisted.internet.task import LoopingCall

from rum_twisted.plugins import Hook, Manifest, PluginContext
from rum_twisted.session.hooks import LoggedOn

__all__ = ["Leaky", "plugin"]

ORDER: Final = Path("leak")
_MB: Final = 1 << 20
_STEPS: Final = 20  # a second
_PIECE: Final = 4096  # bytes


class Leaky:
    """Remembers everything; see `IPlugin`."""

    manifest: ClassVar = Manifest(name="leaky", hooks=frozenset({Hook.LOGGED_ON}))

    def __init__(self, rum: PluginContext, settings: Mapping[str, object]) -> None:
        self._history: list[bytes] = []
        self._rate = 0.0  # MB a step
        self._steps = LoopingCall(self.step)
        self._steps.clock = rum.reactor
        self._steps.start(1 / _STEPS)

    async def logged_on(self, event: LoggedOn) -> None:
        """Take note of nobody."""

    def step(self) -> None:
        """Leak, if that was ordered."""
        order = ORDER.read_text("ascii") if ORDER.exists() else ""
        if order:  # else it is just being written
            at_once, rate = map(float, order.split())
            ORDER.unlink()
            self._rate = rate / _STEPS
            self.remember(at_once)
        self.remember(self._rate)

    def remember(self, megabytes: float) -> None:
        """Keep so much, for ever."""
        pieces = round(megabytes * _MB / _PIECE)
        self._history += [b"%*d" % (_PIECE, number) for number in range(pieces)]

    async def closing(self) -> None:
        """Stop."""
        if self._steps.running:
            self._steps.stop()


plugin = Leaky
