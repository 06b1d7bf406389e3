"""The log as lines, its levels, and its file."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any, Final

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    LogPublisher,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

import rum_twisted
from rum_twisted.admin.events import LONGEST, json_line, text_line
from rum_twisted.admin.levels import Levels, room_of
from rum_twisted.admin.logs import MOST_EARLY, LogOutput, observer_for
from rum_twisted.admin.rotating import RotatingFile
from rum_twisted.config import ConfigError, load
from rum_twisted.config.log_kinds import ROOMS
from rum_twisted.control.lines import Refused

PERGOLA: Final = "rum_twisted.pergola.protocol"


class Unshowable:
    """Something that has no text."""

    @override
    def __repr__(self) -> str:
        raise ZeroDivisionError

    __str__ = __repr__


def event_of(text: str, level: str = "info", **fields: Any) -> LogEvent:
    """Return the event that a logger of the front would make."""
    found: list[LogEvent] = []
    log = Logger(PERGOLA, observer=found.append)  # type: ignore[arg-type]
    log.emit(LogLevel.levelWithName(level), text, **fields)
    return found[0]


class LineTests(SynchronousTestCase):
    """An event as a line."""

    def json(self, event: LogEvent) -> dict[str, Any]:
        """Return a line's object; it is one line."""
        line = json_line(event)
        self.assertEqual(line.count(b"\n"), 1)
        self.assertTrue(line.endswith(b"\n"))
        found: dict[str, Any] = json.loads(line)
        return found

    def test_json(self) -> None:
        """Fields stand beside what all events have, under the names of the style."""
        line = self.json(event_of("{callsign} is gone", callsign="KLM1", cid="1000001"))
        self.assertRegex(line.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(
            line,
            {
                "level": "info",
                "room": "pergola",
                "logger": PERGOLA,
                "text": "KLM1 is gone",
                "event": "{callsign} is gone",
                "callsign": "KLM1",
                "cid": "1000001",
            },
        )

    def test_kinds_of_values(self) -> None:
        """Numbers stay numbers; what JSON cannot hold becomes text."""
        line = self.json(
            event_of(
                "x", number=1, share=0.5, odd=float("nan"), path=Path("/a"), no=None
            )
        )
        self.assertEqual((line["number"], line["share"], line["no"]), (1, 0.5, None))
        self.assertEqual((line["odd"], line["path"]), ("nan", "/a"))
        line = self.json(event_of("x", thing=Unshowable()))
        self.assertIn("Unshowable", line["thing"])

    def test_events_that_nothing_can_be_made_of(self) -> None:
        """Each is a line all the same, in both forms, and says so."""
        nameless: dict[Any, Any] = {**event_of("x")}
        nameless[5] = 1
        for event, told in (
            (nameless, "cannot be shown"),
            ({**event_of("x"), "log_time": "noon"}, "x"),
            ({**event_of("x"), "log_time": float("nan")}, "x"),
            ({**event_of("x"), "log_time": 1e300}, "x"),
            (event_of("x", count=10**6000), "x"),
            (event_of("{x", x=1), "{x"),
        ):
            self.assertIn(told, self.json(event)["text"])
            self.assertTrue(text_line(event).endswith(b"\n"))
        self.assertEqual(self.json(event_of("x", count=1 << 64))["count"], str(1 << 64))

    def test_a_logger_with_a_long_name(self) -> None:
        """It is cut."""
        event = {**event_of("x"), "log_namespace": "n" * LONGEST}
        self.assertLess(len(json_line(event)), LONGEST)

    def test_nothing_steers_the_terminal(self) -> None:
        """Whoever looks at the file sees what strangers typed, and nothing else."""
        typed = "\x1b[2J\x9b2J\x7f\u202e\u2028\ud800"
        event = event_of("from {name}", name=typed)
        shown = json_line(event) + text_line(event)
        for sign in "\x1b\x9b\x7f\u202e\u2028":
            self.assertNotIn(sign.encode("utf-8"), shown)
        self.assertEqual(self.json(event)["name"], typed.replace("\ud800", "?"))

    def test_a_field_of_the_same_name(self) -> None:
        """Ours keep theirs."""
        line = self.json(event_of("x", level="info", room="tower"))
        self.assertEqual((line["room"], line["field_room"]), ("pergola", "tower"))

    def test_nobody_puts_a_line_into_the_log(self) -> None:
        """What strangers type stays within its line, in both forms."""
        event = event_of("logon of {callsign}", callsign="X\r\n2026 [-] all is well")
        self.json(event)
        lines = text_line(event).splitlines()
        self.assertEqual([line[:1] for line in lines[1:]], [b"\t"] * (len(lines) - 1))

    def test_a_traceback(self) -> None:
        """It is there, and only its end if it is long."""
        failure = Failure(ZeroDivisionError())
        event = event_of("a bug", "critical", log_failure=failure)
        self.assertIn("ZeroDivisionError", self.json(event)["failure"])
        self.assertIn(b"ZeroDivisionError", text_line(event))

    def test_bounds(self) -> None:
        """Whatever an event holds, its line is no longer than that."""
        many = {f"f{number}": "é" * 5000 for number in range(50)}
        for event in (event_of("{f1}", **many), event_of("x" * 100_000)):
            self.assertLessEqual(len(json_line(event)), LONGEST)
            self.assertLessEqual(len(text_line(event)), LONGEST)
            self.json(event)


class LevelsTests(SynchronousTestCase):
    """How much each room says."""

    def heard(self, levels: Levels) -> list[tuple[str, str]]:
        """Return which rooms are heard with which levels."""
        found: list[tuple[str, str]] = []
        for logger in (PERGOLA, "rum_twisted.rpc.client", "twisted.internet.tcp"):
            log = Logger(
                logger,
                observer=FilteringLogObserver(
                    lambda event: found.append(  # type: ignore[arg-type]
                        (room_of(event["log_namespace"]), event["log_level"].name)
                    ),
                    [levels],
                ),
            )
            for level in ("debug", "info", "warn"):
                log.emit(LogLevel.levelWithName(level), "x")
        return found

    def test_by_itself(self) -> None:
        """Everybody tells what an operator wants to know, and no more."""
        both = [
            (room, level)
            for room in ("pergola", "rpc", "twisted")
            for level in ("info", "warn")
        ]
        self.assertEqual(self.heard(Levels()), both)

    def test_rooms_of_their_own(self) -> None:
        """One says everything, another only what is wrong."""
        levels = Levels("info", ["pergola=debug", "rpc=warn", "twisted=error"])
        self.assertEqual(
            self.heard(levels),
            [
                ("pergola", "debug"),
                ("pergola", "info"),
                ("pergola", "warn"),
                ("rpc", "warn"),
            ],
        )
        self.assertEqual(
            repr(levels), "<Levels: info, pergola=debug, rpc=warn, twisted=error>"
        )

    def test_changes_while_it_runs(self) -> None:
        """A room, or all that have no level of their own."""
        levels = Levels()
        answer = levels.answer({"room": "pergola", "level": "debug"})
        self.assertEqual(answer["rooms"]["pergola"], "debug")
        self.assertIn(("pergola", "debug"), self.heard(levels))
        levels.answer({"level": "error"})
        self.assertEqual({room for room, _ in self.heard(levels)}, {"pergola"})
        self.assertEqual(levels.answer({})["usual"], "error")

    def test_refusals(self) -> None:
        """What is not known is told."""
        levels = Levels()
        self.assertRaises(Refused, levels.answer, {"room": "cellar", "level": "info"})
        self.assertRaises(Refused, levels.answer, {"room": "rpc", "level": "loud"})
        self.assertRaises(Refused, levels.answer, {"level": 3})

    def test_every_room_that_speaks_is_known(self) -> None:
        """A new room's level can be set as well."""
        root = Path(rum_twisted.__file__).parent
        speaking = {
            path.relative_to(root).parts[0].removesuffix(".py")
            for path in root.rglob("*.py")
            if re.search(r"\bLogger\(\)", path.read_text("utf-8"))
        }
        self.assertEqual(speaking - set(ROOMS), set())

    def test_settings(self) -> None:
        """The reader of the settings knows rooms and levels."""
        config = load(None, ['log.levels=["rpc=warn", "twisted=error"]'], {})
        self.assertEqual(config.log.levels, ("rpc=warn", "twisted=error"))
        for wrong in (
            '["cellar=info"]',
            '["rpc=loud"]',
            '["rpc"]',
            '"rpc=info"',
            "[1]",
        ):
            self.assertRaises(ConfigError, load, None, [f"log.levels={wrong}"], {})


class LogOutputTests(SynchronousTestCase):
    """The file of the log."""

    @override
    def setUp(self) -> None:
        """Have a log of its own."""
        self.path = Path(self.mktemp())
        self.publisher = LogPublisher()
        self.log = Logger(PERGOLA, observer=self.publisher)
        file = RotatingFile(self.path, largest=1_000_000, kept=1)
        self.output = LogOutput(Levels(), file, "json", self.publisher)
        self.output.log = Logger("rum_twisted.admin.logs", observer=self.publisher)
        self.addCleanup(self.output.stopService)

    def texts(self) -> list[str]:
        """Return what the file says."""
        return [json.loads(line)["text"] for line in self.path.read_text().splitlines()]

    def test_what_came_before_the_start(self) -> None:
        """It waits in memory, and comes first; nothing is opened before."""
        self.output.listen()
        self.log.info("before")
        self.assertFalse(self.path.exists())
        self.output.startService()
        self.log.info("after")
        self.log.debug("not said")
        self.assertEqual(self.texts(), ["before", "after"])

    def test_what_waits_is_bounded(self) -> None:
        """At the bound all is there; past it the oldest goes."""
        self.output.listen()
        for number in range(MOST_EARLY + 1):
            self.log.info("{number}", number=number)
        self.output.startService()
        self.assertEqual(
            self.texts(), [str(number) for number in range(1, MOST_EARLY + 1)]
        )

    def test_start_and_stop_twice(self) -> None:
        """Each event is written once, and none after the end."""
        for _ in range(2):
            self.output.startService()
            self.output.startService()
            self.log.info("said")
            self.output.stopService()
            self.output.stopService()
            self.log.info("not written")
        self.assertEqual(self.texts(), ["said"] * 2)

    def test_a_full_disk(self) -> None:
        """It is told once elsewhere, and told when it is over, with the loss."""
        elsewhere: list[str] = []
        self.publisher.addObserver(
            lambda event: elsewhere.append(event["log_format"])  # type: ignore[arg-type]
        )
        self.output.startService()
        self.path.symlink_to("/dev/full")
        for _ in range(3):
            self.log.info("lost")
        troubles = [text for text in elsewhere if "cannot be written" in text]
        self.assertEqual(len(troubles), 1)
        self.path.unlink()
        self.log.info("kept")
        self.assertEqual(self.texts()[0], "kept")
        self.assertIn("written again; 4 events are missing", self.texts()[1])
        families = {family.name: family.values for family in self.output.families()}
        self.assertEqual(families["rum_log_lost_events"], {(): 4})
        self.assertEqual(families["rum_log_events"][("info",)], 4)

    def test_text(self) -> None:
        """The same for people."""
        file = RotatingFile(self.path, largest=1_000_000, kept=1)
        output = LogOutput(Levels(), file, "text", self.publisher)
        self.addCleanup(output.stopService)
        output.startService()
        self.log.info("{callsign} is gone", callsign="KLM1")
        self.assertIn(f"[{PERGOLA}#info] KLM1 is gone\n", self.path.read_text())


class PlaceTests(SynchronousTestCase):
    """twistd's own place for the log."""

    @override
    def setUp(self) -> None:
        """Leave the signal as it was."""
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.getsignal(signal.SIGUSR1))
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        self.path = Path(self.mktemp())

    def observer(self, *, has_file: bool = False, **options: object) -> ILogObserver:
        """Return the observer that twistd is given."""
        make = observer_for(options, Levels(), has_file=has_file)
        assert make is not None
        return make()

    def test_the_choice_of_the_operator(self) -> None:
        """With --logger or --syslog nothing is put in its place."""
        for name in ("logger", "syslog"):
            self.assertIsNone(observer_for({name: "x"}, Levels(), has_file=True))

    def test_a_file_and_its_signal(self) -> None:
        """--logfile is written as ever, and SIGUSR1 begins a new one."""
        observer = self.observer(logfile=str(self.path))
        observer(event_of("one"))
        observer(event_of("quiet", "debug"))
        signal.raise_signal(signal.SIGUSR1)
        observer(event_of("two"))
        self.assertIn("two", self.path.read_text())
        self.assertNotIn("one", self.path.read_text())
        self.assertIn("one", Path(f"{self.path}.1").read_text())

    def test_a_daemon_on_a_terminal(self) -> None:
        """It has none, as twistd says itself."""
        self.assertRaises(SystemExit, self.observer, logfile="-")

    def test_a_daemon_with_a_file_of_its_own(self) -> None:
        """It writes no twistd.log; without one it does."""
        before = set(Path.cwd().iterdir())
        usual = signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        self.addCleanup(signal.signal, signal.SIGUSR1, usual)
        self.observer(has_file=True)(event_of("x"))
        self.assertEqual(set(Path.cwd().iterdir()), before)
        os.kill(os.getpid(), signal.SIGUSR1)  # which asks for a new file, and no more
        self.observer()(event_of("x"))
        self.assertEqual(
            {path.name for path in set(Path.cwd().iterdir()) - before}, {"twistd.log"}
        )
