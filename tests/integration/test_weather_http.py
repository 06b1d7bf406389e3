"""Weather from real servers on real sockets, most of which misbehave."""

import resource
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees, Seconds
from rum_twisted.weather.http import HttpWeather, http_weather
from tests.support.httpserver import Authority, Exchange, HttpServer, serve_http
from tests.support.roles import wait_until
from tests.support.sources import weather_settings
from tests.support.twistd import PATIENCE, Server, free_port, serve

reactor: Any = installed_reactor  # its type depends on which one it is

GIGABYTE: Final = 1 << 30
SLOW: Final = 20.0  # seconds that stand for "much later" on a busy machine


def now() -> Seconds:
    """Return the time of day."""
    return Seconds(time.time())


def report_of(station: str) -> str:
    """Return a report that was made just now."""
    stamp = time.strftime("%d%H%MZ", time.gmtime())
    return f"{station} {stamp} 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG"


def good(exchange: Exchange) -> None:
    """Answer with the report of whatever station is asked for."""
    exchange.answer(report_of(exchange.path[-4:]).encode())


class HttpTestCase(TestCase):
    """Real servers in threads, and the real client on the test's reactor."""

    timeout = 240.0  # seconds; trial's own bound of a test

    @asynccontextmanager
    async def weather(
        self, *sources: str, **assignments: Any
    ) -> AsyncIterator[HttpWeather]:
        """Yield started weather, and stop it; trial looks for what is left behind.

        Unless the test has bounds of its own, it waits as long as this machine needs.
        """
        bounds = {"answer_within": PATIENCE, "request_timeout": PATIENCE}
        settings = weather_settings(
            sources,
            *(f"{name}={value}" for name, value in {**bounds, **assignments}.items()),
        )
        weather = http_weather(settings, reactor, now, Random(1))  # noqa: S311
        weather.startService()
        try:
            yield weather
        finally:
            await weather.stopService()

    async def assert_fails(
        self, respond: Callable[[Exchange], None], trouble: str, **assignments: Any
    ) -> None:
        """Assert that a source that answers so is a failure, and harms nobody."""
        with serve_http(respond) as server:
            source = f"raw {server.url}/{{station}}"
            async with self.weather(source, **assignments) as weather:
                self.assertIsNone(await weather.metar("EHAM"))
                status = weather.status().sources[0]
                self.assertIn(trouble, status.trouble)

    def folder(self) -> Path:
        """Return a new folder."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        return folder


class GoodSourceTests(HttpTestCase):
    """A source that does what it should."""

    async def test_report_comes_and_stays(self) -> None:
        """It is fetched once; the next who asks is answered from memory."""
        with serve_http(good) as server:
            async with self.weather(f"raw {server.url}/{{station}}") as weather:
                report = await weather.metar("EHAM")
                self.assertEqual(self.successResultOf(weather.metar("EHAM")), report)
                assert report is not None
                self.assertTrue(report.startswith("EHAM "))
            self.assertEqual(server.requests, ["/EHAM"])

    async def test_hundred_askers_cost_one_request(self) -> None:
        """However many ask for one station, the source is asked once."""
        with serve_http(good) as server:
            async with self.weather(f"raw {server.url}/{{station}}") as weather:
                answers = [weather.metar("EHAM") for _ in range(100)]
                for answer in answers:
                    self.assertIsNotNone(await answer)
            self.assertEqual(server.requests, ["/EHAM"])

    async def test_connection_is_used_again(self) -> None:
        """Two stations come over one connection."""
        ports = set()

        def respond(exchange: Exchange) -> None:
            ports.add(exchange.port)
            good(exchange)

        with serve_http(respond) as server:
            async with self.weather(f"raw {server.url}/{{station}}") as weather:
                await weather.metar("EHAM")
                await weather.metar("EGLL")
        self.assertEqual(len(ports), 1)

    async def test_file_of_all_stations(self) -> None:
        """5,000 reports are read in steps; nobody waits long for their turn."""
        names = [f"K{number:03}" for number in range(1000)]
        names += [f"E{number:03}" for number in range(1000)]
        names += [
            f"{a}{b}{c}X" for a in "LUZ" for b in "ABCDEFGHIJ" for c in "ABCDEFGH"
        ]
        reports = dict(zip(names, map(report_of, names), strict=True))
        text = "\n\n".join(reports.values()).encode()

        def respond(exchange: Exchange) -> None:
            exchange.answer(text)

        with serve_http(respond) as server:
            async with self.weather(f"cycle {server.url}/{{hour}}") as weather:
                self.assertEqual(await weather.metar("K999"), reports["K999"])
                self.assertEqual(weather.status().reports, len(names))
                self.assertIsNotNone(self.successResultOf(weather.metar("E500")))

    async def test_unchanged_file_is_not_sent_again(self) -> None:
        """The second time the source says that nothing has changed."""
        tags = []

        def respond(exchange: Exchange) -> None:
            tags.append(exchange.headers.get("If-None-Match"))
            if tags[-1]:
                exchange.answer(b"", 304)
            else:
                exchange.answer(report_of("EHAM").encode(), etag='"1"')

        with serve_http(respond) as server:
            async with self.weather(
                f"raw {server.url}/{{station}}", fresh_for=0.1
            ) as weather:
                await weather.metar("EHAM")
                while len(tags) < 2:
                    await weather.metar("EHAM")
                    await self.pause()
                self.assertIsNotNone(await weather.metar("EHAM"))
        self.assertEqual(tags[:2], [None, '"1"'])

    async def test_nearest_station(self) -> None:
        """Who names none gets the report of an airport near him."""
        with serve_http(good) as server:
            async with self.weather(f"raw {server.url}/{{station}}") as weather:
                place = Position(Degrees(52.3), Degrees(4.7))
                report = await weather.metar("", place)
                assert report is not None
                self.assertEqual(report[:4], "EHAM")

    def pause(self) -> Deferred[None]:
        """Let the reactor do something else."""
        pause: Deferred[None] = Deferred()
        reactor.callLater(0.02, pause.callback, None)
        return pause


class BadSourceTests(HttpTestCase):
    """Sources that misbehave."""

    async def test_source_that_hangs(self) -> None:
        """The client is answered at the bound, and the request ends in the end."""
        with serve_http(Exchange.hang) as server:
            async with self.weather(
                f"raw {server.url}/{{station}}", answer_within=0.3, request_timeout=0.6
            ) as weather:
                begin = time.monotonic()
                self.assertIsNone(await weather.metar("EHAM"))
                self.assertLess(time.monotonic() - begin, 0.3 + SLOW)
                while weather.status().waiting:
                    await weather.metar("EHAM")
                trouble = weather.status().sources[0].trouble
                self.assertIn("no whole answer within 0.6 seconds", trouble)

    async def test_source_that_hangs_in_the_middle(self) -> None:
        """The beginning of an answer is none."""
        await self.assert_fails(
            lambda exchange: exchange.begin_and_hang(b"EHAM 24"),
            "no whole answer",
            request_timeout=0.3,
        )

    async def test_source_that_does_not_accept(self) -> None:
        """A host whose queue is full lets a connection wait for ever."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            address = listener.getsockname()
            with socket.create_connection(address), socket.socket() as second:
                second.setblocking(False)  # noqa: FBT003
                second.connect_ex(address)
                async with self.weather(
                    f"raw http://127.0.0.1:{address[1]}/{{station}}",
                    request_timeout=0.3,
                ) as weather:
                    self.assertIsNone(await weather.metar("EHAM"))
                    trouble = weather.status().sources[0].trouble
                    self.assertIn("within 0.3 seconds", trouble)

    async def test_source_that_is_away(self) -> None:
        """Nobody listens there."""
        port = free_port()
        async with self.weather(f"raw http://127.0.0.1:{port}/{{station}}") as weather:
            self.assertIsNone(await weather.metar("EHAM"))
            self.assertIn("refused", weather.status().sources[0].trouble)

    async def test_three_bytes(self) -> None:
        """An answer of three bytes is no report."""
        await self.assert_fails(
            lambda it: it.answer(b"abc"), "3 bytes without a report"
        )

    async def test_page_for_people(self) -> None:
        """A format that has changed is a failure."""
        await self.assert_fails(
            lambda it: it.answer(b"<html><h1>METAR</h1> EHAM: see our app</html>"),
            "without a report of EHAM",
        )

    async def test_server_error(self) -> None:
        """So is a status that says so."""
        await self.assert_fails(lambda it: it.answer(b"oops", 503), "HTTP status 503")

    async def test_source_that_drops_the_connection(self) -> None:
        """A connection that ends without an answer is a failure as well."""
        await self.assert_fails(Exchange.drop, "")

    async def test_gigabyte(self) -> None:
        """It is cut at the bound: memory does not grow, and the source stops."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with serve_http(lambda exchange: exchange.pour(GIGABYTE)) as server:
            async with self.weather(f"raw {server.url}/{{station}}") as weather:
                self.assertIsNone(await weather.metar("EHAM"))
                trouble = weather.status().sources[0].trouble
                self.assertIn("more than 65536 bytes", trouble)
            self.assertLess(server.poured, GIGABYTE // 8)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.assertLess(after - before, 32 * 1024)  # kB

    async def test_gigabyte_in_place_of_a_file_of_all_stations(self) -> None:
        """It is read in steps up to max_cycle, and costs no memory either."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with serve_http(lambda exchange: exchange.pour(GIGABYTE)) as server:
            async with self.weather(f"cycle {server.url}/all") as weather:
                self.assertIsNone(await weather.metar("EHAM"))
                trouble = weather.status().sources[0].trouble
                self.assertIn("more than 16777216 bytes", trouble)
            self.assertLess(server.poured, GIGABYTE // 8)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.assertLess(after - before, 32 * 1024)  # kB

    async def test_gigabyte_of_headers(self) -> None:
        """Headers without an end are cut as well."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with serve_http(lambda exchange: exchange.pour_headers(GIGABYTE)) as server:
            async with self.weather(f"raw {server.url}/{{station}}") as weather:
                self.assertIsNone(await weather.metar("EHAM"))
                self.assertIn("abort", weather.status().sources[0].trouble)
            self.assertLess(server.poured, GIGABYTE // 8)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.assertLess(after - before, 32 * 1024)  # kB

    async def test_announced_gigabyte_is_not_begun(self) -> None:
        """An answer that says how long it is is refused before it comes."""

        def respond(exchange: Exchange) -> None:
            exchange.answer(b"EHAM", content_length=str(GIGABYTE))

        await self.assert_fails(respond, "more than the 65536")

    async def test_next_source_takes_over(self) -> None:
        """With a second source the first one's silence costs a second."""
        with serve_http(Exchange.hang) as bad, serve_http(good) as fine:
            async with self.weather(
                f"raw {bad.url}/{{station}}",
                f"raw {fine.url}/{{station}}",
                next_after=0.1,
            ) as weather:
                self.assertIsNotNone(await weather.metar("EHAM"))

    async def test_redirects(self) -> None:
        """A source that has moved is followed; a loop ends."""

        def respond(exchange: Exchange) -> None:
            if exchange.path == "/new/EHAM":
                good(exchange)
            elif exchange.path == "/EHAM":
                exchange.answer(b"moved", 302, location="/new/EHAM")
            else:
                exchange.answer(b"moved", 301, location=exchange.path)

        with serve_http(respond) as server:
            async with self.weather(f"raw {server.url}/{{station}}") as weather:
                self.assertIsNotNone(await weather.metar("EHAM"))
                self.assertIsNone(await weather.metar("EGLL"))
                trouble = weather.status().sources[0].trouble
                self.assertIn("redirects more than 3 times", trouble)


class TlsTests(HttpTestCase):
    """Who a source is."""

    async def ask(
        self, server: HttpServer, ca_file: Path | None, host: str = "127.0.0.1"
    ) -> tuple[str | None, str]:
        """Return a report and the trouble there was."""
        assignments: dict[str, Any] = {}
        if ca_file is not None:
            assignments["ca_file"] = f'"{ca_file}"'
        async with self.weather(
            f"raw https://{host}:{server.port}/{{station}}", **assignments
        ) as weather:
            report = await weather.metar("EHAM")
            return report, weather.status().sources[0].trouble

    async def test_certified_source(self) -> None:
        """With its authority in ca_file a private source is trusted."""
        authority = Authority(self.folder())
        with serve_http(good, authority.certify()) as server:
            report, trouble = await self.ask(server, authority.ca_file)
            self.assertEqual(trouble, "")
            self.assertIsNotNone(report)

    async def test_unknown_authority(self) -> None:
        """Without it nothing is asked: the connection ends before."""
        authority = Authority(self.folder())
        with serve_http(good, authority.certify()) as server:
            report, trouble = await self.ask(server, None)
            self.assertIsNone(report)
            self.assertIn("certificate verify failed", trouble)
            self.assertEqual(server.requests, [])

    async def test_wrong_host(self) -> None:
        """A certificate of another host is none."""
        authority = Authority(self.folder())
        with serve_http(good, authority.certify("metar.example")) as server:
            report, trouble = await self.ask(server, authority.ca_file)
            self.assertIsNone(report)
            self.assertIn("Verification", trouble)
            self.assertEqual(server.requests, [])

    async def test_expired_certificate(self) -> None:
        """Nor is one of last year."""
        authority = Authority(self.folder())
        with serve_http(good, authority.certify(days_ago=300)) as server:
            report, trouble = await self.ask(server, authority.ca_file)
            self.assertIsNone(report)
            self.assertIn("certificate verify failed", trouble)

    async def test_unreadable_authorities(self) -> None:
        """The operator is told which file it is; nothing is asked without it."""
        authority = Authority(self.folder())
        path = Path("/none.pem")  # short, since only so much of a trouble is kept
        with serve_http(good, authority.certify()) as server:
            report, trouble = await self.ask(server, path)
            self.assertIsNone(report)
            self.assertIn(f"weather.ca_file: {path} is no readable PEM", trouble)

    async def test_source_without_tls(self) -> None:
        """A plain server where TLS is due is a failure."""
        with serve_http(good) as server:
            report, trouble = await self.ask(server, None)
            self.assertIsNone(report)
            self.assertNotEqual(trouble, "")

    async def test_redirect_to_plain_http(self) -> None:
        """Nobody is led from TLS to a connection that anybody may change."""
        authority = Authority(self.folder())
        with serve_http(good) as plain:

            def respond(exchange: Exchange) -> None:
                exchange.answer(b"", 302, location=f"{plain.url}/EHAM")

            with serve_http(respond, authority.certify()) as server:
                report, trouble = await self.ask(server, authority.ca_file)
                self.assertIsNone(report)
                self.assertIn("from TLS to plain HTTP", trouble)
                self.assertEqual(plain.requests, [])


class Pilot:
    """A pilot who is logged on to a server in another process."""

    def __init__(self, port: int, callsign: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._lines = self._socket.makefile("r", encoding="latin-1", newline="\r\n")
        self.callsign = callsign
        self.say(f"#AP{callsign}:SERVER:1000001:secret:1:9:2:Joe")
        self.until("#TM")

    def say(self, line: str) -> None:
        """Send a line."""
        self._socket.sendall(line.encode("latin-1") + b"\r\n")

    def until(self, *beginnings: str) -> str:
        """Return the next line with one of these beginnings."""
        for line in self._lines:
            if line.startswith(beginnings):
                return line.rstrip("\r\n")
        raise EOFError

    def metar(self, station: str) -> tuple[str, float]:
        """Ask for a report; return the answer and how long it took, in seconds."""
        begin = time.monotonic()
        self.say(f"$AX{self.callsign}:SERVER:METAR:{station}")
        return self.until("$AR", "$ER"), time.monotonic() - begin

    def ping(self) -> float:
        """Return how long the server takes to answer, in seconds."""
        begin = time.monotonic()
        self.say(f"$PI{self.callsign}:SERVER:sync")
        self.until("$PO")
        return time.monotonic() - begin

    def layers(self, latitude: float) -> list[str]:
        """Fly to a latitude; return the layers of weather there."""
        self.say(f"@N:{self.callsign}:2200:1:{latitude}:4.7:35000:450:0:0")
        self.say(f"#WX{self.callsign}:SERVER:EHAM")
        return [self.until("#TD"), self.until("#WD"), self.until("#CD")]

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()


class RealServerTests(HttpTestCase):
    """The real ``twistd rum``, with sources that misbehave."""

    @contextmanager
    def rum(self, *sources: str, **assignments: Any) -> Iterator[Server]:
        """Serve with these sources."""
        folder = self.folder()
        (folder / "data").mkdir()
        (folder / "data" / "cert.txt").write_text("1000001 secret 1\n")
        listed = ", ".join(f'"{source}"' for source in sources)
        options = ["weather.source='http'", f"weather.sources=[{listed}]"]
        options += [f"weather.{name}={value}" for name, value in assignments.items()]
        arguments = [word for option in options for word in ("--set", option)]
        with serve(folder, "rum", *arguments, daemon=False) as server:
            yield server
            self.assertLess(server.terminate(), SLOW)
            self.assertNotIn("Traceback", server.log)

    def test_others_do_not_notice(self) -> None:
        """While sources hang, pour and lie, others are answered as ever."""

        def respond(exchange: Exchange) -> None:
            match exchange.path[-4:]:
                case "HANG":
                    exchange.hang()
                case "POUR":
                    exchange.pour(GIGABYTE)
                case "TINY":
                    exchange.answer(b"abc")
                case _:
                    good(exchange)

        authority = Authority(self.folder())
        with (
            serve_http(good, authority.certify("metar.example")) as liar,
            serve_http(respond) as server,
            self.rum(
                f"raw {liar.url}/{{station}}",
                f"raw {server.url}/{{station}}",
                answer_within=2,
                next_after=0.2,
                breaker_failures=5,
            ) as rum,
        ):
            victim, other = Pilot(rum.port, "KLM1"), Pilot(rum.port, "AFR2")
            # The first one may take longer than anybody waits.
            wait_until(lambda: ":EHAM " in other.metar("EHAM")[0], "a report")
            for station in ("HANG", "POUR", "TINY"):
                victim.say(f"$AXKLM1:SERVER:METAR:{station}")
            begin, waits = time.monotonic(), []
            while time.monotonic() - begin < 1.5:
                waits.append(other.ping())
                answer, seconds = other.metar("EHAM")
                self.assertIn(":EHAM ", answer)
                waits.append(seconds)
            # Who waited for a source would wait for two seconds.
            self.assertLess(median(waits), 0.5)
            refused = sorted(victim.until("$ER").split(":")[3] for _ in range(3))
            self.assertEqual(refused, ["HANG", "POUR", "TINY"])
            self.assertLess(time.monotonic() - begin, 2 + SLOW)
            self.assertEqual(liar.requests, [])
            victim.close()
            other.close()

    def test_every_latitude_has_weather(self) -> None:
        """From pole to pole, wind, temperature and clouds are told."""
        with (
            serve_http(good) as server,
            self.rum(f"raw {server.url}/{{station}}") as rum,
        ):
            pilot = Pilot(rum.port, "KLM1")
            for latitude in (-90, -89.99, -60, -23.5, 0, 0.01, 45, 66.5, 90):
                temperatures, winds, clouds = pilot.layers(latitude)
                self.assertEqual(len(temperatures.split(":")), 2 + 8 + 1, latitude)
                self.assertEqual(len(winds.split(":")), 2 + 24, latitude)
                self.assertEqual(len(clouds.split(":")), 2 + 15 + 1, latitude)
                self.assertTrue(clouds.endswith(":15.00"), clouds)
            pilot.close()

    def test_plain_sources_need_no_openssl(self) -> None:
        """A source of one's own house costs no TLS library."""
        with (
            serve_http(good) as server,
            self.rum(f"raw {server.url}/{{station}}") as rum,
        ):
            pilot = Pilot(rum.port, "KLM1")
            self.assertIn(":EHAM ", pilot.metar("EHAM")[0])
            self.assertNotIn("cryptography", rum.maps)
            pilot.close()

    def test_nearest_station(self) -> None:
        """Who names none is told the report of the airport below him."""
        with (
            serve_http(good) as server,
            self.rum(f"raw {server.url}/{{station}}") as rum,
        ):
            pilot = Pilot(rum.port, "KLM1")
            pilot.say("@N:KLM1:2200:1:52.31:4.76:2000:100:0:0")
            self.assertIn(":METAR:EHAM ", pilot.metar("")[0])
            pilot.close()
