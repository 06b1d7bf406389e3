"""Traffic rules, and where they stand, for tests."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.rpc.interfaces import IRules, IWatch
from rum_twisted.terms.rule import BackOut, Posted, Rule
from rum_twisted.terms.units import Seconds

__all__ = ["CANARY", "LIMITS", "PostedRules", "make_rule"]

CANARY = "4.1.0"
LIMITS = BackOut(error_points=5.0, least_calls=20, window=Seconds(30.0))


def make_rule(share: float = 10.0, **fields: Any) -> Rule:
    """Return a rule of ``weather``, most of it as it usually is."""
    return Rule(**{"service": "weather", "version": CANARY, "share": share, **fields})


@implementer(IWatch)
class _Watch:
    def __init__(self, rules: "PostedRules", changed: Callable[..., None]) -> None:
        self._rules = rules
        self.changed = changed
        rules.watches.append(self)

    def stop(self) -> None:
        """Tell no more; see `IWatch`."""
        if self in self._rules.watches:
            self._rules.watches.remove(self)


@implementer(IRules)
class PostedRules:
    """Rules in memory, shared by all that are given this."""

    def __init__(self, *rules: Rule) -> None:
        self._posted = {
            rule.service: Posted(rule, number)
            for number, rule in enumerate(rules, start=1)
        }
        self._revision = len(rules)
        self.watches: list[_Watch] = []
        self.trouble: Exception | None = None  # what each writing fails with
        self.refused = 0  # times that somebody came too late

    @override
    def __repr__(self) -> str:
        return f"<PostedRules: {len(self._posted)}>"

    def rules(self) -> tuple[Posted, ...]:
        """Return the rules; see `IRules`."""
        return tuple(self._posted.values())

    def rule(self, service: str = "weather") -> Rule:
        """Return one of them."""
        return self._posted[service].rule

    def watch_rules(self, changed: Callable[..., None]) -> IWatch:
        """Ask to be told of changes; see `IRules`."""
        return _Watch(self, changed)

    def post(self, service: str, rule: Rule | None, revision: int) -> Deferred[bool]:
        """Write a rule; see `IRules`."""
        if self.trouble is not None:
            return fail(self.trouble)
        posted = self._posted.get(service)
        is_current = revision == (0 if posted is None else posted.revision)
        if is_current:
            self.change(service, rule)
        else:
            self.refused += 1
        return succeed(is_current)

    def change(self, service: str, rule: Rule | None) -> None:
        """From now on, a service has this rule."""
        self._revision += 1
        if rule is None:
            self._posted.pop(service, None)
        else:
            self._posted[service] = Posted(rule, self._revision)
        for watch in list(self.watches):
            watch.changed(self.rules())
