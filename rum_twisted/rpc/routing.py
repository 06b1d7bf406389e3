"""Who is asked, where a traffic rule parts the instances of a service.

A call is for the new version or for the others; see `Rule`. A call that fails with
the new version is repeated with the others, so that who made it notices little.
"""

from collections.abc import Callable, Sequence

from typing_extensions import override

from rum_twisted.rpc.pool import Pool
from rum_twisted.rpc.selection import Selector
from rum_twisted.rpc.target import Target
from rum_twisted.terms.rule import Rule
from rum_twisted.terms.units import Seconds

__all__ = ["Routing"]


class Routing:
    """All targets of one service, parted where there is a rule.

    Invariant: with a rule, ``_canary`` has the targets of its version and ``_stable``
    the others; without one, ``_stable`` has them all.

    Args:
        make_selector: makes what picks one of several.
        group: of this process.
        zone: of this process.
        turned_away: called with the new version when a call was for it and could not
            be sent there, since none of its instances can be asked.
    """

    def __init__(
        self,
        make_selector: Callable[[], Selector],
        group: str,
        zone: str,
        turned_away: Callable[[str], None],
    ) -> None:
        self._make_selector = make_selector
        self._group = group
        self._zone = zone
        self._turned_away = turned_away
        self._rule: Rule | None = None
        self._targets: list[Target] = []
        self._stable = Pool(make_selector())
        self._canary = self._stable  # without a rule nobody asks it

    @override
    def __repr__(self) -> str:
        if self._rule is None:
            return f"<Routing: {self._stable!r}>"
        return (
            f"<Routing: {self._stable!r}, {self._rule.share:g} % to "
            f"{self._rule.version} {self._canary!r}>"
        )

    @property
    def rule(self) -> Rule | None:
        """What parts the calls; ``None``: they are not parted."""
        return self._rule

    @property
    def known(self) -> int:
        """How many instances one call may be sent to, one after the other."""
        return len(self._targets)

    @property
    def able(self) -> int:
        """How many can be asked."""
        return sum(len(pool.able) for pool in self._pools)

    @property
    def broken(self) -> int:
        """How many are left alone."""
        return sum(len(pool.broken) for pool in self._pools)

    @property
    def _pools(self) -> tuple[Pool, ...]:
        return (self._stable,) if self._rule is None else (self._stable, self._canary)

    @property
    def keeps_off_all(self) -> bool:
        """Whether there are instances, and the rule keeps everybody off them all."""
        rule = self._rule
        return rule is not None and not len(self._stable) and not rule.may_stand_in

    def change(self, targets: list[Target]) -> None:
        """Take note of who there is."""
        self._targets = targets
        rule = self._rule
        if rule is None:
            self._stable.change(targets)
            return
        version = rule.version
        self._stable.change([t for t in targets if t.instance.version != version])
        self._canary.change([t for t in targets if t.instance.version == version])

    def change_rule(self, rule: Rule | None) -> None:
        """Go by another rule, or by none."""
        had_one = self._rule is not None
        self._rule = rule
        if rule is None:
            self._canary = self._stable
        elif not had_one:
            self._canary = Pool(self._make_selector())
        self.change(self._targets)

    def version_for(self, who: str) -> str:
        """Return the version that a call is for; empty: any of the others, or all."""
        rule = self._rule
        if rule is None or not rule.is_for_canary(who, self._group, self._zone):
            return ""
        return rule.version

    def sort_out(self) -> None:
        """Part the targets by their breakers."""
        for pool in self._pools:
            pool.sort_out()

    def choose(
        self, key: str, who: str, now: Seconds, tried: Sequence[Target]
    ) -> Target | None:
        """Return one who has not been tried; ``None`` if there is none.

        Args:
            key: what is asked for.
            who: on whose behalf.
            now: the time.
            tried: who was asked before, for the same call.
        """
        rule = self._rule
        if rule is None:
            return self._stable.choose(key, now, tried)
        is_for_canary = rule.is_for_canary(who, self._group, self._zone)
        if is_for_canary and not tried and len(self._canary):
            target = self._canary.choose(key, now, tried)
            if target is not None:
                return target
            self._turned_away(rule.version)
        target = self._stable.choose(key, now, tried)
        if target is None and (is_for_canary or rule.may_stand_in):
            target = self._canary.choose(key, now, tried)
        return target
