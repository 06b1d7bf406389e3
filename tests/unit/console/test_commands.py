"""The table of commands: who may use what, and what each answers."""

import re
from pathlib import Path

from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.console.commands import COMMANDS
from rum_twisted.console.help import LARGEST_FILE, SHIPPED, HelpFile
from rum_twisted.console.interfaces import Refresh
from rum_twisted.console.recent import MOST_KEPT
from rum_twisted.weather.none import NoWeather
from tests.support.console import MemoryConsole, Operator

PAGE = Path(__file__).parents[3] / "docs" / "console.md"
HEAD = "Call-sign    CID     Online   Idle     Type  Server     Frequency"
POSITION = "@N:KLM1:2200:1:50.5:-5.25:10000:250:0:0"
PLACE = "%EHAM_CTR:32125:6:50:5:51.0:5.0:0"


class CommandTestCase(SynchronousTestCase):
    """A console, an operator who has given the password, and two clients."""

    @override
    def setUp(self) -> None:
        """Start everything."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.console = MemoryConsole(self.folder)
        self.addCleanup(self.console.stop)
        self.operator = self.console.authorized()

    def clients(self) -> None:
        """Log a pilot and a controller on."""
        self.controller = self.console.fsd.log_on_controller("EHAM_CTR")
        self.pilot = self.console.fsd.log_on_pilot("KLM1")

    def asserts(self, command: str, *lines: str) -> None:
        """Assert what a command is answered with."""
        self.assertEqual(self.operator.ask(command), list(lines), command)


class TableTests(CommandTestCase):
    """What holds for every row."""

    def test_every_command_is_in_the_manual_and_in_the_help(self) -> None:
        """And the manual says right which need the password."""
        section = PAGE.read_text("utf-8").split("## Commands")[1].split("\n## ")[0]
        rows = re.findall(r"^\| (`.*) \|", section, re.M)
        manual = {
            match[1]: row.split(" | ")[0].endswith("*")
            for row in rows
            for match in re.finditer(r"`([a-z0-9]+)[ `]", row.split(" | ")[0])
        }
        topics = {page.topic for page in HelpFile(SHIPPED).pages()}
        for name, command in COMMANDS.items():
            self.assertEqual(manual.get(name), not command.is_open, name)
            self.assertIn(name, topics)

    def test_strangers(self) -> None:
        """They are refused every command but the open ones, before its arguments."""
        stranger = self.console.connect()
        stranger.read()
        for name, command in COMMANDS.items():
            if not command.is_open:
                answer = stranger.ask(f"{name.upper()} x")
                self.assertEqual(answer, ["Not authorized, use 'pwd'."], name)

    def test_usage(self) -> None:
        """Who leaves arguments away reads which there are."""
        for name, command in COMMANDS.items():
            if command.least:
                answer = self.operator.ask(
                    " ".join([name] + ["x"] * (command.least - 1))
                )
                self.assertEqual("\r\n".join(answer), f"Usage: {name} {command.usage}")

    def test_every_privileged_command_is_noted(self) -> None:
        """In the log and in the audit log, with whom it is about."""
        self.clients()
        for name, command in COMMANDS.items():
            if not command.is_open:
                self.console.fsd.logbook.acts.clear()
                self.operator.ask(f"{name} KLM1 x y")
                [act] = self.console.fsd.logbook.acts
                self.assertEqual(act.act.split("-")[0], name)
                self.assertEqual(act.who_cid, "console")
                self.assertEqual(act.where, "192.0.2.7")
                self.assertIn("KLM1", f"{act.act} {act.whom}".upper())

    def test_open_commands_are_not_noted(self) -> None:
        """Anybody may ask for them, as often as he likes."""
        for name in ("time", "servers", "route", "help", "pos 1 2", "metar EHAM"):
            self.operator.ask(name)
        self.assertEqual(list(self.console.fsd.logbook.acts), [])

    def test_no_password_is_noted(self) -> None:
        """Neither that of an account nor the console's own."""
        self.operator.ask("cert add 1000009 geheim STUDENT1", "pwd geheim")
        [act] = self.console.fsd.logbook.acts
        self.assertEqual(act.act, "cert-add")
        self.assertEqual((act.whom, act.detail), ("1000009", "*** STUDENT1"))


class NetworkTests(CommandTestCase):
    """A server without links."""

    def test_answers(self) -> None:
        """As of the classic server that is alone."""
        self.asserts(
            "servers",
            "ID         Host                      Fl Hops Lag  Name",
            "-" * 61,
            "FSDA       fsd.example.org           M-   -1  00  Example server",
            "",
        )
        self.asserts("servers nobody", *self.operator.ask("servers")[:2], "")
        self.assertEqual(self.operator.ask("servers FSD")[0], "ID      : FSDA")
        self.assertEqual(self.operator.ask("servers2 Exam")[-1], "Flags  : METAR")
        self.assertEqual(
            self.operator.ask("servers2")[2],
            "FSDA       1.2.3       admin@example.org    Loopback",
        )
        self.asserts("route", "ID         Next hop", "-" * 19, "FSDA       *local*", "")
        self.asserts("ping FSDB")
        self.asserts(
            "connect", "No active server connections.", "No pending connections."
        )
        self.assertEqual(
            self.operator.ask("connect fsd.example.com")[0],
            "Connecting to fsd.example.com port 3011.",
        )
        self.asserts("disconnect 3", "No such connection was found.")
        self.asserts("delguard", "Guard connections deleted.")

    def test_info(self) -> None:
        """It counts servers, clients and accounts."""
        self.clients()
        self.asserts(
            "info",
            "Number of servers in the network: 1",
            "Number of clients in the network: 2",
            "Number of certificates in the network: 2",
        )


class ClientTests(CommandTestCase):
    """Who is on, and what is said to them."""

    def test_table(self) -> None:
        """Everybody, or all who match; upper and lower case count."""
        self.clients()
        self.controller.say(PLACE)
        self.operator.turn(65.0)
        head = (HEAD, "-" * 65)
        rows = (
            "EHAM_CTR     1000005 00:00:00 00:01:05 ATC   FSDA       132.125",
            "KLM1         1000001 00:00:00 00:01:05 PILOT FSDA      ",
        )
        table = self.operator.ask("clients")
        self.assertEqual(tuple(table[:2]), head)
        self.assertEqual([row[:24] for row in table[2:]], [row[:24] for row in rows])
        self.assertEqual([row[42:] for row in table[2:]], [row[42:] for row in rows])
        self.asserts("clients klm", "No match.")

    def test_details(self) -> None:
        """Of the only one who matches, his place in degrees, minutes and seconds."""
        self.clients()
        self.pilot.say(POSITION)
        lines = self.operator.ask("clients KLM")
        self.assertIn("Type        : pilot", lines)
        self.assertIn("Location    : N 50 30' 00\" W 05 15' 00\"", lines)
        self.assertEqual(lines[-2:], ["Groundspeed : 250", "Transponder : 2200"])
        self.controller.say(PLACE)
        lines = self.operator.ask("clients EHAM")
        self.assertIn("Frequency   : 132.125", lines)
        self.assertEqual(lines[-1], "Facility    : 6")

    def test_a_place_that_is_none(self) -> None:
        """A client may report anything; it is shown without a fault."""
        self.clients()
        for place in ("1e308:1e308", "nan:inf", "-1e9:1e20"):
            self.pilot.say(f"@N:KLM1:2200:1:{place}:0:0:0:0")
            lines = self.operator.ask("clients KLM")
            self.assertTrue(any(line.startswith("Location") for line in lines), place)

    def test_say_and_wall(self) -> None:
        """To one, to groups, to a frequency without a range, and to each by name."""
        self.clients()
        ends = {"pilot": self.pilot, "controller": self.controller}
        cases: tuple[tuple[str, dict[str, str]], ...] = (
            ("say klm1 hi  there", {"pilot": "#TMserver:klm1:hi there"}),
            ("say * a:b", dict.fromkeys(ends, "#TMserver:*:a:b")),
            ("say *A x", {"controller": "#TMserver:*A:x"}),
            ("say *P x", {"pilot": "#TMserver:*P:x"}),
            ("say *S x", {}),
            ("say @22800 x", dict.fromkeys(ends, "#TMserver:@22800:x")),
            (
                "wall to you",
                {
                    "pilot": "#TMserver:KLM1:to you",
                    "controller": "#TMserver:EHAM_CTR:to you",
                },
            ),
        )
        for command, due in cases:
            self.asserts(command)
            for name, end in ends.items():
                self.assertEqual(
                    end.read(), [due[name]] if name in due else [], command
                )
        self.asserts("say SERVER x", "client 'SERVER' unknown.")

    def test_kill(self) -> None:
        """He reads why; the others hear that he has left."""
        self.clients()
        self.asserts("kill NOBODY x", "Could not find client 'NOBODY'")
        self.asserts("kill klm1 go: home", "Killed")
        self.assertEqual(self.pilot.read(), ["$!!SERVER:KLM1:go: home"])
        self.assertTrue(self.pilot.is_closed)
        self.console.fsd.turn()
        self.assertEqual(self.controller.read(), ["#DPKLM1:1000001"])

    def test_queues(self) -> None:
        """Nothing waits on a quiet server."""
        self.assertEqual(len(self.operator.ask("queues")), 2)
        self.assertEqual(len(self.operator.ask("slow")), 2)


class TraceTests(CommandTestCase):
    """One client's lines, live."""

    @override
    def setUp(self) -> None:
        """Log two on."""
        super().setUp()
        self.clients()

    def shown(self, operator: Operator | None = None) -> list[str]:
        """Return what was shown since the last time."""
        return (operator or self.operator).read().split("\r\n")[:-1]

    def test_what_comes_and_goes(self) -> None:
        """Both directions, in order, and nothing after the end."""
        self.asserts("trace klm1", "Tracing KLM1; 'trace off' ends it.")
        self.pilot.say("$PIKLM1:SERVER:1")
        self.controller.say("#TMEHAM_CTR:KLM1:hello")
        self.assertEqual(
            self.shown(),
            [
                "KLM1 > $PIKLM1:SERVER:1",
                "KLM1 < $POserver:KLM1:1",
                "KLM1 < #TMEHAM_CTR:KLM1:hello",
            ],
        )
        self.asserts("trace off", "Trace ended.")
        self.pilot.say("$PIKLM1:SERVER:2")
        self.assertEqual(self.shown(), [])
        self.assertEqual(self.pilot.read()[-1], "$POserver:KLM1:2")

    def test_no_password_is_shown(self) -> None:
        """Of a second logon on the same line, only whose it is."""
        self.operator.ask("trace KLM1")
        self.pilot.say("#APKLM1:SERVER:1000001:geheim:1:9:2:Joe")
        self.assertEqual(self.shown()[0], "KLM1 > #APKLM1:***")

    def test_the_end_of_a_client(self) -> None:
        """It is shown, and frees the place."""
        for _ in range(6):
            self.operator.ask("trace KLM1")
            self.pilot.hang_up()
            self.assertEqual(self.shown()[-1], "KLM1 < (the connection is closed)")
            self.pilot = self.console.fsd.log_on_pilot("KLM1")

    def test_bounds(self) -> None:
        """Nobody twice, four at most; a console that ends gives its place back."""
        for name in ("KLM2", "KLM3", "KLM4"):
            self.console.fsd.log_on_pilot(name)
        operators = {
            name: self.console.authorized() for name in ("KLM1", "KLM2", "KLM3", "KLM4")
        }
        for name, operator in operators.items():
            self.assertIn("Tracing", operator.ask(f"trace {name}")[0])
        full = "Not traced: 4 clients are shown already."
        self.asserts("trace EHAM_CTR", full)
        operators["KLM2"].hang_up()
        other = self.console.authorized()
        self.assertEqual(
            other.ask("trace KLM1"), ["Not traced: somebody else is shown him already."]
        )
        self.assertIn("Tracing", other.ask("trace EHAM_CTR")[0])
        self.asserts("trace NOBODY", "No such callsign.")

    def test_more_than_eyes_can_read(self) -> None:
        """200 lines a second are shown, the others are counted."""
        self.operator.ask("trace KLM1")
        for number in range(150):
            self.pilot.say(f"$PIKLM1:SERVER:{number}")
        self.assertEqual(len(self.shown()), 200)

    def test_a_console_that_does_not_read(self) -> None:
        """It is shown nothing, and the client notices nothing."""
        self.operator.ask("trace KLM1")
        self.operator.protocol.pauseProducing()
        self.pilot.say("$PIKLM1:SERVER:1")
        self.assertEqual(self.shown(), [])
        self.assertEqual(self.pilot.read(), ["$POserver:KLM1:1"])
        self.operator.protocol.resumeProducing()
        self.operator.turn()


class WeatherTests(CommandTestCase):
    """Reports and profiles."""

    def test_profile_reaches_clients(self) -> None:
        """``#WX`` and ``$AX`` tell it in place of the station's, until its end."""
        self.clients()
        for command in (
            "wp create eham",
            "wp set eham winds.1.direction 310",
            "wp set EHAM winds.3.speed 77",
            "wp set eham temperature.4.temperature -70",
            "wp set eham visibility 3",
        ):
            self.operator.ask(command)
        self.pilot.say("$AXKLM1:SERVER:METAR:EHAM")
        self.assertIn("24012G22KT", self.pilot.read()[0])
        self.asserts("wp activate eham", "Weather profile now in effect!")
        self.pilot.say("$AXKLM1:SERVER:METAR:eham", "#WXKLM1:SERVER:EHAM1")
        report, temperatures, winds, clouds = self.pilot.read()
        self.assertEqual(
            report,
            "$ARserver:KLM1:METAR:EHAM 211200Z 31012KT 03SM FEW018 BKN030 12/11 A2992",
        )
        self.assertIn(":35000:-70:", temperatures)
        self.assertIn(":2500:0:310:12:1:0:", winds)
        self.assertIn(":22600:10400:0:77:0:0:", winds)
        self.assertTrue(clouds.endswith(":3.00"), clouds)
        self.asserts("wp delete eham", "Weather profile deleted.")
        self.pilot.say("$AXKLM1:SERVER:METAR:EHAM")
        self.assertIn("24012G22KT", self.pilot.read()[0])

    def test_mistakes(self) -> None:
        """In the classic server's words."""
        self.operator.ask("wp create EHAM")
        for command, answer in (
            ("wp create eham", "Weather profile already exists!"),
            ("wp show nope", "Could not find weather profile 'nope'"),
            ("wp set nope visibility 1", "Could not find weather profile 'NOPE'"),
            ("wp delete nope", "Could not find weather profile 'NOPE'"),
            ("wp frob eham", "Invalid wp mode."),
            ("wp set eham visibility x", "Invalid value 'x'"),
            ("wp set eham frob 1", "Invalid category 'frob'."),
            ("wp set eham winds.1.frob 1", "Invalid specifier 'frob'"),
            ("wp set eham winds.x.speed 1", "Invalid index 'x'"),
            ("wp set eham winds.5.speed 1", "Invalid index 4"),
            ("wp set eham clouds.3.floor 1", "Invalid index 2"),
            ("wp set eham winds.0.speed 1", "Invalid index -1"),
            ("wp set eham winds 1", "Invalid parameter"),
            ("wp set eham winds.1 1", "Invalid parameter"),
        ):
            self.asserts(command, answer)

    def test_names_and_numbers_are_bounded(self) -> None:
        """Twelve letters, and a hundred profiles."""
        for number in range(100):
            self.operator.ask(f"wp create P{number}")
        self.asserts("wp create P100", *self.operator.ask("wp create P101"))
        self.assertEqual(
            self.operator.ask("wp create P102")[-1],
            "Not created: there are too many profiles.",
        )
        self.assertEqual(len(self.console.profiles.all()), 100)
        self.assertIn("Not created", self.operator.ask("wp create " + "x" * 13)[0])

    def test_without_a_source(self) -> None:
        """Nobody can be asked, and a profile begins with calm air."""
        folder = Path(self.mktemp())
        folder.mkdir()
        console = MemoryConsole(folder, weather=NoWeather())
        self.addCleanup(console.stop)
        operator = console.authorized()
        for command in ("weather EHAM", "metar EHAM"):
            self.assertEqual(operator.ask(command), ["No METAR host in network."])
        self.assertEqual(
            operator.ask("wp create EHAM"),
            [
                "No METAR host in network.",
                "The weather profile has been created without default data.",
            ],
        )
        self.assertIn("Barometer   : 2950 Hg", operator.ask("wp show eham"))

    def test_refresh(self) -> None:
        """It says what has become of the wish."""
        for state, answer in (
            (Refresh.BEGUN, "Starting download of metar data."),
            (Refresh.UNDER_WAY, "Already downloading latest METAR information."),
            (Refresh.ELSEWHERE, "Servers doesn't use a local METAR file."),
        ):
            self.console.refreshed = state
            self.asserts("refreshmetar", answer)

    def test_place(self) -> None:
        """What is no number leaves the place as it was; the upper winds follow it."""
        self.asserts("pos 52.5 x", "Position set")
        self.asserts("pos - 4.5", "Position set")
        position = self.operator.protocol.console.position
        self.assertEqual((position.latitude, position.longitude), (52.5, 4.5))
        here = self.operator.ask("weather EHAM")
        self.operator.ask("pos 0 0")
        self.assertNotEqual(self.operator.ask("weather EHAM"), here)


class AccountTests(CommandTestCase):
    """``cert``."""

    def test_changes(self) -> None:
        """They count at the next logon, and the answer says how long they last."""
        add = self.operator.ask("cert add 1000009 geheim student3")
        self.assertEqual(add[-1], "should be permanent.")
        self.asserts("cert add 1000009 x OBSPILOT", "Certificate already exists.")
        self.assertIn("1000009    STUDENT3", self.operator.ask("cert 1000009")[2])
        self.operator.ask("cert modify 1000009 SUSPENDED")
        self.assertIn("1000009    SUSPENDED", self.operator.ask("cert 1000009")[2])
        self.operator.ask("cert delete 1000009")
        self.assertEqual(len(self.operator.ask("cert 1000009")), 2)

    def test_mistakes(self) -> None:
        """In the classic server's words."""
        for command, answer in (
            ("cert add x y frob", "Unknown level, use 'help cert' for help."),
            ("cert modify 1000001 frob", "Unknown level, use 'help cert' for help."),
            ("cert modify nobody SUPERVISOR", "Certificate does not exist."),
            ("cert delete nobody", "Certificate does not exist."),
            ("cert frob x", "Invalid mode, should be 'add', 'delete' or 'modify'."),
            ("cert add x", "Usage: cert add <cid> <pwd> <level>"),
            ("cert modify 1000001", "Usage: cert modify <cid> <level>"),
        ):
            self.asserts(command, answer)


class LogTests(CommandTestCase):
    """``log``."""

    def put(self, level: LogLevel, text: str) -> None:
        """Log something."""
        self.console.publisher(
            {"log_level": level, "log_format": text, "log_time": 0.0}
        )

    def test_show_and_delete(self) -> None:
        """The newest first, up to a level, as many as are asked for."""
        self.put(LogLevel.error, "first")
        self.put(LogLevel.info, "second")
        self.put(LogLevel.warn, "third")
        warned, failed = (
            "1970-01-01 00:00:00 Warn: third",
            "1970-01-01 00:00:00 Err: first",
        )
        self.asserts("log show 4", warned, failed)
        self.asserts("log show 4 1", warned)
        self.asserts("log delete 4 1")
        self.asserts("log show 4", failed)
        self.assertEqual(len(self.operator.ask("log show 9")), 2)
        self.asserts("log frob 1", "Invalid operation mode, use 'show' or 'delete'.")

    def test_so_many_are_kept(self) -> None:
        """The oldest go; a long text is cut, one of several lines is one."""
        for number in range(MOST_KEPT + 1):
            self.put(LogLevel.info, f"n{number}\nx" + "y" * 1000)
        lines = self.operator.ask("log show 6")
        self.assertEqual(len(lines), MOST_KEPT)
        self.assertIn("n50 x", lines[0])
        self.assertLess(len(lines[0]), 500)


class OperationTests(CommandTestCase):
    """The server itself."""

    def test_help(self) -> None:
        """A page, the topics, and the first page with all commands."""
        page = self.operator.ask("HELP Kill")
        self.assertEqual(len(page[0]), 79)
        self.assertTrue(page[0].endswith("DISCONNECT A CLIENT"))
        self.assertIn("kill: DISCONNECT A CLIENT", self.operator.ask("help topics"))
        words = " ".join(self.operator.ask("help")).split()
        for name in COMMANDS:
            self.assertIn(name.upper(), words)

    def test_own_help_file(self) -> None:
        """It is read as the classic server reads it, and again when it has changed."""
        path = self.folder / "help.txt"
        path.write_text("%topic club:OUR CLUB\nhello\n%topic\n", "ascii")
        self.assertEqual(self.operator.ask("help club")[2:], ["hello"])
        path.write_text("%topic club:OUR CLUB\ngood evening\n", "ascii")
        self.assertEqual(self.operator.ask("help club")[2:], ["good evening"])
        path.write_bytes(b"%topic club:X\n" + b"y\n" * LARGEST_FILE)
        self.assertLess(len(self.operator.ask("help club")), LARGEST_FILE / 2 + 2)
        path.unlink()
        path.mkdir()
        self.asserts("help club", "Could not open help file 'help.txt'")

    def test_counters(self) -> None:
        """Real figures, narrowed down by a part of the name."""
        self.clients()
        self.pilot.say("frobnicate")
        self.pilot.say("#DPKLM1")
        self.operator.ask("kill EHAM_CTR x")
        figures = dict(line.split("=") for line in self.operator.ask("stat"))
        for name, value in (
            ("interface.client.current", "0"),
            ("interface.client.total", "2"),
            ("interface.client.peak", "2"),
            ("interface.client.command", "1"),
            ("interface.client.killed", "1"),
            ("protocol.errors.invalidcommand", "1"),
        ):
            self.assertEqual(figures[name], value, name)
        self.asserts("stat boottime", "system.boottime=1")

    def test_what_others_tell(self) -> None:
        """It is passed on."""
        for name in ("memory", "guard", "services"):
            self.asserts(name, f"the {name}")
