"""What is done at each rung, in which order, and how it ends."""

import gc
import json
from pathlib import Path
from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.dump import MOST_FILES, read_dump
from rum_twisted.admin.http import Answer, Asked
from rum_twisted.control.lines import Refused
from rum_twisted.guard import guard
from rum_twisted.guard.guard import LONGEST_REHEARSAL, MOST_EVENTS
from rum_twisted.guard.questions import GuardQuestions
from rum_twisted.guard.rungs import RUNGS
from rum_twisted.session.door import ClosedTo
from rum_twisted.terms.units import Seconds
from tests.unit.guard.builders import AT_THE_START, MB, GuardRoom

CPU_PATIENCE = max(guard.CPU_PATIENCE)
DOWN = 100  # seconds; enough for every step down


class GuardTestCase(SynchronousTestCase):
    """A guard of a process that may have 100 MB, and has 40."""

    @override
    def setUp(self) -> None:
        """What is there already need not be counted."""
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        self.room = self.make()

    def make(self, **settings: Any) -> GuardRoom:
        """Return a room with a guard, which is stopped after the test."""
        room = GuardRoom(Path(self.mktemp()), **settings)
        self.addCleanup(room.guard.stopService)
        return room

    def sample(self) -> None:
        """Let a sample be taken; pulses are the test's."""
        self.room.sampler.startService()
        self.room.work()
        self.room.sampler.stopService()

    def words(self, events: Any) -> list[str]:
        """Return what the log says."""
        return [str(formatEvent(event)) for event in events]


class MemoryTests(GuardTestCase):
    """The ladder of memory."""

    def test_at_rest(self) -> None:
        """Nothing is done, and nobody is told."""
        self.room.use(69.9, seconds=50)
        self.assertEqual(self.room.take(), [])
        self.assertEqual(self.room.guard.in_force, ())
        self.assertEqual((self.room.audit, self.room.staff), ([], []))

    def test_each_rung(self) -> None:
        """At its percent: what is done, in the log, in the audit, for the staff."""
        self.room.parts.waiting = ["SLOW"]
        self.room.parts.needed = ["EDDF_TWR"]
        expected: tuple[tuple[str, int, list[str]], ...] = (
            ("shrink", 70, ["shrink"]),
            ("thin", 80, ["thin 30"]),
            ("observers", 85, []),
            ("logons", 87, []),
            ("cut", 90, ["cut SLOW"]),
            ("last", 95, ["everybody", "cut EDDF_TWR"]),
        )
        doors = {"observers": ClosedTo.OBSERVERS, "logons": ClosedTo.NEWCOMERS}
        door = ClosedTo.NOBODY
        for number, (name, percent, did) in enumerate(expected, start=1):
            self.room.use(percent - 0.1, seconds=5)
            self.room.take()
            with capturedLogs() as events:
                self.room.use(percent)
            found = self.room.take()
            self.assertEqual(len(found), len(did), (name, found))
            for one, begin in zip(found, did, strict=True):
                self.assertTrue(one.startswith(begin), (name, found))
            self.assertEqual(self.room.guard.in_force, tuple(RUNGS)[:number])
            door = doors.get(name, door)
            self.assertIs(self.room.door.closed_to, door, name)
            begin = f"guard: {name}: memory at {percent}.0 %"
            words = self.words(events)
            self.assertTrue(any(word.startswith(begin) for word in words), words)
            entry = f"{name}: memory at {percent}.0 % ({percent}.0 of 100.0 MB)"
            self.assertTrue(any(each.startswith(entry) for each in self.room.audit))
            self.assertIn(f"memory at {percent}.0 %", self.room.staff[-1])
            self.assertEqual(self.room.guard._levels()[0], number)  # noqa: SLF001 - the gauge

    def test_all_at_once_in_their_order(self) -> None:
        """However fast it grows."""
        self.room.use(99)
        told = [event["rung"] for event in self.room.guard.events]
        self.assertEqual(told[:6], list(RUNGS)[:6])

    def test_everything_ends(self) -> None:
        """Step by step, when there is room again."""
        self.room.use(99)
        self.room.take()
        with capturedLogs() as events:
            self.room.use(AT_THE_START, seconds=DOWN)
        self.assertEqual(self.room.guard.in_force, ())
        self.assertIs(self.room.door.closed_to, ClosedTo.NOBODY)
        did = [word for word in self.room.take() if word != "shrink"]
        self.assertEqual(did[0][:10], "everybody:")
        self.assertEqual(did[-1], "thin no more")
        over = [word.split()[1] for word in self.words(events) if "is over" in word]
        self.assertEqual(over, list(reversed(list(RUNGS)[:6])))
        self.assertIn("at rest again", self.room.staff[-1])

    def test_a_moments_peak(self) -> None:
        """One pulse is no reason below 90 %: a hash takes 9 MB for a moment."""
        self.room.use(89.9, seconds=1)
        self.room.use(AT_THE_START, seconds=1)
        self.assertEqual(self.room.take(), [])
        self.room.use(95.0, seconds=1)
        self.assertIn("last", self.room.guard.in_force)

    def test_no_flapping(self) -> None:
        """Who swings around a bound causes one entry."""
        for _ in range(50):
            self.room.use(71)
            self.room.use(68)
        self.assertEqual(len(self.room.audit), 1)

    def test_caches_shrink_again(self) -> None:
        """Every half minute, as long as it lasts."""
        self.room.use(75, seconds=62)
        self.assertEqual(self.room.take(), ["shrink"] * 3)
        self.assertEqual(self.room.guard.facts()["did"]["bytes_freed"], 300)

    def test_one_that_cannot_shrink(self) -> None:
        """It is a bug; all else goes on."""
        self.room.parts.is_broken = True
        self.room.use(82)
        self.assertEqual(self.room.guard.in_force, ("shrink", "thin"))
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))

    def test_nobody_is_cut_for_what_others_keep(self) -> None:
        """Who reads what he is sent stays, however long it lasts."""
        self.room.use(99, seconds=100)
        self.assertFalse([word for word in self.room.take() if word.startswith("cut")])

    def test_a_limit_below_the_start(self) -> None:
        """It is said, once, and nothing is done."""
        with capturedLogs() as events:
            room = self.make(memory_limit=30 * MB)
            room.use(41, seconds=50)
        self.assertEqual(room.take(), [])
        said = [word for word in self.words(events) if "less than this process" in word]
        self.assertEqual(len(said), 1)
        self.assertTrue(room.guard.facts()["memory"])

    def test_a_limit_near_the_start(self) -> None:
        """Percents are of the rest: a start is no reason to refuse anybody."""
        with capturedLogs() as events:
            room = self.make(memory_limit=50 * MB)
        self.assertIn("percents are of the rest", " ".join(self.words(events)))
        self.assertEqual(room.take(), [])
        room.use(48.1)
        self.assertEqual(room.guard.in_force, ("shrink", "thin"))
        self.assertIn("of what was left above 40 MB", room.audit[0])

    def test_a_limit_that_changes(self) -> None:
        """The log says so; a container may be given more, or less."""
        with capturedLogs() as events:
            self.room.use(40, used=40, limit=60)
            self.room.use(40, used=40, limit=58)
            self.room.use(40)
        said = [word for word in self.words(events) if "memory limit is" in word]
        self.assertEqual(len(said), 2)
        self.assertIn("group's memory limit is 60.0 MB", said[0])
        self.assertIn("group's memory limit is 58.0 MB", said[1])

    def test_two_limits_that_are_equally_near(self) -> None:
        """Each is told once, whichever is the nearer one just now."""
        with capturedLogs() as events:
            for _ in range(10):
                self.room.use(50, seconds=1, used=49, limit=100)
                self.room.use(50, seconds=1, used=51, limit=100)
        said = [word for word in self.words(events) if "memory limit is" in word]
        self.assertEqual(len(said), 1)

    def test_a_group_full_of_others(self) -> None:
        """It is said once, and nothing is done."""
        room = self.make(memory_limit=0)
        with capturedLogs() as events:
            room.use(40, used=95, limit=100, seconds=20)
        said = [word for word in self.words(events) if "of other processes" in word]
        self.assertEqual(len(said), 1)
        self.assertEqual(room.take(), [])

    def test_figures_that_vanish(self) -> None:
        """Without a figure there is no reason; it calms down in its time."""
        room = self.make(memory_limit=0)
        room.use(40, used=40, limit=100)
        room.use(90, used=90, limit=100)
        self.assertIn("cut", room.guard.in_force)
        room.use(None, seconds=DOWN)
        self.assertEqual(room.guard.in_force, ())

    def test_switched_off(self) -> None:
        """Nothing is done, and that is told."""
        room = self.make(enabled=False)
        room.sampler.startService()
        self.addCleanup(room.sampler.stopService)
        room.pass_time(3.0)
        self.assertIsNotNone(room.sampler.pulse)
        self.assertFalse(room.guard.facts()["enabled"])
        self.assertRaises(Refused, room.guard.rehearse, "thin", Seconds(1.0))

    def test_the_end(self) -> None:
        """A guard that stops lets go of everything; one that starts begins anew."""
        self.room.use(99)
        self.room.guard.stopService()
        self.assertIs(self.room.door.closed_to, ClosedTo.NOBODY)
        self.assertIn("thin no more", self.room.take())
        self.room.use(99)
        self.assertEqual(self.room.take(), [])
        self.room.guard.startService()
        self.room.use(99)
        self.assertIs(self.room.door.closed_to, ClosedTo.NEWCOMERS)

    def test_events_are_bounded(self) -> None:
        """However much happens."""
        for _ in range(MOST_EVENTS):
            self.room.use(99)
            self.room.use(AT_THE_START, seconds=DOWN)
        self.assertEqual(len(self.room.guard.events), MOST_EVENTS)


class SuspectTests(GuardTestCase):
    """Who has grown."""

    def test_the_owner_in_the_first_warning(self) -> None:
        """By how much, and in what time."""
        self.sample()
        self.room.kept = 30 * MB
        with capturedLogs() as events:
            self.room.use(70)
        words = [word for word in self.words(events) if "guard: shrink" in word]
        self.assertIn("owner 'plugin' has grown by 30.0 MB in 2 s, to 3", words[0])
        self.assertIn("'plugin' has grown by 30.0 MB", self.room.audit[0])

    def test_too_little_to_be_to_blame(self) -> None:
        """Who has grown by less than a megabyte is not named."""
        self.sample()
        self.room.kept = MB - 1
        self.room.use(70)
        self.assertNotIn("plugin", self.room.audit[0])

    def test_a_type_where_no_owner_has(self) -> None:
        """All objects are counted, and the type that has grown is named."""
        self.sample()
        kept = [Leaked() for _ in range(20_000)]
        with capturedLogs() as events:
            self.room.use(70)
            self.room.work()
        del kept
        words = [word for word in self.words(events) if "no owner has grown" in word]
        self.assertEqual(len(words), 1, self.words(events))
        self.assertIn("test_guard.Leaked' has grown by", words[0])
        suspect = self.room.guard.suspect
        assert suspect is not None
        self.assertFalse(suspect.is_owner)

    def test_what_can_be_done_without_is_ended(self) -> None:
        """In the last resort, if it is what has grown; the log says so."""
        self.sample()
        self.room.kept = 30 * MB
        with capturedLogs() as events:
            self.room.use(94.9)
            self.assertNotIn("end plugin", self.room.take())
            self.room.use(95)
        self.assertIn("end plugin", self.room.take())
        self.assertIn("guard: plugin is ended", " ".join(self.words(events)))
        self.assertEqual(self.room.guard.facts()["did"]["ended"], ["plugin"])

    def test_what_has_not_grown_is_not_ended(self) -> None:
        """And it is said that nothing can be."""
        self.sample()
        with capturedLogs() as events:
            self.room.use(95, seconds=25)
        self.assertNotIn("end plugin", self.room.take())
        said = [word for word in self.words(events) if "can be ended" in word]
        self.assertEqual(len(said), 3)  # every ten seconds


class Leaked:
    """Stands for whatever nobody has registered."""


class DumpTests(GuardTestCase):
    """The dumps that are written by themselves."""

    def test_at_70_and_at_85(self) -> None:
        """Each says why it was written."""
        self.room.use(70)
        self.room.work()
        self.assertEqual(len(self.room.dumps()), 1)
        self.room.use(85)
        self.room.work()
        reasons = [
            read_dump(self.room.folder / name)["reason"] for name in self.room.dumps()
        ]
        self.assertEqual(
            [reason[:29] for reason in reasons],
            ["guard: shrink: memory at 70.0", "guard: observers: memory at 8"],
        )

    def test_one_after_the_other(self) -> None:
        """Two reasons at the same moment make two dumps, and the second waits."""
        self.room.use(85)
        self.room.pass_time(5.0)
        self.room.work()
        self.assertGreaterEqual(len(self.room.dumps()), 1)
        self.assertEqual(self.room.guard._dumps_to_come, [])  # noqa: SLF001 - all written

    def test_not_again_and_again(self) -> None:
        """A leak that comes back each minute writes one each ten minutes."""
        for _ in range(10):
            self.room.use(70)
            self.room.work()
            self.room.use(AT_THE_START, seconds=60)
        self.assertLessEqual(len(self.room.dumps()), 2)

    def test_the_folder_does_not_fill(self) -> None:
        """The oldest go."""
        for _ in range(MOST_FILES + 3):
            self.room.use(70)
            self.room.work()
            self.room.use(AT_THE_START, seconds=700)
        self.assertEqual(len(self.room.dumps()), MOST_FILES)

    def test_a_folder_that_cannot_be_written(self) -> None:
        """A warning, and all else is done."""
        self.room.folder.write_text("a file is in the way")
        self.room.use(82)
        self.room.work()
        self.assertEqual(self.room.guard.in_force, ("shrink", "thin"))


class CpuTests(GuardTestCase):
    """The ladder of CPU."""

    def test_lag(self) -> None:
        """Longer turns, then fewer positions; nobody is cut or refused."""
        self.room.parts.waiting = ["SLOW"]
        self.room.use(40, lag=1.0, seconds=CPU_PATIENCE - 1)
        self.assertEqual(self.room.take(), [])
        self.room.use(40, lag=1.0, seconds=1)
        self.assertEqual(self.room.take(), ["turns 2"])
        self.room.use(40, lag=3.0, seconds=100)
        self.assertEqual(self.room.take(), ["thin 30"])
        self.assertIs(self.room.door.closed_to, ClosedTo.NOBODY)
        self.assertIn("turns: lag 1.00 s", self.room.audit[0])
        self.room.use(40, seconds=30)
        self.assertEqual(self.room.take(), ["thin no more", "turns 1"])

    def test_throttling(self) -> None:
        """Four fifths of a lag are enough while the process is made to stand still."""
        self.room.use(40, lag=0.8, throttled=0.59, seconds=20)
        self.assertEqual(self.room.take(), [])
        self.room.use(40, lag=0.8, throttled=0.61, seconds=CPU_PATIENCE)
        self.assertEqual(self.room.take(), ["turns 2"])
        self.room.use(40, lag=2.4, throttled=0.61, seconds=CPU_PATIENCE)
        self.assertEqual(self.room.take(), ["thin 30"])
        self.assertIn("standing still 61 %", self.room.audit[0])

    def test_below(self) -> None:
        """A busy server in a small box is as usual: it stands still nearly always."""
        self.room.use(40, lag=0.79, throttled=1.0, seconds=100)
        self.room.use(40, lag=0.99, throttled=0.5, seconds=100)
        self.assertEqual(self.room.take(), [])

    def test_both_ladders(self) -> None:
        """What one has begun goes on until the other has no reason any more."""
        self.room.use(81)
        self.room.use(81, lag=4.0, seconds=CPU_PATIENCE)
        self.assertEqual(self.room.take(), ["shrink", "thin 30", "turns 2"])
        self.room.use(40, lag=4.0, seconds=DOWN)
        self.assertNotIn("thin no more", self.room.take())
        self.room.use(40, seconds=DOWN)
        self.assertEqual(self.room.take(), ["thin no more", "turns 1"])


class RehearsalTests(GuardTestCase):
    """A rung that is rehearsed."""

    def test_with_its_end(self) -> None:
        """Those below it count as well; it ends by itself."""
        found = self.room.guard.rehearse("logons", Seconds(30.0))
        self.assertEqual(found["in_force"], ["shrink", "thin", "observers", "logons"])
        self.assertIs(self.room.door.closed_to, ClosedTo.NEWCOMERS)
        self.room.use(40, seconds=29)
        self.assertIs(self.room.door.closed_to, ClosedTo.NEWCOMERS)
        self.room.use(40, seconds=2)
        self.assertIs(self.room.door.closed_to, ClosedTo.NOBODY)
        self.assertEqual(self.room.guard.in_force, ())
        self.assertEqual(
            self.room.audit,
            [
                "logons: rehearsal of logons for 30 s",
                "logons: rehearsal of logons is over: its time is over",
            ],
        )

    def test_nobody_is_cut_and_nothing_ended(self) -> None:
        """It is told whom it would hit; everybody reads that it is a rehearsal."""
        self.sample()
        self.room.kept = 30 * MB
        self.room.parts.waiting = ["SLOW"]
        found = self.room.guard.rehearse("last", Seconds(30.0))
        self.assertEqual(found["would_cut"], ["SLOW"])
        self.assertEqual(found["suspect"]["name"], "plugin")
        self.room.use(40, seconds=20)
        did = self.room.take()
        self.assertNotIn("cut SLOW", did)
        self.assertNotIn("end plugin", did)
        self.assertIn("rehearsal", " ".join(did))
        self.room.work()
        self.assertEqual(len(self.room.dumps()), 1)

    def test_ended_sooner(self) -> None:
        """At once."""
        self.room.guard.rehearse("spare", Seconds(600.0))
        self.assertEqual(self.room.take(), ["thin 30", "turns 2"])
        self.room.guard.end_rehearsal()
        self.assertEqual(self.room.take(), ["thin no more", "turns 1"])
        self.assertRaises(Refused, self.room.guard.end_rehearsal)

    def test_while_a_rung_is_really_reached(self) -> None:
        """Its end takes away what was rehearsed, and leaves what is real."""
        self.room.use(82)
        self.room.take()
        self.room.guard.rehearse("logons", Seconds(30.0))
        self.assertNotIn("thin 30", self.room.take())
        self.room.guard.end_rehearsal()
        self.assertEqual(self.room.guard.in_force, ("shrink", "thin"))
        self.assertNotIn("thin no more", self.room.take())

    def test_what_is_real_is_not_rehearsed(self) -> None:
        """Nobody reads that memory is not short while it is."""
        self.room.use(82)
        self.room.take()
        for name in ("thin", "last"):
            self.assertRaises(Refused, self.room.guard.rehearse, name, Seconds(30.0))
        self.assertEqual(self.room.take(), [])
        self.assertIsNone(self.room.guard.facts()["rehearsal"])

    def test_a_rung_that_becomes_real_meanwhile(self) -> None:
        """Then it is told, noted and done as ever, and outlasts the rehearsal."""
        self.room.parts.waiting = ["SLOW"]
        self.room.guard.rehearse("cut", Seconds(30.0))
        self.room.use(91, seconds=40)
        self.assertIn("cut SLOW", self.room.take())
        self.assertTrue(any(e.startswith("cut: memory at") for e in self.room.audit))
        self.assertIn("cut", self.room.guard.in_force)
        self.assertIsNone(self.room.guard.facts()["rehearsal"])

    def test_refusals(self) -> None:
        """An unknown rung, too long, two at a time, a guard that has ended."""
        guard = self.room.guard
        self.assertRaises(Refused, guard.rehearse, "nothing", Seconds(1.0))
        self.assertRaises(Refused, guard.rehearse, "thin", Seconds(0.0))
        longer = Seconds(LONGEST_REHEARSAL + 0.1)
        self.assertRaises(Refused, guard.rehearse, "thin", longer)
        guard.rehearse("thin", LONGEST_REHEARSAL)
        self.assertRaises(Refused, guard.rehearse, "cut", Seconds(1.0))
        guard.stopService()
        self.assertRaises(Refused, guard.rehearse, "thin", Seconds(1.0))


class QuestionTests(GuardTestCase):
    """What an operator asks."""

    def test_where_we_stand(self) -> None:
        """The same over the control socket and over HTTP; JSON holds it."""
        questions = GuardQuestions(self.room.guard)
        self.room.use(86)
        facts = questions.commands["guard.status"]({})
        answer = questions.pages["/guard.json"](Asked())
        assert isinstance(answer, Answer)
        self.assertEqual(json.loads(answer.body), json.loads(json.dumps(facts)))
        self.assertEqual(facts["in_force"], ["shrink", "thin", "observers"])
        rungs = {rung["name"]: rung for rung in facts["rungs"]}
        self.assertEqual(set(rungs), set(RUNGS))
        self.assertEqual(rungs["thin"]["times"], 1)
        self.assertIsNotNone(rungs["thin"]["since"])
        self.assertIsNone(rungs["cut"]["since"])
        self.assertEqual(rungs["spare"]["bounds"]["lag_s"], 3.0)
        self.assertEqual(round(facts["memory"]["percent"]), 86)

    def test_a_rehearsal(self) -> None:
        """By its rung and seconds; what is neither is refused."""
        commands = GuardQuestions(self.room.guard).commands
        wrong: tuple[dict[str, object], ...] = (
            {},
            {"rung": 7},
            {"rung": "thin", "seconds": "x"},
            {"rung": "thin", "seconds": True},
            {"rung": "thin", "by": 7},
            {"rung": "thin", "by": "x" * 201},
            {"rung": "thin", "by": "a\nb"},
        )
        for asked in wrong:
            self.assertRaises(Refused, commands["guard.rehearse"], asked)
        found = commands["guard.rehearse"](
            {"rung": "thin", "seconds": 5, "by": "joe at pts/1"}
        )
        self.assertIn("for 5 s, asked for by joe at pts/1", self.room.audit[-1])
        self.assertEqual(found["in_force"], ["shrink", "thin"])
        commands["guard.end"]({})
        self.assertEqual(self.room.guard.in_force, ())

    def test_repr(self) -> None:
        """The manhole shows what is in force."""
        self.assertEqual(repr(self.room.guard), "<Guard: at rest>")
        self.room.use(81)
        self.assertEqual(repr(self.room.guard), "<Guard: shrink, thin>")

    def test_reports_count_while_they_are_kept_back(self) -> None:
        """Not only once they are thinned no more."""
        self.room.use(81)
        self.room.parts.kept_back = 7
        families = {each.name: each for each in self.room.guard.families()}
        found = families["rum_guard_reports_kept_back"].values
        self.assertEqual(found, {(): 7})

    def test_the_samples_know(self) -> None:
        """So that the hour before an incident tells what was done in it."""
        self.room.use(86)
        self.sample()
        gauges = self.room.sampler.samples()[-1].gauges
        self.assertEqual((gauges["guard_memory"], gauges["guard_cpu"]), (3.0, 0.0))
