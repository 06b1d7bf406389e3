"""A server's clients in two parts, while a new version of the plugins is tried.

Each member meets one version as long as he is online: that which the rule names for
him when he comes. He moves only if he must: when the host of his version is gone, or
when its trial has ended badly.
"""

from collections.abc import Callable
from typing import Any

from typing_extensions import override

from rum_twisted.plugins.front import PluginFront
from rum_twisted.session.hooks import Connected, Gone, LoggedOn, LoggingOn, coming_of
from rum_twisted.terms.instance import Instance
from rum_twisted.terms.rule import Rule, RuleState

__all__ = ["Parting"]


class Parting:
    """Who is with the new version, and who shall be.

    Invariant: while the twin is attended, its clients are those of ``_served``; while
    it is not, there are none. All others are the front's.

    Args:
        front: has the clients of the others.
        group: of this process.
        zone: of this process.
        is_forlorn: tells whether nobody is there who could attend the front.
        look_again: called when another host may be the right one.
    """

    def __init__(
        self,
        front: PluginFront,
        group: str,
        zone: str,
        is_forlorn: Callable[[], bool],
        look_again: Callable[[], None],
    ) -> None:
        self.twin = front.make_twin()
        self.rule: Rule | None = None
        self._front = front
        self._roster = front.roster
        self._group = group
        self._zone = zone
        self._is_forlorn = is_forlorn
        self._look_again = look_again
        self._served: set[str] = set()  # callsigns
        self._was_attended = (False, False)

    @override
    def __repr__(self) -> str:
        return f"<Parting: {len(self._served)} with {self.rule and self.rule.version}>"

    # What the front asks.

    def serves(self, callsign: str) -> bool:
        """Tell whether somebody who is online is with the new version."""
        return callsign in self._served

    def is_for_twin(self, event: Any) -> bool:
        """Tell whether an event, or a question, is for the new version.

        Who comes online is with it, or with the others, from then on.
        """
        if isinstance(event, LoggedOn):
            is_for_twin = self._goes_to_twin(event.cid)
            if is_for_twin:
                self._served.add(event.callsign)
            return is_for_twin
        if isinstance(event, LoggingOn):
            return self._goes_to_twin(event.cid)
        if isinstance(event, Connected):
            return self._goes_to_twin("")  # nobody knows who it is
        callsign: str = event.callsign
        if callsign not in self._served:
            return False
        if isinstance(event, Gone):
            self._served.discard(callsign)
        return True

    def _goes_to_twin(self, cid: str) -> bool:
        rule = self.rule
        if not self.twin.has_link:
            return False
        if rule is not None and rule.is_for_canary(cid, self._group, self._zone):
            return True
        return not self._front.has_link and self._may_stand_in

    # Which hosts.

    def fits_front(self, instance: Instance) -> bool:
        """Tell whether the front may be attended by a host."""
        return self.rule is None or instance.version != self.rule.version

    def fits_twin(self, instance: Instance) -> bool:
        """Tell whether the twin may be: while the version may have somebody."""
        rule = self.rule
        if rule is None:  # it was cleared: until the front has one of them
            return self.twin.has_link and not self._front.has_link
        return instance.version == rule.version and (
            rule.may_stand_in
            or (
                rule.state is RuleState.ACTIVE
                and bool(rule.cids or rule.groups or rule.zones)
            )
        )

    # Moving.

    def change_rule(self, rule: Rule | None) -> None:
        """Go by another rule; who is online stays where he is, if he may."""
        before, self.rule = self.rule, rule
        if before is not None and rule is not None and before.version != rule.version:
            self._return()
        self.sync()
        self._look_again()

    def sync(self) -> None:
        """Look who is attended; those whose host is gone go to the other one."""
        front, twin = self._front, self.twin
        if not twin.has_link:
            self._return()
        elif not front.has_link and self._may_stand_in:
            self._bring_all()
        front.parting = None if self.rule is None and not twin.has_link else self
        front.show()
        is_attended = front.has_link, twin.has_link
        if is_attended != self._was_attended:
            self._was_attended = is_attended
            self._look_again()

    @property
    def _may_stand_in(self) -> bool:
        """Whether the new version has the others' clients, too, while nobody has."""
        rule = self.rule
        return (rule is None or rule.may_stand_in) and self._is_forlorn()

    def _return(self) -> None:
        """Let the front have all."""
        served, self._served = self._served, set()
        for callsign in served:
            client = self._roster.find(callsign)
            if client is not None:
                self._front.put(coming_of(client, "", is_new=False))

    def _bring_all(self) -> None:
        """Let the twin have all."""
        for client in self._roster:
            if client.callsign not in self._served:
                self._served.add(client.callsign)
                self.twin.put(coming_of(client, "", is_new=False))
