"""What lies at hand at the prompt."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.dump import Dumps
from rum_twisted.admin.manhole.text import Text, table
from rum_twisted.admin.manhole.tools import (
    Clients,
    GuardTool,
    HeapTool,
    Owners,
    Services,
    names_at_hand,
)
from rum_twisted.admin.questions import HeapCommands
from rum_twisted.guard.questions import GuardQuestions
from rum_twisted.terms.measure import Measure
from rum_twisted.world.roster import Roster
from tests.support.builders import make_controller, make_pilot
from tests.unit.guard.builders import GuardRoom

KEPT: list["Parcel"] = []  # within reach of a walk; variables of a test are not


class Parcel:
    """Something that is kept."""


class TextTests(SynchronousTestCase):
    """Tables."""

    def test_columns(self) -> None:
        """Numbers stand to the right, words to the left."""
        shown = table(("owner", "bytes"), [("turn", 7), ("roster", 12_345)])
        self.assertEqual(repr(shown), "owner    bytes\nturn         7\nroster  12,345")

    def test_cells(self) -> None:
        """What is not known is empty."""
        shown = table(("a", "b", "c"), [(None, 0.25, True)])
        self.assertEqual(repr(shown), "a      b  c\n   0.250  true")


class ToolsTests(SynchronousTestCase):
    """A room with two services and two clients."""

    @override
    def setUp(self) -> None:
        """Lay everything out."""
        self.room = GuardRoom(Path(self.mktemp()))
        self.addCleanup(self.room.guard.stopService)
        self.heap = self.room.heap
        commands = HeapCommands(self.heap, self.room.now, self.room.clock)
        self.addCleanup(commands.close)
        self.dumps = Dumps(Path(self.mktemp()), self.heap, self.room.now)
        self.tool = HeapTool(self.heap, commands.commands, self.dumps)
        self.guard = GuardTool(GuardQuestions(self.room.guard).commands)
        self.roster = Roster()
        self.roster.add(make_pilot("AFR123"))
        self.roster.add(make_controller("LFPG_TWR"))
        self.root = MultiService()
        self.root.setName("rum")
        self.weather = Service()
        self.weather.setName("weather")
        self.weather.setServiceParent(self.root)

    def result(self, answer: Deferred[Text]) -> str:
        """Return what is answered when everybody has had his turns."""
        self.room.work()
        return repr(self.successResultOf(answer))

    def names(self, roster: Roster | None) -> Mapping[str, object]:
        """Return what lies at hand."""
        owners, guard = Owners(self.heap), self.guard
        return names_at_hand(self.root, self.tool, owners, guard, roster)

    def test_help_names_everything(self) -> None:
        """Each name that lies at hand is in the help."""
        names = self.names(self.roster)
        shown = repr(names["help"])
        for name in names.keys() - {"exit", "quit"}:
            self.assertIn(name, shown)
        self.assertIn("Ctrl-D", repr(names["exit"]))

    def test_help_about_something(self) -> None:
        """Its docstring, and what it has."""
        help_: Any = self.names(None)["help"]
        self.assertIn("growth", help_(self.tool))
        self.assertIn("Something that is kept.", help_(Parcel()))

    def test_no_clients_where_none_are_served(self) -> None:
        """In the process of the weather, say."""
        self.assertNotIn("clients", self.names(None))

    def test_clients(self) -> None:
        """By callsign, in any case."""
        clients = Clients(self.roster)
        self.assertEqual(len(clients), 2)
        self.assertEqual(clients["afr123"].callsign, "AFR123")
        self.assertIn("LFPG_TWR", repr(clients))
        self.assertIn("2 online", repr(clients))
        self.assertRaises(KeyError, lambda: clients["KLM1"])
        self.assertEqual([each.callsign for each in clients], ["AFR123", "LFPG_TWR"])

    def test_services(self) -> None:
        """The tree, and each by its name."""
        services = Services(self.root)
        self.assertIs(services["weather"], self.weather)
        self.assertRaises(KeyError, lambda: services["nothing"])
        self.assertIn("  weather  stands", repr(services))

    def test_owners(self) -> None:
        """As of now, and one by its name."""
        size = [1000]
        self.room.owners.register("turn", lambda: Measure(count=1, bytes=size[0]))
        owners = Owners(self.heap)
        self.assertIn("1,000", repr(owners))
        size[0] = 5000
        self.assertIn("5,000", repr(owners))
        self.assertIn("5,000", repr(owners["turn"]))
        self.assertRaises(KeyError, lambda: owners["nobody"])

    def test_census_and_growth(self) -> None:
        """Counted in slices, and compared with a mark."""
        self.assertIn("objects", self.result(self.tool.mark()))
        self.addCleanup(KEPT.clear)
        KEPT.extend(Parcel() for _ in range(300))
        self.assertIn("objects", self.result(self.tool.census(3)))
        shown = self.result(self.tool.growth())
        self.assertIn("Parcel", shown)
        self.assertIn("+300", shown)

    def test_growth_without_a_mark(self) -> None:
        """It says what is due, and nothing has failed."""
        self.assertIn("no moment was marked", self.result(self.tool.growth()))
        self.assertIn("start that first", self.result(self.tool.trace.top()))

    def test_who(self) -> None:
        """Of the very object that one has in hand, or of a type's newest."""
        self.shelf = Parcel()
        self.room.roots["test"] = self
        self.assertIn("shelf", self.result(self.tool.who(self.shelf)))
        self.assertIn("Parcel", self.result(self.tool.who(f"{__name__}.Parcel")))

    def test_the_others(self) -> None:
        """Collector, lag, stacks."""
        self.assertIn("counts", self.result(self.tool.gc()).replace("_", " "))
        self.assertIn("line", repr(self.tool.lag()))
        self.assertIn("test_tools.py", repr(self.tool.stacks()))

    def test_trace(self) -> None:
        """A window of tracing; its end is the end of the test at the latest."""
        self.assertIn("seconds", self.result(self.tool.trace.start(5)))
        kept = [bytes(1000) for _ in range(100)]
        self.assertIn("test_tools.py", self.result(self.tool.trace.top()))
        self.assertEqual(self.result(self.tool.trace.stop()), "ended")
        del kept

    def test_guard(self) -> None:
        """How near the limits are, and a rehearsal; what cannot be is told."""
        self.assertIn("memory: 40", repr(self.guard))
        rehearsed = self.result(self.guard.rehearse("shrink", 5))
        (line,) = [each for each in rehearsed.splitlines() if "shrink" in each]
        self.assertEqual(line.split()[:3], ["shrink", "false", "true"])
        self.assertIn("the manhole", self.room.audit[-1])
        self.result(self.guard.end())
        self.assertEqual(self.room.guard.in_force, ())
        self.assertIn("nowhere", self.result(self.guard.rehearse("nowhere")))

    def test_dump(self) -> None:
        """It tells which file it is."""
        self.assertIn("heap-", self.result(self.tool.dump()))
