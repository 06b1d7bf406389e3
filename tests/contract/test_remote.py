"""The same promises, kept by another process: each call goes over real gRPC."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.accounts.memorylogbook import MemoryLogbook
from rum_twisted.accounts.remote import RemoteAccounts
from rum_twisted.accounts.remotelogbook import LONGEST, RemoteLogbook
from rum_twisted.rpc.bridge import deferred
from rum_twisted.rpc.client import XClients
from rum_twisted.rpc.convert import Came, Entry, Left
from rum_twisted.rpc.errors import Code, RpcError
from rum_twisted.rpc.logbook import (
    LONGEST_BATCH,
    MOST_WRITERS,
    SILENCE,
    LogbookServicer,
    write,
)
from rum_twisted.rpc.passport import PassportServicer
from rum_twisted.rpc.server import RpcServer, ServerSettings
from rum_twisted.rpc.servicing import IServicer
from rum_twisted.rpc.weather import WeatherServicer
from rum_twisted.session.interfaces import (
    Account,
    AccountsUnavailable,
    IAccounts,
    ILogbook,
    InvalidCredentials,
    IWeather,
    NoWeatherSource,
    StaffAct,
    TooManyFailures,
)
from rum_twisted.terms.errors import WorldError
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.permissions import Permission
from rum_twisted.terms.units import Seconds
from rum_twisted.weather.none import NoWeather
from rum_twisted.weather.remote import RemoteWeather
from tests.contract import test_accounts, test_logbook, test_weather
from tests.support.builders import make_controller, make_pilot
from tests.support.fabric import ListedInstances, chance, make_instance

T = TypeVar("T")

WITHIN = Seconds(30.0)  # for an answer; no test waits that long for one
INTERVAL = Seconds(5.0)  # between batches of a logbook
PATIENCE = 60.0  # seconds, until a test gives up
BETWEEN_LOOKS = 0.01  # seconds


class RemoteTestCase(SynchronousTestCase):
    """A test that runs the event loop wherever it asks for an outcome."""

    def connect(self, *servicers: IServicer) -> XClients:
        """Serve these, and return clients who know of it."""
        self.clock = Clock()
        self.server = RpcServer(ServerSettings(), servicers, self.clock)
        self.server.startService()
        self.addCleanup(self.stop_server)
        self.instances = ListedInstances()
        self.announce(self.server.address)
        clients = XClients(self.instances, self.clock, chance())
        clients.startService()
        self.addCleanup(lambda: self.successResultOf(clients.stopService()))
        return clients

    def announce(self, address: str) -> None:
        """From now on, all services are there."""
        self.instances.change(
            make_instance("a", address, service="passport"),
            make_instance("a", address),
        )

    def stop_server(self) -> None:
        """End the server; twice does no harm."""
        self.successResultOf(self.server.stopService())

    def run_until(self, outcome: Deferred[Any]) -> None:
        """Run the loop until ``outcome`` is there."""
        loop = asyncio.get_event_loop_policy().get_event_loop()
        there = loop.create_future()

        def note(result: T) -> T:
            if not there.done():
                there.set_result(None)
            return result

        outcome.addBoth(note)
        if not there.done():
            loop.run_until_complete(asyncio.wait_for(there, PATIENCE))

    def run_until_so(self, is_so: Callable[[], object], what: str) -> None:
        """Look again and again, and run the loop between, until something is so."""
        loop = asyncio.get_event_loop_policy().get_event_loop()
        deadline = loop.time() + PATIENCE
        while not is_so():
            if loop.time() > deadline:
                self.fail(f"not within {PATIENCE} s: {what}")
            loop.run_until_complete(asyncio.sleep(BETWEEN_LOOKS))

    @override
    def successResultOf(self, deferred: Any) -> Any:
        """Return what a Deferred has come to in the end."""
        self.run_until(deferred)
        return super().successResultOf(deferred)

    @override
    def failureResultOf(self, deferred: Any, *expected: Any) -> Any:
        """Return how a Deferred has failed in the end."""
        self.run_until(deferred)
        return super().failureResultOf(deferred, *expected)


class RemoteAccountsTests(RemoteTestCase, test_accounts.Contract.AccountsTests):
    """The promises of accounts, kept by another process."""

    @override
    def make_accounts(self) -> IAccounts:
        """Return accounts that ask others, who have them in memory."""
        known = test_accounts.MemoryAccountsTests.make_accounts(
            test_accounts.MemoryAccountsTests()
        )
        accounts = RemoteAccounts(self.connect(PassportServicer(known)), WITHIN)
        accounts.startService()
        self.addCleanup(accounts.stopService)
        return accounts


class RemoteWeatherTests(RemoteTestCase, test_weather.Contract.WeatherTests):
    """The promises of weather, kept by another process."""

    @override
    def make_weather(self) -> IWeather:
        """Return weather that asks others, who have it in memory."""
        known = test_weather.MemoryWeatherTests.make_weather(
            test_weather.MemoryWeatherTests()
        )
        weather = RemoteWeather(self.connect(WeatherServicer(known)), WITHIN)
        weather.startService()
        self.addCleanup(weather.stopService)
        return weather


class LostAnswer(Exception):
    """Something was written, but nobody was told."""


class FailingLogbook(MemoryLogbook):
    """Writes acts down and then fails, if a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.is_failing = False

    @override
    def acted(self, act: StaffAct) -> None:
        """Note what was done, and fail."""
        super().acted(act)
        if self.is_failing:
            raise LostAnswer


class RemoteLogbookTests(RemoteTestCase, test_logbook.Contract.LogbookTests):
    """The promises of logbooks, and that nothing is lost or written twice."""

    @override
    def make_logbook(self) -> ILogbook:
        """Return a logbook that others keep in memory."""
        self.memory = FailingLogbook()
        self.servicer = LogbookServicer(self.memory, Clock())
        return self.make_remote(self.connect(self.servicer))

    def make_remote(self, clients: XClients) -> RemoteLogbook:
        """Return a started logbook that writes every five seconds."""
        self.remote = RemoteLogbook(
            clients,
            self.clock,
            lambda: Seconds(1_790_000_000.0),
            writer="pergola-1",
            interval=INTERVAL,
        )
        self.remote.startService()
        self.addCleanup(lambda: self.successResultOf(self.remote.stopService()))
        return self.remote

    def pump(self) -> None:
        """Let the time of a batch come, and the batch be written or given up."""
        self.clock.advance(INTERVAL)
        writing = self.remote.writing
        if writing is not None:
            self.run_until(writing)

    def online(self) -> list[str]:
        """Return who is online, as the other process knows."""
        return sorted(client.callsign for client in self.memory.online)

    def test_visits_and_acts_arrive(self) -> None:
        """With the names, the addresses and the times that they had here."""
        pilot, controller = make_pilot("KLM1"), make_controller()
        self.logbook.logged_on(pilot, "192.0.2.1")
        self.logbook.logged_on(controller, "")
        self.logbook.acted(test_logbook.KILL)
        self.pump()
        told = {client.callsign: client for client in self.memory.online}
        self.assertEqual(set(told), {pilot.callsign, controller.callsign})
        for client in (pilot, controller):
            for field in ("cid", "kind", "rating", "real_name", "logged_on_at"):
                there = getattr(told[client.callsign], field)
                self.assertEqual(there, getattr(client, field), field)
        self.assertEqual(self.memory.online[told[pilot.callsign]], "192.0.2.1")
        self.assertEqual(list(self.memory.acts), [test_logbook.KILL])
        self.logbook.logged_off(pilot)
        self.pump()
        self.assertEqual(self.online(), [controller.callsign])
        ((left, address),) = self.memory.visits
        self.assertEqual((left.callsign, address), (pilot.callsign, "192.0.2.1"))

    def test_the_last_entries_are_written_when_we_stop(self) -> None:
        """Whoever leaves at the end is noted as well."""
        pilot = make_pilot("KLM1")
        self.logbook.logged_on(pilot, "")
        self.logbook.logged_off(pilot)
        self.successResultOf(self.remote.stopService())
        self.assertEqual(len(self.memory.visits), 1)

    def test_thousands_come_in_batches(self) -> None:
        """More than one batch holds are written in order, one after the other."""
        for number in range(2500):
            self.logbook.logged_on(make_pilot(f"KLM{number}"), "")
        self.pump()
        self.assertEqual(len(self.memory.online), 2500)
        self.assertEqual(self.remote.waiting, 0)

    def test_nothing_is_lost_while_the_other_is_away(self) -> None:
        """What happens meanwhile is kept, and whoever stayed is told of again."""
        stays, goes = make_pilot("KLM1"), make_pilot("KLM2")
        for client in (stays, goes):
            self.logbook.logged_on(client, "")
        self.pump()
        listen = self.server.address
        self.stop_server()
        self.logbook.logged_off(goes)
        self.logbook.logged_on(make_pilot("KLM3"), "")
        self.pump()
        self.assertEqual(self.remote.waiting, 2)
        # Another process takes its place, and knows of nobody.
        self.memory = FailingLogbook()
        servicer = LogbookServicer(self.memory, Clock())
        settings = ServerSettings(listen=listen)
        self.server = RpcServer(settings, [servicer], self.clock)
        self.server.startService()

        def is_written() -> bool:
            self.pump()
            return not self.remote.waiting

        # gRPC connects anew in its own time.
        self.run_until_so(is_written, "all is written")
        self.assertEqual(self.online(), ["KLM1", "KLM3"])
        times = {str(each.callsign): each.logged_on_at for each in self.memory.online}
        # What was before had been written down by the one before.
        self.assertEqual(times["KLM1"], 1_790_000_000.0)

    def test_repeated_batch_is_written_once(self) -> None:
        """A batch whose answer was lost comes again, and changes nothing."""
        self.logbook.acted(test_logbook.KILL)
        self.memory.is_failing = True
        self.pump()
        self.assertEqual((len(self.memory.acts), self.remote.waiting), (1, 1))
        self.memory.is_failing = False
        self.pump()
        self.assertEqual((len(self.memory.acts), self.remote.waiting), (1, 0))
        self.assertTrue(self.flushLoggedErrors(LostAnswer))

    def test_queue_has_a_bound(self) -> None:
        """While nobody takes them, the oldest entries go in the end."""
        self.stop_server()
        for _ in range(LONGEST + 10):
            self.logbook.acted(test_logbook.KILL)
        self.assertEqual((self.remote.waiting, self.remote.dropped), (LONGEST, 10))


class LogbookServicerTests(RemoteTestCase):
    """What the reader does about writers."""

    @override
    def setUp(self) -> None:
        """Serve a logbook; two servers write."""
        self.memory = MemoryLogbook()
        self.time = Clock()
        self.servicer = LogbookServicer(self.memory, self.time)
        self.servicer.startService()
        self.addCleanup(self.servicer.stopService)
        self.clients = self.connect(self.servicer)

    def writer(self, name: str) -> RemoteLogbook:
        """Return a logbook of a server."""
        remote = RemoteLogbook(
            self.clients,
            self.clock,
            lambda: Seconds(0.0),
            writer=name,
            interval=INTERVAL,
        )
        remote.startService()
        self.addCleanup(lambda: self.successResultOf(remote.stopService()))
        return remote

    def pump(self, *writers: RemoteLogbook) -> None:
        """Let the time of a batch come, and the batches be written."""
        self.clock.advance(INTERVAL)
        for each in writers:
            if each.writing is not None:
                self.run_until(each.writing)

    def test_writers_are_kept_apart(self) -> None:
        """Two servers' first visits are two, whatever their numbers."""
        one, other = self.writer("one"), self.writer("other")
        one.logged_on(make_pilot("KLM1"), "")
        other.logged_on(make_pilot("KLM2"), "")
        self.pump(one, other)
        self.assertEqual(len(self.memory.online), 2)

    def test_visits_of_a_dead_writer_end(self) -> None:
        """After ten minutes of silence, and no sooner; others' stay."""
        dead, alive = self.writer("dead"), self.writer("alive")
        dead.logged_on(make_pilot("KLM1"), "")
        self.pump(dead, alive)
        self.time.pump([60.0] * int(SILENCE / 60 - 1))
        alive.logged_on(make_pilot("KLM2"), "")
        self.pump(alive)
        self.assertEqual(len(self.memory.online), 2)
        self.time.pump([60.0] * 2)
        self.assertEqual([each.callsign for each in self.memory.online], ["KLM2"])

    def write(self, writer: str, number: int, *entries: Entry) -> Deferred[bool]:
        """Write a batch by hand."""
        client = self.clients.client("passport")
        self.addCleanup(client.close)
        return deferred(write(client, writer, number, entries, WITHIN))

    def came(self, visit: int) -> Came:
        """Return that somebody came."""
        pilot = make_pilot(f"KLM{visit}")
        return Came(visit=visit, client=pilot, address="", at=Seconds(0.0))

    def test_writer_who_wrote_elsewhere_meanwhile_begins_anew(self) -> None:
        """What we know of his visits is old: they end, and he tells them again."""
        self.assertFalse(self.successResultOf(self.write("one", 1, self.came(1))))
        self.assertTrue(self.successResultOf(self.write("one", 2, self.came(2))))
        self.assertFalse(self.successResultOf(self.write("one", 4, self.came(3))))
        self.assertEqual([each.callsign for each in self.memory.online], ["KLM3"])
        self.assertEqual(len(self.memory.visits), 2)

    def test_odd_batches_are_refused(self) -> None:
        """Without a writer, with a name too long, or with too much in it."""
        for writer, entries in (
            ("", [Left(1)]),
            ("w" * 65, [Left(1)]),
            ("one", [Left(1)] * (LONGEST_BATCH + 1)),
        ):
            asked = self.write(writer, 1, *entries)
            error = self.failureResultOf(asked, RpcError).value
            self.assertEqual(error.code, Code.INVALID_ARGUMENT)
        self.successResultOf(self.write("w" * 64, 1, *[Left(1)] * LONGEST_BATCH))

    def test_writers_have_a_number(self) -> None:
        """One more than the bound, and the one who is silent for longest ends."""
        self.successResultOf(self.write("oldest", 1, self.came(1)))
        for number in range(MOST_WRITERS):
            self.time.advance(1.0)
            self.assertEqual(len(self.memory.online), 1)
            self.successResultOf(self.write(f"{number}", 1))
        self.assertEqual(len(self.memory.online), 0)

    def test_refused_batch_is_not_sent_for_ever(self) -> None:
        """It is lost, the log says so, and what comes later is written."""
        writer = self.writer("w" * 65)
        with capturedLogs() as events:
            writer.acted(test_logbook.KILL)
            self.pump(writer)
        self.assertEqual(writer.waiting, 0)
        (event,) = [each for each in events if each["log_level"] is LogLevel.warn]
        self.assertIn("1 entries are refused and lost", formatEvent(event))

    def test_quiet_writer_says_that_it_is_there(self) -> None:
        """A night with one long visit and no news does not end it."""
        quiet = self.writer("quiet")
        quiet.logged_on(make_pilot("KLM1"), "")
        for _ in range(40):
            self.pump(quiet)
            self.time.advance(30.0)
            self.clock.advance(30.0)
        self.assertEqual(len(self.memory.online), 1)


@implementer(IAccounts)
class Answering:
    """Accounts that answer what the test says, and note what they were asked."""

    def __init__(self, answer: Deferred[Account]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, str]] = []

    def authenticate(
        self, cid: str, password: str, address: str = ""
    ) -> Deferred[Account]:
        """Answer; see `IAccounts`."""
        self.asked.append((cid, password, address))
        return self.answer


class PassportTests(RemoteTestCase):
    """What goes over the line about accounts, beyond the contract."""

    def accounts(self, answer: Deferred[Account]) -> RemoteAccounts:
        """Return accounts that ask somebody who answers so."""
        self.there = Answering(answer)
        accounts = RemoteAccounts(self.connect(PassportServicer(self.there)), WITHIN)
        accounts.startService()
        self.addCleanup(accounts.stopService)
        return accounts

    def test_account_arrives_whole(self) -> None:
        """Permissions and notice, too; and the address comes with the question."""
        account = Account(
            "1000001",
            Rating.SUSPENDED,
            frozenset({Permission.KICK, Permission.NOTICES}),
            "suspended until Friday: 联飞",
        )
        answer: Deferred[Account] = Deferred()
        answer.callback(account)
        asked = self.accounts(answer).authenticate("1000001", "pw", "2001:db8::1")
        self.assertEqual(self.successResultOf(asked), account)
        self.assertEqual(self.there.asked, [("1000001", "pw", "2001:db8::1")])

    def test_refusals_arrive_as_they_are(self) -> None:
        """Each kind, with the CID as its parameter and its notice."""
        for kind in (InvalidCredentials, TooManyFailures, AccountsUnavailable):
            answer: Deferred[Account] = fail(kind("1000001", "wait 34 s"))
            asked = self.accounts(answer).authenticate("1000001", "pw")
            error = self.failureResultOf(asked, kind).value
            self.assertEqual((error.parameter, error.notice), ("1000001", "wait 34 s"))

    def test_other_refusals_are_told_as_unavailable(self) -> None:
        """A newer store's own reasons still read as a refusal, with their notice."""

        class Unheard(WorldError):
            code = AccountsUnavailable.code

        answer: Deferred[Account] = fail(Unheard("", "come back tomorrow"))
        asked = self.accounts(answer).authenticate("1000001", "pw")
        error = self.failureResultOf(asked, AccountsUnavailable).value
        self.assertEqual(error.notice, "come back tomorrow")

    def test_nobody_there_is_unavailable(self) -> None:
        """A pilot reads that he may try again later; the operator is told once."""
        accounts = self.accounts(Deferred())
        self.stop_server()
        for _ in range(3):
            asked = accounts.authenticate("1000001", "pw")
            error = self.failureResultOf(asked, AccountsUnavailable).value
            self.assertIn("try again later", error.notice)
        self.assertEqual(repr(accounts), "<RemoteAccounts: away>")

    def test_stopped_accounts_are_unavailable(self) -> None:
        """After the end, nobody is asked."""
        accounts = self.accounts(Deferred())
        accounts.stopService()
        asked = accounts.authenticate("1000001", "pw")
        self.failureResultOf(asked, AccountsUnavailable)

    def test_cancelling_gives_the_check_up_over_there(self) -> None:
        """A pilot who hangs up ends the work on his password."""
        given_up: list[object] = []
        accounts = self.accounts(Deferred(given_up.append))
        asked = accounts.authenticate("1000001", "pw")
        self.run_until_so(lambda: self.there.asked, "he is asked")
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.run_until_so(lambda: given_up, "the check is given up")
        self.assertEqual(len(given_up), 1)


class WeatherTests(RemoteTestCase):
    """What goes over the line about weather, beyond the contract."""

    def weather(self, there: IWeather) -> RemoteWeather:
        """Return weather that asks somebody."""
        weather = RemoteWeather(self.connect(WeatherServicer(there)), WITHIN)
        weather.startService()
        self.addCleanup(weather.stopService)
        return weather

    def test_no_source_is_told_as_such(self) -> None:
        """Where the other process has no source, neither have we."""
        weather = self.weather(NoWeather())
        self.failureResultOf(weather.metar("EHAM"), NoWeatherSource)
        self.failureResultOf(weather.weather("EHAM"), NoWeatherSource)

    def test_nobody_there_is_no_report(self) -> None:
        """Pilots read error 009, not an error of ours."""
        weather = self.weather(NoWeather())
        self.stop_server()
        self.assertIsNone(self.successResultOf(weather.metar("EHAM")))
        self.assertIsNone(self.successResultOf(weather.weather("EHAM")))
        weather.stopService()
        self.assertIsNone(self.successResultOf(weather.metar("EHAM")))
