"""Makes a protocol for each connection, and not too many at a time."""

from typing import Final

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.internet.tcp import Port
from typing_extensions import override

from rum_twisted.pergola.connections import Connections
from rum_twisted.pergola.fanout import Fanout
from rum_twisted.pergola.limits import Limits
from rum_twisted.pergola.protocol import FSDProtocol
from rum_twisted.session.network import Network

__all__ = ["FSDFactory"]

_ACCEPTS_AT_A_TIME: Final = 8
"""Connections taken before those who are online have their turn.

Left alone, Twisted takes ever more at a time while they keep coming: in a logon
storm everybody's positions would wait for hundreds of logons.
"""


class FSDFactory(ServerFactory):
    """Makes a protocol for each connection, all of one network."""

    noisy = False

    def __init__(
        self,
        network: Network,
        fanout: Fanout,
        limits: Limits,
        connections: Connections,
    ) -> None:
        self._network = network
        self.fanout = fanout
        self._limits = limits
        self.connections = connections
        self.ports: list[Port] = []  # those whose accepting is paced

    @override
    def buildProtocol(self, addr: IAddress | None) -> FSDProtocol:
        """Return the protocol of a new connection."""
        for port in self.ports:
            port.numberAccepts = _ACCEPTS_AT_A_TIME
        return FSDProtocol(self._network, self.fanout, self._limits, self.connections)
