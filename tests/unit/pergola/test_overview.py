"""The front's counters, by the classic server's names."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.pergola.overview import Overview
from rum_twisted.session.tally import Closing
from tests.support.server import MemoryServer

ENDS = (
    *("command", "flood", "initialtimeout", "stalled"),
    *("closed", "writeerr", "killed", "protocol"),
)


class FiguresTests(SynchronousTestCase):
    """What ``stat`` of the console tells."""

    def test_every_end_counts_once(self) -> None:
        """Whatever ends a connection, one of the counters says so."""
        for why in Closing:
            server = MemoryServer()
            tally = server.fanout.tally
            tally.closings[why] += 1
            overview = Overview(server.connections, server.fanout, tally)
            figures = dict(overview.figures())
            found = [figures[f"interface.client.{name}"] for name in ENDS]
            self.assertEqual(sum(found), 1, why)
