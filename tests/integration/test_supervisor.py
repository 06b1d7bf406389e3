"""The supervisor of a stack, with real processes that do next to nothing."""

import errno
import os
import select
import time
from collections.abc import Callable
from functools import partial
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.stack.compose import HealthPlan
from rum_twisted.stack.machine import Process
from rum_twisted.stack.supervisor import (
    LONGEST_PAUSE,
    MOST_LOGS,
    MOST_WORDS,
    Supervisor,
    Watched,
)
from rum_twisted.terms.units import Seconds
from tests.support.twistd import PATIENCE

FOREVER = "exec sleep 600"


class SupervisorTestCase(SynchronousTestCase):
    """A supervisor whose turns are taken by the test."""

    @override
    def setUp(self) -> None:
        """Make a folder."""
        self.folder = Path(self.mktemp()).absolute()
        self.told: list[Any] = []

    def process(self, name: str, script: str, **changes: Any) -> Process:
        """Return a process that runs a script."""
        facts: dict[str, Any] = {
            "name": name,
            "command": ("/bin/sh", "-c", script),
            "environ": {"PATH": os.environ["PATH"]},
            "folder": self.folder / name,
            "stop_grace": Seconds(PATIENCE),
            "restart": "always",
        }
        return Process(**{**facts, **changes})

    def health(self, script: str, **changes: Any) -> HealthPlan:
        """Return how a script tells whether a process is well."""
        facts: dict[str, Any] = {
            "interval": Seconds(0.05),
            "timeout": Seconds(PATIENCE),
            "start_interval": Seconds(0.05),
            "start_period": Seconds(PATIENCE),
        }
        command = ("/bin/sh", "-c", script)
        return HealthPlan(command=command, **{**facts, **changes})

    def supervise(self, *processes: Process) -> Supervisor:
        """Return a supervisor of these; they end with the test."""
        supervisor = Supervisor(processes, self.folder / "logs", self.told.append, None)
        self.addCleanup(self.end, supervisor)
        return supervisor

    def end(self, supervisor: Supervisor) -> None:
        """End all that still run."""
        for watched in supervisor.watched.values():
            if watched.pid is not None:
                os.kill(watched.pid, 9)
        supervisor.stop()
        self.until(supervisor, lambda: supervisor.has_ended)

    def until(self, supervisor: Supervisor, is_so: Callable[[], bool]) -> None:
        """Take turns until something is so."""
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            if time.monotonic() > deadline:
                raise AssertionError(repr(supervisor))
            select.select([], [], [], min(0.02, supervisor.turn()))

    def only(self, process: Process) -> tuple[Supervisor, Watched]:
        """Return a supervisor of one process, and that."""
        supervisor = self.supervise(process)
        return supervisor, supervisor.watched[process.name]


class StartTests(SupervisorTestCase):
    """Who is started when."""

    def test_whoever_needs_others_waits_until_they_are_well(self) -> None:
        """Whoever only has to be there is not waited for longer."""
        well = self.folder / "well"
        store = self.process("store", FOREVER, health=self.health(f"test -e {well}"))
        front = self.process("front", FOREVER, healthy_before=("store",))
        gauge = self.process("gauge", FOREVER, started_before=("store",))
        supervisor = self.supervise(store, front, gauge)
        watched = supervisor.watched
        self.until(supervisor, lambda: watched["gauge"].pid is not None)
        self.assertEqual(watched["store"].health, "starting")
        self.assertEqual(watched["front"].state, "waiting")
        well.touch()
        self.until(supervisor, lambda: watched["front"].pid is not None)
        self.assertTrue(watched["store"].is_well)
        names = [each["name"] for each in self.told[-1]]
        self.assertEqual(names, ["store", "front", "gauge"])

    def test_files_and_words(self) -> None:
        """Its files are there before; what it prints is for its owner's eyes."""
        path = self.folder / "a" / "a.yml"
        process = self.process("a", f"cat a.yml; {FOREVER}", files=((path, "x: 1"),))
        supervisor, _ = self.only(process)
        log = self.folder / "logs" / "a.out"
        self.until(supervisor, lambda: log.exists() and log.read_text() == "x: 1")
        self.assertEqual(log.stat().st_mode & 0o777, 0o600)

    def test_a_program_that_is_not_there(self) -> None:
        """It is said, and tried again, for it may come."""
        supervisor, watched = self.only(self.process("a", "", command=("/none",)))
        supervisor.turn()
        self.assertEqual((watched.state, watched.last_exit), ("resting", 127))
        self.assertIn("/none", (self.folder / "logs" / "a.out").read_text())


class EndTests(SupervisorTestCase):
    """What becomes of a process that ends by itself."""

    def test_it_is_started_again(self) -> None:
        """How often, and how it ended, is told."""
        supervisor, watched = self.only(self.process("a", "exit 3"))
        self.until(supervisor, lambda: watched.restarts >= 3)
        self.assertEqual(watched.last_exit, 3)
        self.assertGreater(self.told[-1][0]["restarts"], 1)

    def test_killed(self) -> None:
        """So is one that was killed; it has another number then."""
        supervisor, watched = self.only(self.process("a", FOREVER))
        supervisor.turn()
        first = watched.pid
        assert first is not None, "it runs"
        os.kill(first, 9)
        self.until(supervisor, lambda: watched.pid not in (None, first))
        self.assertEqual((watched.restarts, watched.last_exit), (1, -9))

    def test_what_it_has_started_ends_with_it(self) -> None:
        """Otherwise its successor would find its port taken."""
        child = self.folder / "child"
        script = f"sleep 600 & echo $! > {child}; exit 0"
        supervisor, watched = self.only(self.process("a", script, restart="no"))
        self.until(supervisor, lambda: watched.state == "ended")
        number = int(child.read_text())
        self.until(supervisor, lambda: not self.lives(number))

    def lives(self, number: int) -> bool:
        """Tell whether a process lives."""
        try:
            text = Path(f"/proc/{number}/stat").read_text("ascii")
        except (FileNotFoundError, ProcessLookupError):
            return False
        return text.rpartition(")")[2].split()[0] != "Z"

    def has_exit(self, watched: Watched) -> bool:
        """Tell whether a process has ended once."""
        return watched.last_exit is not None

    def test_wishes(self) -> None:
        """Not everything is started again."""
        for restart, script, state in (
            ("no", "exit 1", "ended"),
            ("on-failure", "exit 0", "ended"),
            ("on-failure", "exit 1", "resting"),
            ("unless-stopped", "exit 0", "resting"),
        ):
            process = self.process("a", script, restart=restart)
            supervisor, watched = self.only(process)
            self.until(supervisor, partial(self.has_exit, watched))
            self.assertEqual(watched.state, state, (restart, script))


class PauseTests(SupervisorTestCase):
    """How long it is waited before a start; the test's clock says when."""

    def test_pauses_grow_up_to_a_bound(self) -> None:
        """A process that never holds costs less and less."""
        process = self.process("a", "", command=("/none",))
        self.folder.mkdir()
        watched = Watched(process, None, self.folder / "a.out")
        now = 0.0
        starts: list[float] = []
        while now < 100:
            before = (self.folder / "a.out").stat().st_size if starts else 0
            watched.turn(now, {})
            if (self.folder / "a.out").stat().st_size > before:
                starts.append(now)
            now += 0.01
        pauses = [round(b - a, 1) for a, b in pairwise(starts)]
        self.assertEqual(pauses[:7], [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4])
        self.assertEqual(set(pauses[7:]), {LONGEST_PAUSE})


class HealthTests(SupervisorTestCase):
    """How a process says that it is well."""

    def test_well_ill_and_well_again(self) -> None:
        """One bad answer is none; so many in a row are."""
        well = self.folder / "well"
        plan = self.health(f"test -e {well}", retries=3)
        supervisor, watched = self.only(self.process("a", FOREVER, health=plan))
        self.folder.joinpath("a").mkdir(parents=True)
        well.touch()
        self.until(supervisor, lambda: watched.health == "healthy")
        well.unlink()
        self.until(supervisor, lambda: watched.health == "unhealthy")
        self.assertFalse(watched.is_well)
        well.touch()
        self.until(supervisor, lambda: watched.health == "healthy")
        self.assertEqual(watched.restarts, 0)

    def test_a_start_that_takes_too_long(self) -> None:
        """Only past its time a bad answer counts."""
        plan = self.health("exit 1", retries=2, start_period=Seconds(0.0))
        supervisor, watched = self.only(self.process("a", FOREVER, health=plan))
        self.until(supervisor, lambda: watched.health == "unhealthy")

    def test_a_question_that_is_never_answered(self) -> None:
        """It is given up, and so counts as a bad answer."""
        plan = self.health(
            FOREVER, retries=1, timeout=Seconds(0.1), start_period=Seconds(0.0)
        )
        supervisor, watched = self.only(self.process("a", FOREVER, health=plan))
        self.until(supervisor, lambda: watched.health == "unhealthy")


class StopTests(SupervisorTestCase):
    """The end of a stack."""

    def test_whoever_is_needed_ends_last(self) -> None:
        """Each has its time, and the next one begins when it has ended."""
        order = self.folder / "order"
        script = (
            f"trap 'echo %s >> {order}; exit' TERM; "
            "echo up; while :; do sleep 0.02; done"
        )
        store = self.process("store", script % "store")
        front = self.process("front", script % "front", started_before=("store",))
        supervisor = self.supervise(store, front)
        logs = self.folder / "logs"
        self.until(
            supervisor,
            lambda: all(
                (logs / f"{name}.out").exists() and (logs / f"{name}.out").read_text()
                for name in ("store", "front")
            ),
        )
        supervisor.stop()
        self.until(supervisor, lambda: supervisor.has_ended)
        self.assertEqual(order.read_text().split(), ["front", "store"])
        self.assertTrue(all(each["pid"] is None for each in self.told[-1]))

    def test_one_that_does_not_want_to_end(self) -> None:
        """When its time is over, it is killed."""
        script = "trap '' TERM; echo up; while :; do sleep 0.02; done"
        process = self.process("a", script, stop_grace=Seconds(0.2))
        supervisor, watched = self.only(process)
        log = self.folder / "logs" / "a.out"
        self.until(supervisor, lambda: log.exists() and log.read_text() != "")
        supervisor.stop()
        self.until(supervisor, lambda: supervisor.has_ended)
        self.assertEqual(watched.last_exit, -9)

    def test_one_that_rests(self) -> None:
        """It is not started any more."""
        supervisor, watched = self.only(self.process("a", "", command=("/none",)))
        supervisor.turn()
        supervisor.stop()
        supervisor.turn()
        self.assertTrue(supervisor.has_ended)
        self.assertEqual(watched.state, "ended")


class FullDiskTests(SupervisorTestCase):
    """What cannot be written ends nobody."""

    def test_nobody_can_be_told(self) -> None:
        """They run on, that is said once, and all is told when there is room again."""
        has_room = False

        def tell(facts: Any) -> None:
            if not has_room:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.told.append(facts)

        words = StringIO()
        supervisor = Supervisor(
            (self.process("a", FOREVER),),
            self.folder / "logs",
            tell,
            None,
            complaints=words,
        )
        self.addCleanup(self.end, supervisor)
        watched = supervisor.watched["a"]
        self.until(supervisor, lambda: watched.state == "running")
        for _ in range(3):
            supervisor.turn()
        self.assertEqual(words.getvalue().count("No space left"), 1)
        has_room = True
        supervisor.turn()
        self.assertEqual(self.told[-1][0]["state"], "running")

    def test_one_cannot_be_started(self) -> None:
        """It is tried again, and the others are not touched."""
        place = self.folder / "a"
        self.folder.mkdir()
        place.touch()  # no folder can be made there
        supervisor = self.supervise(
            self.process("a", FOREVER), self.process("b", FOREVER)
        )
        first, second = (supervisor.watched[name] for name in ("a", "b"))
        self.until(supervisor, lambda: second.state == "running")
        self.assertEqual((first.state, first.pid), ("resting", None))
        place.unlink()
        self.until(supervisor, lambda: first.state == "running")

    def test_its_words_cannot_be_kept(self) -> None:
        """As above, where its file is in the way."""
        log = self.folder / "logs" / "a.out"
        log.mkdir(parents=True)
        supervisor, watched = self.only(self.process("a", FOREVER))
        self.until(supervisor, lambda: watched.state == "resting")
        log.rmdir()
        self.until(supervisor, lambda: watched.state == "running")


class TidyTests(SupervisorTestCase):
    """What a stack that runs for years leaves on the disk."""

    def test_words_are_bounded(self) -> None:
        """At the bound they stay, past it they go."""
        _, watched = self.only(self.process("a", FOREVER))
        log = self.folder / "logs" / "a.out"
        log.touch()
        os.truncate(log, MOST_WORDS)
        watched.tidy()
        self.assertEqual(log.stat().st_size, MOST_WORDS)
        os.truncate(log, MOST_WORDS + 1)
        watched.tidy()
        self.assertEqual(log.stat().st_size, 0)

    def test_logs_are_bounded(self) -> None:
        """Only the newest that twistd has turned over stay, and only its own go."""
        _, watched = self.only(self.process("a", FOREVER))
        logs = self.folder / "logs"
        for name in ("1", str(MOST_LOGS), str(MOST_LOGS + 1), "old"):
            (logs / f"a.log.{name}").touch()
        (logs / "b.log.99").touch()
        watched.tidy()
        left = {path.name for path in logs.iterdir()}
        self.assertEqual(
            left, {"a.log.1", f"a.log.{MOST_LOGS}", "a.log.old", "b.log.99"}
        )
