"""Makes a protocol for each connection."""

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from typing_extensions import override

from rum_twisted.pergola.connections import Connections
from rum_twisted.pergola.fanout import Fanout
from rum_twisted.pergola.limits import Limits
from rum_twisted.pergola.protocol import FSDProtocol
from rum_twisted.session.network import Network

__all__ = ["FSDFactory"]


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
        self._fanout = fanout
        self._limits = limits
        self.connections = connections

    @override
    def buildProtocol(self, addr: IAddress | None) -> FSDProtocol:
        """Return the protocol of a new connection."""
        return FSDProtocol(self._network, self._fanout, self._limits, self.connections)
