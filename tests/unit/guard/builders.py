"""A guard whose pulses a test makes, and those who note what it asks of them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from rum_twisted.admin.dump import Dumps
from rum_twisted.admin.sampler import Pulse
from rum_twisted.config import GuardSettings
from rum_twisted.guard.acts import Acts
from rum_twisted.guard.guard import MEMORY_PATIENCE, Guard, Watched
from rum_twisted.guard.interfaces import Front
from rum_twisted.session.door import Door
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.pace import Pace
from rum_twisted.terms.units import Seconds
from tests.unit.admin.builders import Room

MB: Final = 1 << 20
LIMIT: Final = 100 * MB
AT_THE_START: Final = 40  # MB


class Parts:
    """Everything that the guard reaches, in one: it notes what is asked of it."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.waiting: list[str] = []  # clients who can be cut, the largest first
        self.needed: list[str] = []  # clients who are cut after them
        self.is_broken = False
        self.kept_back = 0  # reports

    def lengthen_turns(self, times: float) -> None:
        """Note it."""
        self.did.append(f"turns {times:g}")

    def thin(self, pace: Pace) -> None:
        """Note it."""
        self.did.append(f"thin {pace.near}")

    def thin_no_more(self) -> None:
        """Note it."""
        self.did.append("thin no more")

    def largest_outboxes(self, most: int, *, least: int, needed: bool) -> list[str]:
        """Return who is there."""
        return self.waiting or (self.needed if needed else [])

    def cut_largest(
        self, most: int, *, least: int, needed: bool, reason: str
    ) -> list[str]:
        """Cut one at a time."""
        cut = self.largest_outboxes(most, least=least, needed=needed)[:1]
        for some in (self.waiting, self.needed):
            some[:] = [name for name in some if name not in cut]
        self.did += [f"cut {name}" for name in cut]
        return cut

    def shrink(self) -> int:
        """Note it; let 100 bytes go."""
        self.did.append("shrink")
        if self.is_broken:
            raise ZeroDivisionError
        return 100

    def expendables(self) -> Mapping[str, Callable[[], object]]:
        """Return the one that can be done without."""
        return {"plugin": lambda: self.did.append("end plugin")}

    def tell_everybody(self, text: str) -> None:
        """Note it."""
        self.did.append(f"everybody: {text}")


class GuardRoom(Room):
    """A guard on a clock that stands still.

    Args:
        folder: for dumps.
        settings: other than the defaults.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        super().__init__()
        self.parts = Parts()
        self.door = Door()
        self.staff: list[str] = []
        self.audit: list[str] = []
        self.kept = 0  # bytes, of the owner "plugin"
        self.throttled = 0.0
        self.owners.register("plugin", lambda: Measure(count=3, bytes=self.kept))
        self.folder = folder
        self.settings = GuardSettings(**{"memory_limit": LIMIT, **settings})
        self.guard = Guard(
            self.clock,
            self.now,
            self.settings,
            Watched(
                owners=self.owners,
                sampler=self.sampler,
                heap=self.heap,
                dumps=Dumps(folder, self.heap, self.now),
                audit=lambda rung, text: self.audit.append(f"{rung}: {text}"),
            ),
            Acts(
                self.settings,
                Front(
                    delivery=self.parts,
                    door=self.door,
                    crowd=self.parts,
                    tell_everybody=self.parts.tell_everybody,
                    tell_staff=self.staff.append,
                ),
            ),
        )
        self.guard.acts.watch(self.parts)
        self.guard.startService()
        self.use(AT_THE_START)

    def use(
        self,
        rss: float | None,
        *,
        seconds: int = max(MEMORY_PATIENCE),
        used: float | None = None,
        limit: float | None = None,
        lag: float = 0.0,
        throttled: float = 0.0,
    ) -> None:
        """Let so many pulses be taken, with these figures.

        Args:
            rss: MB.
            seconds: how many.
            used: by the control group, MB.
            limit: of it, MB.
            lag: seconds.
            throttled: share of the time.
        """
        for _ in range(seconds):
            self.clock.advance(1.0)
            self.throttled += throttled
            self.guard.note(
                Pulse(
                    at=self.now(),
                    rss=_bytes(rss),
                    used=_bytes(used),
                    limit=_bytes(limit),
                    lag=Seconds(lag),
                    throttled_s=Seconds(self.throttled),
                )
            )

    def take(self) -> list[str]:
        """Return what was done since the last call."""
        did, self.parts.did = self.parts.did, []
        return did

    def dumps(self) -> list[str]:
        """Return the names of the dumps there are."""
        return sorted(path.name for path in self.folder.glob("*"))


def _bytes(megabytes: float | None) -> int | None:
    return None if megabytes is None else round(megabytes * MB)
