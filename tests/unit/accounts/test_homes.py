"""After a start the guard knows where members have logged on before."""

from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.homes import MOST, OLDEST, PAGE, FormerHomes
from rum_twisted.accounts.throttle import Limits, Throttle
from rum_twisted.terms.units import Seconds
from tests.support.builders import NOON
from tests.support.members import make_record
from tests.support.scripted import ScriptedDirectory, scripted_database

HOME = "192.0.2.1"
NOW = Seconds(0.0)


class HomesTests(SynchronousTestCase):
    """A logbook of a former run, and a guard who knows nothing yet."""

    @override
    def setUp(self) -> None:
        """Start the database with nobody in its logbook."""
        self.directory = ScriptedDirectory(Path(self.mktemp()).absolute())
        self.database = scripted_database(self.directory, Clock())
        self.throttle = Throttle(Limits(free_per_cid=0, capacity=50_000))
        self.homes = FormerHomes(self.database, self.throttle, lambda: NOON)
        self.database.startService()
        self.addCleanup(self.database.stopService)

    def note(self, cid: str, **fields: Any) -> None:
        """Have a session in the logbook."""
        record = make_record(cid, minutes=0, **{"address": HOME, **fields})
        self.directory.sessions_by_key[record.key] = record

    def waits(self, cid: str) -> bool:
        """Tell whether a member has to wait at home after a stranger's guess."""
        self.throttle.fail(cid, "", NOW)
        return self.throttle.wait(cid, HOME, NOW) > 0

    def pages(self) -> int:
        """Return how many pages were read."""
        return self.directory.asked.count("last sessions")

    def test_members_are_known_where_they_were(self) -> None:
        """Of all pages; and nowhere else."""
        for number in range(PAGE):
            self.note(f"{number}")
        self.note("first", began=Seconds(NOON - 5))
        self.note("elsewhere", address="198.51.100.7")
        self.homes.startService()
        self.assertEqual(self.pages(), 2)
        self.assertFalse(self.waits("first"))
        self.assertFalse(self.waits("0"))
        self.assertTrue(self.waits("elsewhere"))

    def test_old_addresses_are_somebody_elses(self) -> None:
        """What is older than a month does not count."""
        self.note("young", began=Seconds(NOON - OLDEST))
        self.note("old", began=Seconds(NOON - OLDEST - 1))
        self.homes.startService()
        self.assertFalse(self.waits("young"))
        self.assertTrue(self.waits("old"))

    def test_no_more_is_read_than_there_is_room_for(self) -> None:
        """A guard with room for two members is not told of thousands."""
        self.throttle = Throttle(Limits(free_per_cid=0, capacity=2))
        self.homes = FormerHomes(self.database, self.throttle, lambda: NOON)
        for number in range(3 * PAGE):
            self.note(f"{number}", began=Seconds(NOON - number))
        self.homes.startService()
        self.assertEqual(self.pages(), 1)
        self.assertEqual([self.waits(f"{n}") for n in range(3)], [False, False, True])

    def test_so_much_is_read_at_most(self) -> None:
        """The logbook of a large club is longer than anybody wants to read."""
        for number in range(MOST + 1):
            self.note(f"{number}", began=Seconds(NOON - number))
        self.homes.startService()
        self.assertEqual(self.pages(), MOST // PAGE)
        self.assertFalse(self.waits(f"{MOST - 1}"))
        self.assertTrue(self.waits(f"{MOST}"))

    def test_database_that_is_away_is_waited_for(self) -> None:
        """Nothing fails, and a stop ends the wait."""
        self.note("ann")
        self.directory.holds = True
        self.homes.startService()
        self.assertTrue(self.waits("ann"))
        self.directory.let_go()
        self.assertFalse(self.waits("ann"))
        self.homes.stopService()
        self.directory.holds = True
        self.homes.startService()
        self.homes.stopService()
        self.directory.let_go()

    def test_a_bug_is_logged(self) -> None:
        """And the server runs all the same."""
        self.directory.trouble = ZeroDivisionError()
        self.homes.startService()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
