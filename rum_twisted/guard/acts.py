"""What is done on each rung; each act can be repeated, and knows how to be ended."""

import gc
from contextlib import suppress
from typing import Final

from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger

from rum_twisted.config import GuardSettings
from rum_twisted.guard.interfaces import Expendable, Front, Shrinkable
from rum_twisted.session.door import ClosedTo
from rum_twisted.terms.pace import Pace
from rum_twisted.terms.units import NauticalMiles, Seconds

__all__ = ["CUTS", "Acts"]

CUTS: Final = 8  # clients a second, at most
LEAST_CUT: Final = 16_384  # bytes that wait for whoever is cut
LONGER: Final = 2.0  # times as long as usual
_REASON: Final = "The server is short of memory and takes no {whom} just now. {hint}"
_OBSERVERS: Final = _REASON.format(
    whom="observers", hint="Pilots and controllers are welcome."
)
_NEWCOMERS: Final = _REASON.format(
    whom="new logons", hint="Please try again in a few minutes."
)


class Acts:
    """Does what the guard decides, through those who can.

    Args:
        settings: how much of it.
        front: where clients connect; ``None`` where none do.
    """

    log = Logger()

    def __init__(self, settings: GuardSettings, front: Front | None) -> None:
        self._front = front
        self._pace = Pace(
            near=NauticalMiles(settings.near),
            near_interval=Seconds(settings.near_interval),
            far_interval=Seconds(settings.far_interval),
        )
        self._shrinkables: list[Shrinkable] = []
        self._expendables: list[Expendable] = []
        # What came of it, since the start.
        self.freed = 0  # bytes, of caches
        self.collected = 0  # objects
        self.cut: list[str] = []  # the last ones
        self.cuts = 0
        self.ended: list[str] = []  # owners

    @property
    def have_clients(self) -> bool:
        """Whether this process has clients to do something about."""
        return self._front is not None

    def watch(self, part: object) -> None:
        """Have a part shrink, or be ended, if it can be; a second time is no other."""
        if isinstance(part, Shrinkable) and part not in self._shrinkables:
            self._shrinkables.append(part)
        if isinstance(part, Expendable) and part not in self._expendables:
            self._expendables.append(part)

    def shrink(self) -> None:
        """Let caches shrink, collect garbage, and give free memory back."""
        for part in self._shrinkables:
            try:
                self.freed += part.shrink()
            except Exception:  # noqa: BLE001 - one that fails may not keep the others
                self.log.failure("guard: {part} did not shrink", part=part)
        self.collected += gc.collect()
        _give_back()

    def lengthen_turns(self, *, is_on: bool) -> None:
        """Write reports in longer turns, or no more."""
        if self._front is not None:
            self._front.delivery.lengthen_turns(LONGER if is_on else 1.0)

    def thin(self, *, is_on: bool) -> None:
        """Tell fewer reports, or all of them."""
        if self._front is None:
            return
        if is_on:
            self._front.delivery.thin(self._pace)
        else:
            self._front.delivery.thin_no_more()

    def close_door(self, closed_to: ClosedTo) -> None:
        """Let some in no more, or everybody."""
        if self._front is None:
            return
        door = self._front.door
        if closed_to is ClosedTo.NOBODY:
            door.open()
        else:
            is_some = closed_to is ClosedTo.OBSERVERS
            door.close(closed_to, _OBSERVERS if is_some else _NEWCOMERS)

    def cut_some(self, *, needed: bool) -> list[str]:
        """Cut those for whom most waits; return their names."""
        if self._front is None:
            return []
        cut = self._front.crowd.cut_largest(
            CUTS, least=LEAST_CUT, needed=needed, reason="memory is short"
        )
        self.cuts += len(cut)
        self.cut = [*self.cut, *cut][-CUTS:]
        return cut

    def would_cut(self, *, needed: bool) -> list[str]:
        """Return the names of those who would be cut."""
        if self._front is None:
            return []
        crowd = self._front.crowd
        return crowd.largest_outboxes(CUTS, least=LEAST_CUT, needed=needed)

    def end(self, owner: str) -> bool:
        """End what is known as that owner, if it can be done without.

        It may take its time to end; then what it kept is collected.
        """
        for part in self._expendables:
            end = part.expendables().get(owner)
            if end is None:
                continue
            self.ended.append(owner)
            ending = maybeDeferred(end)
            ending.addErrback(
                lambda failure: self.log.failure(
                    "guard: {owner} did not end well", failure, owner=owner
                )
            )
            ending.addCallback(lambda _: self.shrink())
            return True
        return False

    def tell_everybody(self, text: str) -> None:
        """Say a line to all who are on."""
        if self._front is not None:
            self._front.tell_everybody(text)

    def tell_staff(self, text: str) -> None:
        """Say a line to the staff who are on."""
        if self._front is not None:
            self._front.tell_staff(text)

    @property
    def kept_back(self) -> int:
        """How many reports were not told to all in sight, up to now."""
        return 0 if self._front is None else self._front.delivery.kept_back

    @property
    def refused(self) -> int:
        """How many logons were refused, up to now."""
        return 0 if self._front is None else self._front.door.refused


def _give_back() -> None:
    """Have the allocator give memory back that is free but still ours.

    It does so by itself only at the end of its heap. Where there is no such function,
    nothing happens.
    """
    # 0.5 MB, for a moment when there is need only.
    import ctypes  # noqa: PLC0415

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
