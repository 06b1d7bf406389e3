"""Starts the processes of a stack in their order, keeps them alive, and ends them.

It does what an engine of containers does with a compose file: it waits until those a
service needs are well, asks each from time to time how it is, starts anew what has
ended, later each time that does not hold, and ends all in the opposite order.

One thread, one `Supervisor.turn` after the other; a signal, or the end of a process,
brings the next one forward. If it is killed itself, the kernel ends its processes.

::

    waiting ──needs are well──▶ running ──ended──▶ resting ──pause over──▶ running
       └───────────────stop──────┴──────┬──────stop──┴──▶ ended
"""

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, TextIO

from typing_extensions import override

from rum_twisted.stack.groups import Groups, ServiceGroup
from rum_twisted.stack.machine import Process

__all__ = ["Supervisor", "Watched"]

FIRST_PAUSE: Final = 0.1  # seconds before a process that has ended is started anew
LONGEST_PAUSE: Final = 10.0  # seconds; each pause is twice the one before
HOLDS: Final = 10.0  # seconds after which a process is said to have held
MOST_WORDS: Final = 4 << 20  # bytes of what a process has printed
MOST_LOGS: Final = 5  # files of a log that twistd has turned over
_SOON: Final = 0.05  # seconds between two turns while something goes on
_LATER: Final = 1.0  # seconds, otherwise
_TIDY: Final = 60.0  # seconds
_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG
_UNKNOWN_PROGRAM: Final = 127  # what shells tell of it


class Watched:
    """One process of the stack, and what becomes of it.

    Args:
        process: to be started.
        group: that it runs in, if there are any.
        log: for what it prints.
    """

    def __init__(self, process: Process, group: ServiceGroup | None, log: Path) -> None:
        self.process = process
        self.group = group
        self.state = "waiting"
        self.health = "none" if process.health is None else "starting"
        self.restarts = 0
        self.since: float | None = None  # the last start
        self.last_exit: int | None = None
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None
        self._probe: subprocess.Popen[bytes] | None = None
        self._probe_ends = 0.0
        self._next = 0.0  # when it is started, or asked how it is, again
        self._pause = FIRST_PAUSE
        self._failures = 0  # of its health, in a row
        self._killed_at: float | None = None

    @override
    def __repr__(self) -> str:
        return f"<Watched {self.process.name}: {self.state}, {self.health}>"

    @property
    def pid(self) -> int | None:
        """The number of its process, while there is one."""
        return None if self._child is None else self._child.pid

    @property
    def is_well(self) -> bool:
        """Whether others may count on it."""
        return self.state == "running" and self.health in ("healthy", "none")

    def patience(self, now: float) -> float:
        """Return how many seconds the next turn may wait, as far as it goes."""
        if self.state == "waiting" or self._probe is not None:
            return _SOON
        if self.state == "ended" or (self.state == "running" and self.health == "none"):
            return _LATER
        return min(_LATER, max(_SOON, self._next - now))

    def facts(self) -> Mapping[str, Any]:
        """Return what others are told of it."""
        process = self.process
        return {
            "name": process.name,
            "pid": self.pid,
            "state": self.state,
            "health": self.health,
            "restarts": self.restarts,
            "since": self.since,
            "last_exit": self.last_exit,
            "cpus": process.cpus,
            "memory": process.memory,
            "endpoint": process.endpoint,
            "ports": [list(port) for port in process.ports],
        }

    def turn(self, now: float, others: Mapping[str, "Watched"]) -> None:
        """Do what is due.

        Args:
            now: in seconds.
            others: of the stack, by name.
        """
        if self._child is not None and self._child.poll() is not None:
            self._has_ended(now)
        if (self.state == "waiting" and self._may_start(others)) or (
            self.state == "resting" and now >= self._next
        ):
            self._start(now)
        if self.state == "running":
            self._look_after(now)

    def _may_start(self, others: Mapping[str, "Watched"]) -> bool:
        process = self.process
        return all(others[name].is_well for name in process.healthy_before) and all(
            others[name].since is not None for name in process.started_before
        )

    def _start(self, now: float) -> None:
        process = self.process
        try:
            process.folder.mkdir(parents=True, exist_ok=True)
            for path, text in process.files:
                path.write_text(text, "utf-8")
            # A first start prints a password: for nobody else to read.
            number = os.open(
                self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError:  # a full disk ends nobody; the next trial may find room
            self._fail_to_start(now)
            return
        with os.fdopen(number, "ab", buffering=0) as log:
            try:
                self._child = self._popen(process.command, log)
            except (OSError, subprocess.SubprocessError) as error:
                self._fail_to_start(now)
                with suppress(OSError):
                    log.write(f"{process.command[0]}: {error}\n".encode())
                return
        self.state, self.since, self._failures = "running", now, 0
        if process.health is not None:
            self.health, self._next = "starting", now

    def _fail_to_start(self, now: float) -> None:
        self.last_exit = _UNKNOWN_PROGRAM
        self._rest(now)

    def _popen(
        self, command: Sequence[str], output: IO[bytes] | int
    ) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 - the operator's own file
            command,
            cwd=self.process.folder,
            env=dict(self.process.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # There is no other thread that could hold a lock just then.
            preexec_fn=_Entry(self.group),  # noqa: PLW1509
        )

    def _has_ended(self, now: float) -> None:
        assert self._child is not None, "it has just been asked"
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)  # what it has left behind
        self.last_exit, self._child = self._child.returncode, None
        self._end_probe()
        restart = self.process.restart
        if self._killed_at is not None or (
            restart == "no" or (restart == "on-failure" and self.last_exit == 0)
        ):
            self.state = "ended"
            return
        if self.since is not None and now - self.since >= HOLDS:
            self._pause = FIRST_PAUSE
        self.restarts += 1
        self._rest(now)

    def _rest(self, now: float) -> None:
        self.state, self._next = "resting", now + self._pause
        self._pause = min(LONGEST_PAUSE, 2 * self._pause)
        if self.process.health is not None:
            self.health = "starting"

    def _look_after(self, now: float) -> None:
        """Ask it how it is, when it is time; one question at a time."""
        plan = self.process.health
        if plan is None or self.since is None:
            return
        if self._probe is None:
            if now >= self._next:
                self._probe_ends = now + plan.timeout
                with suppress(OSError):
                    self._probe = self._popen(plan.command, subprocess.DEVNULL)
                if self._probe is None:
                    self._is_told(now, is_well=False)
            return
        status = self._probe.poll()
        if status is None and now < self._probe_ends:
            return
        self._end_probe()
        self._is_told(now, is_well=status == 0)

    def _is_told(self, now: float, *, is_well: bool) -> None:
        plan, since = self.process.health, self.since
        assert plan is not None, "it has been asked"
        assert since is not None, "it runs"
        is_starting = self.health == "starting" and now - since < plan.start_period
        if is_well:
            self.health, self._failures = "healthy", 0
        elif not is_starting:
            self._failures += 1
            if self._failures >= plan.retries:
                self.health = "unhealthy"
        wait = plan.start_interval if self.health == "starting" else plan.interval
        self._next = now + wait

    def _end_probe(self) -> None:
        probe, self._probe = self._probe, None
        if probe is not None and probe.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(probe.pid, signal.SIGKILL)
            probe.wait()

    def stop(self, now: float) -> None:
        """End it: first by asking, and by force when its time is over."""
        self._end_probe()
        if self._child is None:
            self.state = "ended"
        elif self._killed_at is None:
            self._killed_at = now
            self._child.terminate()
        elif now - self._killed_at >= self.process.stop_grace:
            self._child.kill()

    def tidy(self) -> None:
        """Bound what it has printed, and the files of its log."""
        with suppress(OSError):
            if self._log.stat().st_size > MOST_WORDS:
                os.truncate(self._log, 0)
        for old in self._log.parent.glob(f"{self.process.name}.log.*"):
            if old.suffix[1:].isdecimal() and int(old.suffix[1:]) > MOST_LOGS:
                with suppress(OSError):
                    old.unlink()


class _Entry:
    """What a new process does before it becomes its program.

    Args:
        group: that it joins, if there is one.
    """

    def __init__(self, group: ServiceGroup | None) -> None:
        self._group = group
        self._parent = os.getpid()

    def __call__(self) -> None:
        # Whatever becomes of the supervisor, nothing is left behind.
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != self._parent:
            os._exit(1)
        if self._group is not None:
            self._group.join()


class Supervisor:
    """Keeps the processes of a stack.

    Args:
        processes: each behind those that it needs.
        logs: the folder for what they print.
        tell: is given what others are to know, whenever it changes.
        groups: puts limits on them, where that can be done.
        clock: tells seconds.
        complaints: where it says that nobody can be told.
    """

    def __init__(
        self,
        processes: Sequence[Process],
        logs: Path,
        tell: Callable[[Sequence[Mapping[str, Any]]], None],
        groups: Groups | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        complaints: TextIO = sys.stderr,
    ) -> None:
        self._complaints = complaints
        self._has_complained = False
        self._clock = clock
        self._tell = tell
        self._told: Sequence[Mapping[str, Any]] | None = None
        self._groups = groups
        self._is_stopping = False
        self._next_tidy = 0.0
        logs.mkdir(parents=True, exist_ok=True)
        self.watched = {
            process.name: Watched(
                process, self._group_for(process), logs / f"{process.name}.out"
            )
            for process in processes
        }

    @override
    def __repr__(self) -> str:
        return f"<Supervisor: {', '.join(map(repr, self.watched.values()))}>"

    def _group_for(self, process: Process) -> ServiceGroup | None:
        if self._groups is None:
            return None
        group = self._groups.make(process.name)
        group.limit(memory=process.memory, cpus=process.cpus)
        return group

    @property
    def has_ended(self) -> bool:
        """Whether it was stopped, and nothing runs any more."""
        return self._is_stopping and all(
            watched.state == "ended" for watched in self.watched.values()
        )

    def stop(self) -> None:
        """Begin to end everything."""
        self._is_stopping = True

    def turn(self) -> float:
        """Do what is due; return how many seconds the next turn may wait."""
        now = self._clock()
        for watched in self.watched.values():
            watched.turn(now, self.watched)
        if self._is_stopping:
            self._stop_what_nobody_needs(now)
        if now >= self._next_tidy:
            self._next_tidy = now + _TIDY
            for watched in self.watched.values():
                watched.tidy()
        facts = [watched.facts() for watched in self.watched.values()]
        if facts != self._told:
            self._tell_others(facts)
        if self._is_stopping:
            return _SOON
        return min(watched.patience(now) for watched in self.watched.values())

    def _tell_others(self, facts: Sequence[Mapping[str, Any]]) -> None:
        """Tell others; if that cannot be written, everything goes on all the same."""
        try:
            self._tell(facts)
        except OSError as error:
            if not self._has_complained:
                self._has_complained = True
                with suppress(OSError):  # this may be the same disk
                    self._complaints.write(f"the state cannot be written: {error}\n")
            return  # the next turn tries again
        self._told, self._has_complained = facts, False

    def _stop_what_nobody_needs(self, now: float) -> None:
        needed: set[str] = set()
        for watched in self.watched.values():
            if watched.state != "ended":
                needed.update(watched.process.healthy_before)
                needed.update(watched.process.started_before)
        for name, watched in self.watched.items():
            if name not in needed and watched.state != "ended":
                watched.stop(now)

    def run(self) -> None:
        """Go on until a signal says that it is enough, and everything has ended."""
        bell, wakes = socket.socketpair()
        for end in (bell, wakes):
            end.setblocking(False)  # noqa: FBT003 - the library's own
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        for number in (signal.SIGCHLD, signal.SIGHUP):
            signal.signal(number, lambda *_: None)  # it wakes us, no more
        with bell, wakes:
            while not self.has_ended:
                wait = self.turn()
                if select.select([bell], [], [], wait)[0]:
                    with suppress(BlockingIOError):
                        while bell.recv(1024):
                            pass
            signal.set_wakeup_fd(-1)
