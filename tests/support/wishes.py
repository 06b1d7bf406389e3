"""Wishes, and a registry in memory that has them heard."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from typing_extensions import override

from rum_twisted.discovery.interfaces import Overview
from rum_twisted.discovery.memory import MemoryRegistry
from rum_twisted.terms.instance import Instance
from rum_twisted.terms.rule import Posted
from rum_twisted.terms.units import Seconds
from rum_twisted.terms.wish import Wish, WishKind

__all__ = ["WishfulRegistry", "make_wish"]


def make_wish(name: str, kind: WishKind = WishKind.END, **fields: Any) -> Wish:
    """Return what root wants, who sits elsewhere."""
    usual = {"by": "root", "where": "10.0.0.9", "asked": Seconds(1.0)}
    return Wish(name=name, kind=kind, **{**usual, **fields})


class WishfulRegistry(MemoryRegistry):
    """The processes of one machine, as if they were of several."""

    refuses_wishes = ""

    def __init__(self) -> None:
        super().__init__()
        self.wishes: dict[str, Wish] = {}
        self.is_deaf = False  # to what is to be deleted
        self.trouble: Exception | None = None  # what deleting fails with
        self._wished: Callable[[tuple[Wish, ...]], None] = lambda _: None

    @override
    def start(
        self,
        changed: Callable[[tuple[Instance, ...]], None],
        ruled: Callable[[tuple[Posted, ...]], None] = lambda _: None,
        wished: Callable[[tuple[Wish, ...]], None] = lambda _: None,
    ) -> None:
        """Begin; see `IRegistry`."""
        super().start(changed, ruled)
        self._wished = wished

    def tell(self) -> None:
        """Tell all wishes."""
        self._wished(tuple(self.wishes.values()))

    @override
    def wish(self, wish: Wish) -> Deferred[None]:
        """Let all know; see `IRegistry`."""
        self.wishes[wish.name] = wish
        self.tell()
        return succeed(None)

    @override
    def take_up(self, name: str) -> Deferred[None]:
        """Delete it; see `IRegistry`."""
        if self.trouble is not None:
            return fail(self.trouble)
        if not self.is_deaf:
            self.wishes.pop(name, None)
        return succeed(None)

    @override
    def look(self) -> Deferred[Overview]:
        """Read what stands here; see `IRegistry`."""
        (overview,) = self._looked()
        return succeed(overview)

    def _looked(self) -> list[Overview]:
        found: list[Overview] = []
        super().look().addCallback(found.append)
        wishes = tuple(self.wishes.values())
        return [Overview(each.instances, each.rules, wishes) for each in found]
