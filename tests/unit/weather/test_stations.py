"""The airports around somebody."""

from math import inf, nan

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees
from rum_twisted.weather.stations import Airport, Airports, AirportTable, Near
from rum_twisted.world.geodesy import distance


def place(latitude: float, longitude: float) -> Position:
    """Return a position."""
    return Position(Degrees(latitude), Degrees(longitude))


AMSTERDAM = place(52.31, 4.76)
PLACES = {
    "EHAM": AMSTERDAM,
    "EHRD": place(51.957, 4.437),
    "EGLL": place(51.477, -0.461),
    "NFFN": place(-17.755, 177.443),  # either side of the antimeridian
    "NFNM": place(-16.69, -179.877),
    "NZSP": place(-90.0, 0.0),
}


def table() -> AirportTable:
    """Return a table of the places above."""
    return AirportTable.of(
        Airport(name.encode(), where, is_busy=name != "EHRD")
        for name, where in PLACES.items()
    )


def names(found: list[Near]) -> list[str]:
    """Return the names of airports."""
    return [airport.name.decode() for airport in found]


class TableTests(SynchronousTestCase):
    """Airports by place."""

    def test_nearest_comes_first(self) -> None:
        """Only those within the miles asked for are told, with their distances."""
        found = table().near(place(52.0, 4.5), 250)
        self.assertEqual(names(found), ["EHRD", "EHAM", "EGLL"])
        self.assertEqual([it.is_busy for it in found], [False, True, True])
        self.assertAlmostEqual(found[1].miles, 20.9, places=1)
        self.assertEqual(names(table().near(place(52.0, 4.5), 10)), ["EHRD"])
        self.assertEqual(table().near(place(0, 0), 100), [])

    def test_antimeridian_is_no_border(self) -> None:
        """Fiji lies on both sides of it."""
        for longitude in (179.9, -179.9, 180.0, -180.0):
            found = table().near(place(-17.2, longitude), 250)
            self.assertEqual(set(names(found)), {"NFFN", "NFNM"}, longitude)

    def test_pole_is_near_from_everywhere(self) -> None:
        """At a pole every longitude is near."""
        for longitude in range(-180, 181, 30):
            found = table().near(place(-89.5, longitude), 60)
            self.assertEqual(names(found), ["NZSP"], longitude)

    def test_places_off_the_earth_have_no_airport(self) -> None:
        """Clients report any numbers."""
        for where in (
            None,
            place(nan, 0),
            place(0, inf),
            place(91, 0),
            place(1, 1e300),
        ):
            self.assertEqual(table().near(where, 10_000), [], where)

    @settings(deadline=None)
    @given(st.floats(-90, 90), st.floats(-180, 180), st.floats(1, 1000))
    def test_same_as_looking_at_all(
        self, latitude: float, longitude: float, within: float
    ) -> None:
        """The answer is that of looking at each airport, wherever one is."""
        here = place(latitude, longitude)
        found = {it.name.decode() for it in table().near(here, within)}
        for name, where in PLACES.items():
            miles = distance(here, where)
            if abs(miles - within) > 0.1:  # the table holds rounded degrees
                self.assertEqual(name in found, miles < within, (name, miles))


class AirportsTests(SynchronousTestCase):
    """The world's airports, read when they are first needed."""

    def near(self, airports: Airports, where: Position | None) -> Deferred[list[Near]]:
        """Ask for the airports within 30 NM."""
        return Deferred.fromCoroutine(airports.near(where, 30))

    def test_world_is_read_in_steps(self) -> None:
        """The first who asks waits some turns, the second does not."""
        clock = Clock()
        airports = Airports(clock)
        first, second = self.near(airports, AMSTERDAM), self.near(airports, AMSTERDAM)
        answered: list[bool] = []
        for _ in range(3):
            clock.callLater(0, lambda: answered.append(first.called))
        clock.advance(0)
        self.assertEqual(answered, [False] * 3)
        found = self.successResultOf(first)
        self.assertEqual(found[0].name, b"EHAM")
        self.assertTrue(found[0].is_busy)
        self.assertEqual(self.successResultOf(second), found)
        self.assertEqual(self.successResultOf(self.near(airports, AMSTERDAM)), found)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_nobody_is_read_for_nowhere(self) -> None:
        """Whoever has no position is answered at once, and nothing is read."""
        clock = Clock()
        airports = Airports(clock)
        self.assertEqual(self.successResultOf(self.near(airports, None)), [])
        self.assertEqual(clock.getDelayedCalls(), [])
        self.assertIn("not read", repr(airports))

    def test_missing_package_is_told_once(self) -> None:
        """Without the package there are no airports, and one line in the log."""
        clock = Clock()
        airports = Airports(clock, "no_such_package")
        with capturedLogs() as events:
            for _ in range(3):
                found = self.near(airports, AMSTERDAM)
                clock.advance(0)
                self.assertEqual(self.successResultOf(found), [])
        warnings = [it for it in events if it["log_level"] is LogLevel.warn]
        self.assertEqual([it["package"] for it in warnings], ["no_such_package"])

    def test_stopping_ends_the_reading(self) -> None:
        """Who waits finds nothing, and no timer is left; later it is read anew."""
        clock = Clock()
        airports = Airports(clock)
        found = self.near(airports, AMSTERDAM)
        clock.callLater(0, airports.stop)
        clock.advance(0)
        self.assertEqual(self.successResultOf(found), [])
        self.assertEqual(clock.getDelayedCalls(), [])
        airports.start()
        found = self.near(airports, AMSTERDAM)
        clock.advance(0)
        self.assertEqual(self.successResultOf(found)[0].name, b"EHAM")
