"""The control commands by which an operator reaches processes of other machines."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from rum_twisted.assembly.traffic import one_line, told
from rum_twisted.control.lines import Refused
from rum_twisted.control.server import Command
from rum_twisted.discovery.interfaces import Overview
from rum_twisted.discovery.service import DiscoveryClient
from rum_twisted.terms.instance import Instance, InstanceState
from rum_twisted.terms.units import Seconds
from rum_twisted.terms.wish import Wish, WishKind

__all__ = ["Wishes"]

_FRONT: Final = "pergola"
_GONE: Final = "gone"


class Wishes:
    """Lets a process know by the registry what an operator wants of it.

    Args:
        discovery: reads the registry, and writes wishes.
        now: tells the seconds since the Unix epoch, UTC.
    """

    def __init__(self, discovery: DiscoveryClient, now: Callable[[], Seconds]) -> None:
        self._discovery = discovery
        self._now = now

    @property
    def commands(self) -> dict[str, Command]:
        """The commands by name."""
        return {
            "wish.make": lambda arguments: told(self._make(arguments)),
            "wish.look": lambda arguments: told(self._look(arguments)),
        }

    async def _make(self, arguments: Mapping[str, Any]) -> dict[str, object]:
        """Want something of a process."""
        name, kind = one_line(arguments, "name"), _kind(arguments)
        if refusal := self._discovery.refuses_wishes:
            raise Refused(refusal)
        overview = await self._discovery.look()
        known = _instances(overview, name)
        if not known:
            raise Refused(f"{name}: nobody in the registry has this name")
        if any(each.service == _FRONT for each in known):
            raise Refused(
                f"{name}: pilots and controllers are connected to it; it is stopped "
                "like any other process (SIGTERM), and they log on anew"
            )
        state = _state(known)
        if kind is WishKind.SERVE and state == InstanceState.UP.value:
            raise Refused(f"{name}: it is not drained")
        await self._discovery.wish(
            Wish(
                name=name,
                kind=kind,
                by=one_line(arguments, "by"),
                where=one_line(arguments, "where"),
                asked=self._now(),
            )
        )
        return {
            "name": name,
            "state": state,
            "services": [each.service for each in known],
        }

    async def _look(self, arguments: Mapping[str, Any]) -> dict[str, object]:
        """Tell how far a process is, and whether it has heard."""
        name = one_line(arguments, "name")
        overview = await self._discovery.look()
        return {
            "name": name,
            "state": _state(_instances(overview, name)),
            "is_heard": all(wish.name != name for wish in overview.wishes),
        }


def _instances(overview: Overview, name: str) -> list[Instance]:
    """Return what a process plays."""
    return [each for each in overview.instances if each.name == name]


def _state(instances: list[Instance]) -> str:
    """Return the state of a process, which is the same for all that it plays."""
    return instances[0].state.value if instances else _GONE


def _kind(arguments: Mapping[str, Any]) -> WishKind:
    value = arguments.get("kind")
    try:
        return WishKind(value)
    except ValueError as error:
        due = ", ".join(kind.value for kind in WishKind)
        raise Refused(f"kind {value!r}: due {due}") from error
