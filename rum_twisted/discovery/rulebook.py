"""The traffic rules as they were told last, and who wants to know of changes.

No clock, no connection: what is told here comes from a registry, see `interfaces`.
"""

from collections.abc import Callable
from typing import TypeAlias

from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.terms.rule import Posted

__all__ = ["RuleBook", "RuleWatch", "Ruled"]

Ruled: TypeAlias = Callable[[tuple[Posted, ...]], None]


class RuleWatch:
    """Somebody who is told of all rules until he stops."""

    def __init__(self, book: "RuleBook", changed: Ruled) -> None:
        self._book = book
        self.changed = changed

    @override
    def __repr__(self) -> str:
        return "<RuleWatch>"

    def stop(self) -> None:
        """Be told nothing more, from now on; a second time does nothing."""
        self._book.forget(self)


class RuleBook:
    """The traffic rules of all services, by service."""

    log = Logger()

    def __init__(self) -> None:
        self.rules: tuple[Posted, ...] = ()
        self._watches: dict[RuleWatch, None] = {}

    @override
    def __repr__(self) -> str:
        return f"<RuleBook: {len(self.rules)} rules, {len(self._watches)} watches>"

    def watch(self, changed: Ruled) -> RuleWatch:
        """Call ``changed`` with all rules after each change, not during this call."""
        watch = RuleWatch(self, changed)
        self._watches[watch] = None
        return watch

    def forget(self, watch: RuleWatch) -> None:
        """Tell a watch nothing more."""
        self._watches.pop(watch, None)

    def replace(self, rules: tuple[Posted, ...]) -> None:
        """Take over what stands now; tell of it if it is something else."""
        rules = tuple(sorted(rules, key=lambda posted: posted.rule.service))
        if rules == self.rules:
            return
        self._log_changes(rules)
        self.rules = rules
        for watch in tuple(self._watches):
            if watch not in self._watches:
                continue  # stopped by one who was told before
            try:
                watch.changed(rules)
            except Exception:  # noqa: BLE001 - one listener must not silence others
                self.log.failure("{watch}: not told", watch=watch)

    def _log_changes(self, rules: tuple[Posted, ...]) -> None:
        """Write down in each process what its calls go by from now on."""
        before = {posted.rule.service: posted for posted in self.rules}
        for posted in rules:
            rule = posted.rule
            if before.pop(rule.service, None) == posted:
                continue
            self.log.info(
                "canary: {service} {version}: {state}, {share:g} % ({by}) {reason}",
                service=rule.service,
                version=rule.version,
                state=rule.state.value,
                share=rule.share,
                by=rule.by or "unknown",
                reason=rule.reason,
            )
        for service in before:
            self.log.info("canary: {service}: no rule any more", service=service)
