"""A file of reports that changes while the server runs."""

import os
from pathlib import Path, PosixPath
from typing import NoReturn

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.weather.source import (
    CHECK_INTERVAL,
    LARGEST_FILE,
    LINES_PER_TURN,
    LONGEST_REPORT,
    MetarFile,
)

SCHIPHOL = "EHAM 101225Z 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG"
ROTTERDAM = "EHRD 101225Z 24010KT 9999 FEW020 13/08 Q1013 NOSIG"


class FileTestCase(SynchronousTestCase):
    """A source that is started on a file of one report."""

    @override
    def setUp(self) -> None:
        """Start a source and let it read."""
        self.path = Path(self.mktemp())
        self.path.write_text(SCHIPHOL + "=\n")
        self.clock = Clock()
        self.weather = MetarFile(self.path, self.clock)
        self.weather.startService()
        self.addCleanup(self.weather.stopService)
        self.clock.advance(0)

    def replace_file(self, text: str | bytes) -> None:
        """Put another file in the place of the old one, as a good writer does."""
        beside = Path(self.mktemp())
        beside.write_bytes(text if isinstance(text, bytes) else text.encode("latin-1"))
        beside.rename(self.path)

    def look_up(self, station: str = "EHAM") -> Deferred[str | None]:
        """Look a report up, and let the reading that this may begin end."""
        deferred = self.weather.metar(station)
        self.clock.advance(0)
        return deferred

    def report(self, station: str = "EHAM") -> str | None:
        """Return a report."""
        return self.successResultOf(self.look_up(station))

    def report_of(self, text: str | bytes, station: str = "EHAM") -> str | None:
        """Return a report from a file with ``text``, after the next check."""
        self.replace_file(text)
        self.clock.advance(CHECK_INTERVAL)
        return self.report(station)


class FormatTests(FileTestCase):
    """What is found in a file."""

    def test_continuation_lines_belong_to_the_report(self) -> None:
        """A report over several lines is one report."""
        text = f"{SCHIPHOL}\n      TEMPO 1500 TSRA and more words=\n{ROTTERDAM}=\n"
        self.assertEqual(
            self.report_of(text), SCHIPHOL + " TEMPO 1500 TSRA and more words"
        )
        self.assertEqual(self.report("EHRD"), ROTTERDAM)

    def test_lines_that_are_no_reports_are_skipped(self) -> None:
        """Dates, headings and empty lines between the reports do no harm."""
        text = f"\n2026/11/10 12:25\nEHRD 101225Z NIL=\n{SCHIPHOL}\n\n"
        self.assertEqual(self.report_of(text), SCHIPHOL)
        self.assertIsNone(self.report("EHRD"))

    def test_later_report_of_a_station_counts(self) -> None:
        """A correction stands below what it corrects."""
        newer = SCHIPHOL.replace("101225Z", "101255Z")
        text = f"{SCHIPHOL}\n{ROTTERDAM}\n{newer}\n"
        self.assertEqual(self.report_of(text), newer)

    def test_last_line_needs_no_line_end(self) -> None:
        """A file whose last line is not ended is whole."""
        self.assertEqual(self.report_of(f"{ROTTERDAM}\n{SCHIPHOL}"), SCHIPHOL)

    def test_any_bytes_are_read(self) -> None:
        """A file in any encoding, or of none, does no harm."""
        every_byte = bytes(range(256)) * 4
        text = every_byte + b"\n" + SCHIPHOL.encode() + b" RMK \xd6\xd0\n" + every_byte
        self.assertEqual(self.report_of(text), SCHIPHOL + " RMK \xd6\xd0")

    def test_endless_report_is_cut(self) -> None:
        """No report is longer than an answer can be."""
        text = SCHIPHOL + " X" * 5000 + "\n" + ROTTERDAM + "\n"
        report = self.report_of(text)
        assert report is not None
        self.assertTrue(report.startswith(SCHIPHOL))
        self.assertLessEqual(len(report), LONGEST_REPORT)
        self.assertEqual(self.report("EHRD"), ROTTERDAM)

    def test_many_stations_are_told_apart(self) -> None:
        """Of 3,000 stations, in no order, each has its own report."""
        names = [f"{number * 7919 % 10000:04}" for number in range(3000)]
        text = "".join(f"{name} 101225Z 24012KT 9999 12/08 Q1013\n" for name in names)
        self.report_of(text)
        for name in names:
            report = self.report(name)
            assert report is not None
            self.assertEqual(report[:4], name)
        self.assertIsNone(self.report("ABCD"))


class ChangeTests(FileTestCase):
    """A file that is renewed."""

    def test_change_is_seen_by_the_next_look_up(self) -> None:
        """A second after the last check, a look-up sees the new file."""
        self.replace_file(ROTTERDAM + "\n")
        self.clock.advance(1)
        self.assertEqual(self.report("EHRD"), ROTTERDAM)
        self.assertIsNone(self.report("EHAM"))

    def test_look_ups_check_at_most_once_a_second(self) -> None:
        """However many ask, the file is looked at once in a second."""
        self.replace_file(ROTTERDAM + "\n")
        self.clock.advance(0.9)
        self.assertIsNone(self.report("EHRD"))

    def test_old_place_in_a_new_file_is_no_report(self) -> None:
        """Another station's report is never given for the one asked for."""
        self.replace_file(ROTTERDAM + "\n")
        self.assertIsNone(self.report("EHAM"))

    def test_change_is_seen_without_look_ups(self) -> None:
        """The file is read again on its own, and the log tells the operator."""
        with capturedLogs() as events:
            self.replace_file(f"{SCHIPHOL}\n{ROTTERDAM}\n")
            self.clock.advance(CHECK_INTERVAL)
            self.clock.advance(0)
        self.assertEqual([event["reports"] for event in events], [2])
        self.assertEqual([event["log_level"] for event in events], [LogLevel.info])

    def test_file_written_in_place_is_seen(self) -> None:
        """A writer that does not rename is understood, too."""
        self.path.write_text(ROTTERDAM + "\n")
        self.clock.advance(1)
        self.assertEqual(self.report("EHRD"), ROTTERDAM)

    def test_same_time_and_size_but_another_file_is_seen(self) -> None:
        """A writer that copies time stamps is understood."""
        status = self.path.stat()
        self.replace_file(SCHIPHOL.replace("24012G22KT", "25012G22KT") + "=\n")
        os.utime(self.path, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.clock.advance(1)
        report = self.report()
        assert report is not None
        self.assertIn("25012G22KT", report)

    def test_refresh(self) -> None:
        """An operator has it read at once; not twice at the same time."""
        self.assertEqual(self.weather.stations(), 1)
        self.replace_file(f"{SCHIPHOL}\n{ROTTERDAM}\n")
        begun = [self.weather.refresh() for _ in range(2)]
        self.assertEqual(begun, [True, False])
        self.clock.advance(0)
        self.assertEqual(self.weather.stations(), 2)
        self.assertEqual([self.weather.refresh()], [True])
        self.clock.advance(0)

    def test_unchanged_file_is_not_read_again(self) -> None:
        """Checks of a file that is as it was cost one look and no more."""
        with capturedLogs() as events:
            self.clock.pump([CHECK_INTERVAL] * 5)
        self.assertEqual(events, [])


class TroubleTests(FileTestCase):
    """A file that cannot be read."""

    def test_missing_file_has_no_reports(self) -> None:
        """Without its file a source knows nobody's weather."""
        self.path.unlink()
        self.clock.advance(CHECK_INTERVAL)
        self.assertIsNone(self.report())

    def test_file_that_goes_between_two_checks_has_no_reports(self) -> None:
        """A look-up in the moment of the loss is no error."""
        self.path.unlink()
        self.assertIsNone(self.report())

    def test_missing_file_is_logged_once(self) -> None:
        """An operator is warned once, and told when all is well again."""
        with capturedLogs() as events:
            self.path.unlink()
            self.clock.pump([CHECK_INTERVAL] * 5)
            self.path.write_text(SCHIPHOL + "\n")
            self.clock.advance(CHECK_INTERVAL)
            self.clock.advance(0)
        self.assertEqual(
            [event["log_level"] for event in events], [LogLevel.warn, LogLevel.info]
        )
        self.assertEqual(events[0]["trouble"], "No such file or directory")
        self.assertEqual(self.report(), SCHIPHOL)

    def test_same_file_that_comes_back_is_read_again(self) -> None:
        """A file moved away and back has its reports again."""
        aside = self.path.rename(self.mktemp())
        self.clock.advance(CHECK_INTERVAL)
        aside.rename(self.path)
        self.clock.advance(CHECK_INTERVAL)
        self.assertEqual(self.report(), SCHIPHOL)

    def test_what_is_no_plain_file_is_not_opened(self) -> None:
        """A pipe in the file's place is a trouble, and holds nobody up."""
        self.path.unlink()
        os.mkfifo(self.path)
        with capturedLogs() as events:
            self.clock.advance(CHECK_INTERVAL)
        self.assertEqual([event["trouble"] for event in events], ["not a plain file"])
        self.assertIsNone(self.report())

    def test_huge_file_is_refused(self) -> None:
        """A file above the bound is not read; one at the bound is."""
        with self.path.open("ab") as file:
            file.truncate(LARGEST_FILE)
        self.clock.advance(CHECK_INTERVAL)
        self.assertEqual(self.report(), SCHIPHOL)
        with self.path.open("ab") as file:
            file.truncate(LARGEST_FILE + 1)
        with capturedLogs() as events:
            self.clock.advance(CHECK_INTERVAL)
        self.assertEqual([event["trouble"] for event in events], ["File too large"])
        self.assertIsNone(self.report())

    def test_path_that_no_file_can_have_ends_no_checks(self) -> None:
        """Even what nobody thought of is logged, and the checks go on."""
        weather = MetarFile(Path("metar\0txt"), self.clock)
        weather.startService()
        self.addCleanup(weather.stopService)
        self.clock.advance(CHECK_INTERVAL)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)
        self.assertIsNone(self.successResultOf(weather.metar("EHAM")))

    def test_file_that_goes_before_it_is_read_is_missed(self) -> None:
        """A file that was there a moment ago is a trouble like any other."""
        self.replace_file(ROTTERDAM + "\n")
        self.clock.advance(1)
        deferred = self.weather.metar("EHRD")
        self.path.unlink()
        with capturedLogs() as events:
            self.clock.advance(0)
        self.assertIsNone(self.successResultOf(deferred))
        self.assertEqual([event["log_level"] for event in events], [LogLevel.warn])

    def test_fault_while_reading_is_logged_and_reading_is_tried_again(self) -> None:
        """What nobody thought of shows in the log, each time it happens."""
        weather = MetarFile(OddPath(self.path), self.clock)
        weather.startService()
        self.addCleanup(weather.stopService)
        for seconds in (0, CHECK_INTERVAL, CHECK_INTERVAL):
            self.clock.advance(seconds)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class OddPath(PosixPath):
    """The path of a file that is there and cannot be opened, for no known reason."""

    @override
    def open(self, *_: object, **__: object) -> NoReturn:
        """Fail as nothing in a file system does."""
        raise ZeroDivisionError


class TurnsTests(FileTestCase):
    """Reading in steps."""

    @override
    def setUp(self) -> None:
        """Put a file in place that takes several turns to read."""
        super().setUp()
        self.replace_file(
            f"{ROTTERDAM}\n" + "heading\n" * 3 * LINES_PER_TURN + f"{SCHIPHOL}\n"
        )
        self.clock.advance(1)

    def test_big_file_is_read_over_several_turns(self) -> None:
        """Others are served between the steps; who asks meanwhile waits."""
        first = self.weather.metar("EHAM")
        second = self.weather.metar("EHRD")
        answered: list[bool] = []
        self.clock.callLater(0, lambda: answered.append(first.called))
        self.clock.advance(0)
        self.assertEqual(answered, [False])
        self.assertEqual(self.successResultOf(first), SCHIPHOL)
        self.assertEqual(self.successResultOf(second), ROTTERDAM)

    def test_waiting_look_up_can_be_cancelled(self) -> None:
        """A client who leaves takes his question with him; the others wait on."""
        gone = self.weather.metar("EHAM")
        waiting = self.weather.metar("EHAM")
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(waiting), SCHIPHOL)

    def test_stopping_ends_every_wait(self) -> None:
        """Nobody waits for a source that was stopped."""
        deferred = self.weather.metar("EHAM")
        self.weather.stopService()
        self.assertIsNone(self.successResultOf(deferred))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.weather.startService()
        self.assertEqual(self.report(), SCHIPHOL)


class ServiceTests(FileTestCase):
    """A source's life."""

    def test_name_is_weather(self) -> None:
        """The tree of services finds it by its name."""
        self.assertEqual(self.weather.name, "weather")

    def test_starting_and_stopping_twice_leaves_nothing_behind(self) -> None:
        """After each stop there is no timer; after each start there are reports."""
        for _ in range(2):
            self.weather.stopService()
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.weather.startService()
            self.assertEqual(self.report(), SCHIPHOL)

    def test_source_that_was_not_started_knows_nothing(self) -> None:
        """Before the start no file is touched and no timer is set."""
        clock = Clock()
        weather = MetarFile(self.path, clock)
        self.assertIsNone(self.successResultOf(weather.metar("EHAM")))
        weather.stopService()
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_repr_tells_the_file_and_how_many_reports(self) -> None:
        """An operator at the manhole sees what is known."""
        self.assertEqual(repr(self.weather), f"<MetarFile {self.path}: 1 reports>")
