"""Whoever keeps something that grows tells how much it is, and is not far off.

What owners tell is compared with what there is: all objects are counted before and
after something is kept.
"""

import gc
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.accounts.queue import QueuedAccounts
from rum_twisted.accounts.throttle import Limits, Throttle
from rum_twisted.accounts.verified import VerifiedLogons
from rum_twisted.accounts.waiting import WaitingAccounts
from rum_twisted.admin.census import Census
from rum_twisted.discovery.directory import Directory
from rum_twisted.pergola.fanout import Fanout
from rum_twisted.rpc.errors import Code
from rum_twisted.rpc.metrics import CallMetrics, Label
from rum_twisted.session.interfaces import Account, IAccounts
from rum_twisted.terms.identity import Callsign
from rum_twisted.terms.instance import Instance
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees, Feet, Knots, Seconds
from rum_twisted.weather.cache import Report, ReportCache
from rum_twisted.world.airspace import Airspace
from rum_twisted.world.client import Client
from rum_twisted.world.flightplan import FlightPlan
from rum_twisted.world.roster import Roster
from tests.support.builders import make_pilot
from tests.unit.pergola.builders import Receiver

MANY = 500
NEAR_ENOUGH = 0.3  # of what there is

PLAN = FlightPlan(
    revision=0,
    rules="I",
    aircraft="B738",
    true_airspeed=Knots(420),
    departure="EGLL",
    departure_time=1200,
    actual_departure_time=1200,
    cruise_altitude="35000",
    destination="LOWW",
    hours_enroute=1,
    minutes_enroute=50,
    hours_fuel=3,
    minutes_fuel=20,
    alternate="LOWG",
    remarks="",
    route="",
)


def copied(text: str) -> str:
    """Return a text of its own, as each that comes over the wire is."""
    return text.encode().decode()


def make_member(number: int) -> Client:
    """Return a pilot whose words are his own."""
    pilot = make_pilot(f"KLM{number}")
    return Client(
        callsign=Callsign(copied(f"KLM{number}")),
        cid=copied(f"100{number:04}"),
        kind=pilot.kind,
        rating=pilot.rating,
        real_name=copied(f"Pilot Number {number}"),
        protocol_revision=copied("99")[:1],
        simulator=2,
        logged_on_at=Seconds(1e9 + number),
        transponder_mode=copied("N"),
        squawk=2000 + number,
        altitude=Feet(30_000 + number),
        groundspeed=Knots(400 + number),
        attitude=4_195_848 + number,
        position=Position(Degrees(48.5 + number / 100), Degrees(2.5 + number / 100)),
    )


class MemoryTestCase(SynchronousTestCase):
    """What is there already need not be counted."""

    @override
    def setUp(self) -> None:
        """Freeze it."""
        gc.collect()
        gc.freeze()
        self.addCleanup(gc.unfreeze)

    def grown(self, act: Callable[[], object]) -> int:
        """Return how many bytes have come with an act, and with what it returns."""
        gc.collect()
        before = Census().at_once().bytes
        kept = act()
        gc.collect()
        after = Census().at_once().bytes
        del kept
        return after - before

    def assert_honest(self, measure: Measure, count: int, grown: int) -> None:
        """Assert that an owner tells the count, and about the bytes."""
        self.assertEqual(measure.count, count)
        share = measure.bytes / grown
        self.assertTrue(
            1 - NEAR_ENOUGH <= share <= 1 + NEAR_ENOUGH,
            f"{measure.bytes} told, {grown} found: {grown / count:.0f} each",
        )
        if measure.bound is not None:
            self.assertLessEqual(measure.count, measure.bound)


class FabricTests(MemoryTestCase):
    """What calls between processes keep."""

    def test_figures_of_calls(self) -> None:
        """One series for each endpoint that was called."""
        metrics = CallMetrics()

        def fill() -> None:
            for number in range(MANY):
                label = Label(
                    service="weather",
                    method="/rum.v1.Weather/Metar",
                    address=copied(f"10.0.0.{number}:7001"),
                    version=copied("4.0.0"),
                )
                metrics.series(label).observe(0.01 + number, Code.OK)

        grown = self.grown(fill)
        self.assert_honest(metrics.measure(), MANY, grown)

    def test_logons_that_wait_for_another_process(self) -> None:
        """Each with its turn and its timers."""
        clock = Clock()
        accounts = WaitingAccounts(
            Unanswering(),
            clock,
            Random(1),  # noqa: S311 - spreads trials
            lambda _: None,
            longest=Seconds(30.0),
            most=MANY,
        )
        answers: list[Deferred[Account]] = []

        def ask() -> None:
            answers.extend(
                accounts.authenticate(copied(f"1{number:06}"), "x")
                for number in range(MANY)
            )

        grown = self.grown(ask)
        found = accounts.measures()["logons"]()
        assert isinstance(found, Measure)
        self.assert_honest(found, MANY, grown)
        for answer in answers:
            answer.addErrback(lambda _: None)
        clock.advance(31.0)
        self.assertEqual(accounts.waiting, 0)


@implementer(IAccounts)
class Unanswering:
    """Accounts that never answer."""

    def authenticate(
        self, cid: str, password: str, address: str = ""
    ) -> Deferred[Account]:
        """Wait for ever."""
        return Deferred()


class WorldTests(MemoryTestCase):
    """Who is on, and where."""

    def test_roster(self) -> None:
        """Clients with their names and positions."""
        roster = Roster()

        def fill() -> None:
            for number in range(MANY):
                roster.add(make_member(number))

        grown = self.grown(fill)
        self.assert_honest(roster.measure(), MANY, grown)

    def test_plans(self) -> None:
        """Texts of their own, long routes as they are."""
        roster = Roster()
        for number in range(MANY):
            roster.add(make_member(number))

        def file() -> None:
            for number, client in enumerate(roster):
                client.plan = replace(
                    PLAN,
                    aircraft=copied(f"B{number}"),
                    departure=copied("EGLL"),
                    destination=copied("LOWW"),
                    alternate=copied("LOWG"),
                    cruise_altitude=copied("35000"),
                    departure_time=1000 + number,
                    actual_departure_time=2000 + number,
                    true_airspeed=Knots(400 + number),
                    route="DCT KONAN UL607 SPI UT180 PESOV UL607 " * 3 + str(number),
                    remarks=f"/V/ PBN/A1B1 DOF/261123 {number}",
                )

        self.assertEqual(roster.measure_plans(), Measure(count=0, bytes=0))
        grown = self.grown(file)
        self.assert_honest(roster.measure_plans(), MANY, grown)

    def test_airspace(self) -> None:
        """Spots and cells; the tables are there from the start."""
        space: Airspace[None, list[None]] = Airspace(list)
        clients = [make_member(number) for number in range(MANY)]
        fixed = space.measure().bytes

        def fly() -> list[Any]:
            spots = []
            for number, client in enumerate(clients):
                spot = space.add(None, client.kind)
                here = Position(Degrees(number % 50 - 25.0), Degrees(number % 90 + 0.0))
                space.place(spot, here, radio=100, sight=40)
                spots.append(spot)
            return spots

        grown = self.grown(fly)
        measure = space.measure()
        self.assert_honest(replace(measure, bytes=measure.bytes - fixed), MANY, grown)


class PergolaTests(MemoryTestCase):
    """What waits to be written."""

    def test_turn(self) -> None:
        """A line for many is one line; when it is written it is gone."""
        clock = Clock()
        fanout = Fanout(clock, float, Seconds(0.1), Roster())
        for number in range(3):
            client = make_member(number)
            fanout.join(client, Receiver(fanout))
        fanout.settle()
        clock.advance(1)
        idle = fanout.measure()
        self.assertEqual(idle.count, 0)
        fanout.announce(b"#TMserver:*:first\r\n", None)
        fanout.settle()  # after a quiet moment it leaves at once
        for number in range(MANY):
            fanout.announce(b"#TMserver:*:%d\r\n" % number, None)
        busy = fanout.measure()
        self.assertEqual(busy.count, MANY)
        self.assertGreater(busy.bytes, idle.bytes + MANY * 50)
        for _ in range(10):
            clock.advance(1)
        self.assertEqual(fanout.measure().count, 0)
        fanout.stop()

    def test_a_client_who_does_not_read(self) -> None:
        """Texts and positions that wait, with all that keeps them."""
        fanout = Fanout(Clock(), float, Seconds(0.1), Roster())
        receiver = Receiver(fanout, bound=1 << 20)
        self.assertEqual(receiver.outbox.cost, 0)
        receiver.stop_reading()
        receiver.send(b"#TMserver:KLM1:\r\n")
        receiver.outbox.settle()

        def say() -> None:
            for number in range(MANY):
                receiver.send(b"#TMserver:KLM1:this is number %d\r\n" % number)
                receiver.send(b"@N:KLM%d:1000:1:48.7:2.3:294:0:1024:-12\r\n" % number)
            receiver.outbox.settle()

        grown = self.grown(say)
        told = Measure(count=2 * MANY, bytes=receiver.outbox.cost)
        self.assert_honest(told, 2 * MANY, grown)


class AccountsTests(MemoryTestCase):
    """Who wants to log on, and who tried in vain."""

    def test_queue(self) -> None:
        """Logons that wait."""

        @implementer(IAccounts)
        class Slow:
            """Never answers."""

            def authenticate(
                self, cid: str, password: str, address: str = ""
            ) -> Deferred[Account]:
                """Keep everybody waiting."""
                return Deferred()

        queue = QueuedAccounts(Slow(), at_once=1, longest=MANY)
        queue.authenticate("1", "x")

        def come() -> list[object]:
            return [
                queue.authenticate(
                    copied(f"100{number:04}"), f"secret {number}", f"192.0.2.{number}"
                )
                for number in range(MANY)
            ]

        grown = self.grown(come)
        self.assert_honest(queue.measure(), MANY, grown)

    def test_throttle(self) -> None:
        """Failures of CIDs and addresses, and who is at home where."""
        throttle = Throttle(Limits())

        def guess() -> None:
            for number in range(MANY):
                place = f"192.0.{number // 256}.{number % 256}"
                throttle.fail(copied(f"200{number:04}"), place, Seconds(1e6 + number))
                throttle.succeed(copied(f"300{number:04}"), place)

        grown = self.grown(guess)
        self.assert_honest(throttle.measure(), 3 * MANY, grown)

    def test_verified(self) -> None:
        """Digests of passwords that were right."""
        verified = VerifiedLogons(MANY)

        def prove() -> None:
            for number in range(MANY):
                now = Seconds(1e6 + number)
                verified.remember(copied(f"100{number:04}"), "pw", "plain$pw", now)

        grown = self.grown(prove)
        self.assert_honest(verified.measure(), MANY, grown)


class WeatherTests(MemoryTestCase):
    """Reports of stations."""

    def test_cache(self) -> None:
        """Texts with their times."""
        cache = ReportCache(most=MANY, largest=1 << 20)

        def report(number: int) -> None:
            station = b"E%03d" % number
            text = f"{station.decode()} 101225Z 24012G22KT 9999 FEW018 BKN030 12/08 Q1"
            now = Seconds(1e9)
            cache.store(station, Report(text=text, made_at=now, checked_at=now))

        grown = self.grown(lambda: list(map(report, range(MANY))))
        self.assert_honest(cache.measure(), MANY, grown)


class DiscoveryTests(MemoryTestCase):
    """Who is there, and who wants to know of changes."""

    def test_instances(self) -> None:
        """Each with its own words."""
        directory = Directory()

        def come() -> None:
            directory.replace(
                Instance(
                    service="weather",
                    name=f"weather-{number}",
                    address=f"192.0.2.1:{7000 + number}",
                    version=copied("4.0.0"),
                    started=Seconds(1e9 + number),
                )
                for number in range(MANY)
            )

        grown = self.grown(come)
        self.assert_honest(directory.measure(), MANY, grown)

    def test_watches(self) -> None:
        """Whoever has stopped is gone."""
        directory = Directory()
        watch = directory.watch("weather", lambda instances: None)
        self.assertEqual(directory.measure_watches().count, 1)
        watch.stop()
        self.assertEqual(directory.measure_watches(), Measure(count=0, bytes=0))
