"""What all sessions of one server share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rum_twisted.session.door import Door
from rum_twisted.session.hooks import NO_PLUGINS
from rum_twisted.session.interfaces import (
    IAccounts,
    IDelivery,
    ILogbook,
    IPlugins,
    IWeather,
)
from rum_twisted.session.tally import Tally
from rum_twisted.terms.units import Seconds
from rum_twisted.world.roster import Roster

__all__ = ["Network"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The shared world and the ways to it."""

    roster: Roster
    delivery: IDelivery
    accounts: IAccounts
    logbook: ILogbook
    weather: IWeather
    greeting: Callable[[], Sequence[str]]  # lines, read anew at each logon
    now: Callable[[], Seconds]  # since the Unix epoch, UTC
    tally: Tally = field(default_factory=Tally)
    plugins: IPlugins = NO_PLUGINS
    door: Door = field(default_factory=Door)
