"""A server's side of the plugins; it needs nothing of what hosts them."""

from random import Random
from typing import Any

from rum_twisted.config import Config
from rum_twisted.plugins.front import PluginFront
from rum_twisted.terms.units import Seconds
from rum_twisted.world.roster import Roster

__all__ = ["make_front"]


def make_front(
    config: Config, reactor: Any, random: Random, roster: Roster
) -> PluginFront:
    """Return a server's side of the plugins."""
    settings = config.plugins
    return PluginFront(
        reactor,
        random,
        roster,
        deadline=Seconds(settings.deadline),
        position_interval=Seconds(settings.position_interval),
        queue=settings.queue,
    )
