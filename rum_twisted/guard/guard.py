"""Looks at the limits once a second, and does what stands in the settings.

Two ladders lead up: one of memory, one of CPU (how late the reactor is; a bit less is
enough while the system makes it stand still). What is in force follows from the rungs
that are reached, really or in a rehearsal, and from nothing else; so each act ends when
the last reason for it does, whichever that was. A rehearsal does everything but cut
clients and end parts of the server: it tells whom and what it would.

At rest this costs the comparison of a few numbers once a second, and nothing on the
way of a position report.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.admin.dump import Dumps
from rum_twisted.admin.heap import Heap
from rum_twisted.admin.owners import Owners
from rum_twisted.admin.sampler import MINUTES, Pulse, Sampler
from rum_twisted.config import GuardSettings
from rum_twisted.control.lines import Refused
from rum_twisted.guard.acts import Acts
from rum_twisted.guard.ladder import Ladder
from rum_twisted.guard.pressure import Memory, Pressure
from rum_twisted.guard.rungs import CPU, MEMORY, RUNGS, Rung, bounds_of
from rum_twisted.guard.suspect import Suspect, grown_owner, grown_type
from rum_twisted.session.door import ClosedTo
from rum_twisted.terms.metric import Family
from rum_twisted.terms.units import Seconds

__all__ = ["LONGEST_REHEARSAL", "Guard", "Watched"]

LONGEST_REHEARSAL: Final = Seconds(600.0)
MOST_EVENTS: Final = 50  # that are kept
# Pulses beyond a bound, rung by rung: hashing a password takes 9 MB for a moment, and
# that ends with logons. Beyond there is no time to lose.
MEMORY_PATIENCE: Final = (2, 2, 2, 2, 1, 1)
CPU_PATIENCE: Final = (3, 3)
_GAP: Final = 0.5  # of a bound of CPU: below that its rung is left
_WEIGHT: Final = 1.25  # of a lag while the process is made to stand still
_AGAIN: Final = Seconds(30.0)  # between two times that caches shrink
_END_AGAIN: Final = Seconds(10.0)  # between two parts that are ended
_BETWEEN_DUMPS: Final = Seconds(600.0)  # for the same reason
_LONGEST_TEXT: Final = 400  # letters, for the staff
_MB: Final = 1 << 20
_WARNING: Final = (
    "The server is nearly out of memory. If you are disconnected, please log on again "
    "in a few minutes."
)
_RELIEF: Final = "The server has enough memory again."
_REHEARSAL: Final = "This is a rehearsal: the server is NOT out of memory."

Audit = Callable[[str, str], None]
"""Notes what the guard has done, and why, in the audit log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Where the guard's facts come from, and where what it does is kept."""

    owners: Owners
    sampler: Sampler
    heap: Heap
    dumps: Dumps
    audit: Audit


class _State:
    """What is known of one rung."""

    __slots__ = ("since", "times")

    def __init__(self) -> None:
        self.since: Seconds | None = None  # since the epoch; None: not reached
        self.times = 0


@dataclass(frozen=True, slots=True)
class _Rehearsal:
    rungs: frozenset[str]  # the one that was named, and those below it
    name: str
    ends: float  # by the clock
    until: Seconds  # the same since the epoch


class Guard(Service):
    """Guards one process.

    Args:
        clock: the reactor.
        now: tells the seconds since the epoch.
        settings: where the rungs are.
        watched: facts.
        acts: does the work.

    Invariant: what is in force is what `_in_force` names; clients are cut and parts
    are ended for rungs that are really reached only.
    """

    log = Logger()
    name = "guard"

    def __init__(
        self,
        clock: IReactorTime,
        now: Callable[[], Seconds],
        settings: GuardSettings,
        watched: Watched,
        acts: Acts,
    ) -> None:
        self._clock = clock
        self._now = now
        self._settings = settings
        self._watched = watched
        self.acts = acts
        self._pressure = Pressure(limit=settings.memory_limit, lowest=settings.shrink)
        self._memory_ladder = self._ladder(
            bounds_of(settings), settings.leave_below, MEMORY_PATIENCE
        )
        lags = (settings.turns_lag, settings.spare_lag)
        self._lag_ladder = self._ladder(lags, lags[0] * _GAP, CPU_PATIENCE)
        self._states = {name: _State() for name in RUNGS}
        self._reached: frozenset[str] = frozenset()
        self._rehearsal: _Rehearsal | None = None
        self._in_force: frozenset[str] = frozenset()
        self._said: dict[bool | None, int] = {}  # limits: the group's, our own, none
        self._are_others_told = False
        self._next_shrinking = 0.0  # by the clock
        self._next_ending = 0.0
        self._dumped: dict[str, float] = {}  # by rung: when, by the clock
        self._dumping: Deferred[Any] | None = None
        self._dumps_to_come: list[str] = []  # reasons
        self.memory: Memory | None = None  # None: there is no limit
        self.lag = Seconds(0.0)
        self.throttled = 0.0  # percent
        self.suspect: Suspect | None = None  # who had grown when it was asked last
        self.events: deque[dict[str, Any]] = deque(maxlen=MOST_EVENTS)
        watched.sampler.guard_levels = self._levels
        if settings.enabled:
            watched.sampler.watch(self.note)

    @override
    def __repr__(self) -> str:
        return f"<Guard: {', '.join(self.in_force) or 'at rest'}>"

    @property
    def in_force(self) -> tuple[str, ...]:
        """The rungs that count now, the lowest first."""
        in_force = self._in_force
        return tuple(name for name in RUNGS if name in in_force)

    @override
    def stopService(self) -> None:
        """Let go of everything; what is written just now is given up."""
        super().stopService()
        self._rehearsal, self._reached = None, frozenset()
        self._follow()
        self._dumps_to_come.clear()
        dumping, self._dumping = self._dumping, None
        if dumping is not None:
            dumping.cancel()

    def note(self, pulse: Pulse) -> None:
        """Take a pulse, and do what it asks for; once a second."""
        if not self.running:
            return
        now = self._clock.seconds()
        self.memory = memory = self._pressure.memory(pulse)
        self.lag, self.throttled = pulse.lag, self._pressure.throttled(pulse)
        self._tell_of_limit(memory)
        percent = 0.0 if memory is None else memory.percent
        level = self._memory_ladder.step(percent, now)
        is_throttled = self.throttled >= self._settings.throttled
        cpu = self._lag_ladder.step(
            self.lag * _WEIGHT if is_throttled else self.lag, now
        )
        if not (level or cpu or self._in_force):
            return
        reached = frozenset(rung.name for rung in (*MEMORY[:level], *CPU[:cpu]))
        before, self._reached = self._reached, reached
        for name in RUNGS:
            if name in reached and name not in before:
                self._enter(RUNGS[name])
        for name in reversed(RUNGS):
            if name in before and name not in reached:
                self._leave(RUNGS[name])
        if self._rehearsal is not None and now >= self._rehearsal.ends:
            self._finish_rehearsal("its time is over")
        self._follow()
        self._repeat(now)

    def rehearse(self, name: str, seconds: Seconds, by: str = "") -> dict[str, Any]:
        """Act for a while as if a rung, and those below it, were reached.

        Args:
            name: of the rung.
            seconds: until it ends by itself; at most `LONGEST_REHEARSAL`.
            by: who asked for it, for the audit log.

        Returns:
            what is in force, until when, and what would be done besides.

        Raises:
            Refused: there is no such rung, a rehearsal goes on, the bound is not
                kept, or what is to be rehearsed is real.
        """
        self._check_rehearsal(name, seconds)
        ladder = MEMORY if RUNGS[name] in MEMORY else CPU
        rungs = ladder[: ladder.index(RUNGS[name]) + 1]
        self._rehearsal = _Rehearsal(
            rungs=frozenset(rung.name for rung in rungs),
            name=name,
            ends=self._clock.seconds() + seconds,
            until=Seconds(self._now() + seconds),
        )
        asked = f", asked for by {by}" if by else ""
        self._say(name, f"rehearsal of {name} for {seconds:g} s{asked}")
        words = {rung.name for rung in rungs}
        if "shrink" in words:
            self.acts.shrink()
            self._dump(f"rehearsal of {name}")
        if "last" in words:
            self.acts.tell_everybody(_REHEARSAL)
        self._follow()
        owner = self._grown_owner()
        return {
            "rung": name,
            "until": self._rehearsal.until,
            "in_force": list(self.in_force),
            "would_cut": (
                self.acts.would_cut(needed="last" in words) if "cut" in words else []
            ),
            "suspect": None if owner is None else asdict(owner),
        }

    def _check_rehearsal(self, name: str, seconds: Seconds) -> None:
        """See whether a rung may be rehearsed; see `rehearse`."""
        if not self._settings.enabled:
            raise Refused("guard.enabled is false: there is nothing to rehearse")
        if not self.running:
            raise Refused("the guard does not run")
        if name not in RUNGS:
            raise Refused(f"{name}: due one of {', '.join(RUNGS)}")
        if not 0 < seconds <= LONGEST_REHEARSAL:
            raise Refused(f"seconds {seconds:g}: due up to {LONGEST_REHEARSAL:g}")
        if self._rehearsal is not None:
            raise Refused(f"{self._rehearsal.name} is being rehearsed: end that first")
        # Nobody may read that memory is not short while it is.
        for real in (name, "shrink") if name == "last" else (name,):
            if real in self._reached:
                raise Refused(f"{real} is really reached: this is no time to rehearse")

    def end_rehearsal(self) -> None:
        """End a rehearsal before its time.

        Raises:
            Refused: there is none.
        """
        if self._rehearsal is None:
            raise Refused("nothing is being rehearsed")
        self._finish_rehearsal("it was ended")
        self._follow()

    def facts(self) -> dict[str, Any]:
        """Return where we stand, for JSON; for any thread."""
        memory, rehearsal, suspect = self.memory, self._rehearsal, self.suspect
        reached, in_force = self._reached, self._in_force
        acts = self.acts
        return {
            "at": self._now(),
            "enabled": self._settings.enabled,
            "in_force": list(self.in_force),
            "memory": None if memory is None else asdict(memory),
            "lag_s": round(self.lag, 3),
            "throttled_percent": round(self.throttled, 1),
            "rungs": [
                {
                    "name": name,
                    "doing": rung.doing,
                    "bounds": self._bounds_of(name),
                    "is_reached": name in reached,
                    "is_in_force": name in in_force,
                    "since": self._states[name].since,
                    "times": self._states[name].times,
                }
                for name, rung in RUNGS.items()
            ],
            "did": {
                "bytes_freed": acts.freed,
                "objects_collected": acts.collected,
                "reports_kept_back": acts.kept_back,
                "logons_refused": acts.refused,
                "clients_cut": acts.cuts,
                "last_cut": list(acts.cut),
                "ended": list(acts.ended),
            },
            "rehearsal": (
                None
                if rehearsal is None
                else {"rung": rehearsal.name, "until": rehearsal.until}
            ),
            "suspect": None if suspect is None else asdict(suspect),
            "events": list(self.events),
        }

    def families(self) -> Iterator[Family]:
        """Yield what is counted; see `Metered`."""
        in_force, states, acts = self._in_force, self._states, self.acts
        yield Family.by(
            "rung",
            "rum_guard_rung",
            "gauge",
            "1 while the guard does what this rung says.",
            {name: float(name in in_force) for name in RUNGS},
        )
        yield Family.by(
            "rung",
            "rum_guard_rung_reached",
            "counter",
            "How often a rung was really reached.",
            {name: states[name].times for name in RUNGS},
        )
        for name, text, count in (
            ("freed_bytes", "Memory of caches that the guard has let go.", acts.freed),
            ("reports_kept_back", "Position reports not passed on.", acts.kept_back),
            ("logons_refused", "Logons turned away.", acts.refused),
            ("clients_cut", "Clients cut, for whom most waited.", acts.cuts),
        ):
            yield Family.single(f"rum_guard_{name}", "counter", text, count)

    # Up and down.

    def _enter(self, rung: Rung) -> None:
        """Climb on a rung that is really reached."""
        state = self._states[rung.name]
        state.since = self._now()
        state.times += 1
        memory = rung in MEMORY
        owner = self._grown_owner() if memory else None
        why = self._words(memory=memory)
        grown = f"; {owner}" if owner is not None else ""
        is_for_us = self.acts.have_clients or not rung.is_for_clients
        doing = rung.doing if is_for_us else "nothing more, there are no clients here"
        self.log.warn(
            "guard: {rung}: {why}: {doing}{grown}",
            rung=rung.name,
            why=why,
            doing=doing,
            grown=grown,
        )
        self._note_event(rung.name, f"{why}: {doing}{grown}")
        self.acts.tell_staff(f"Guard: {why}: {doing}{grown}"[:_LONGEST_TEXT])
        if rung.name == "shrink":
            if owner is None:
                self._look_for_type()
            self._shrink()
        if rung.name in ("shrink", "observers"):
            self._dump(rung.name)
        if rung.name == "last":
            self.acts.tell_everybody(_WARNING)

    def _leave(self, rung: Rung) -> None:
        """Step down from a rung."""
        state = self._states[rung.name]
        since, state.since = state.since, None
        lasted = 0.0 if since is None else max(0.0, self._now() - since)
        why = self._words(memory=rung in MEMORY)
        self.log.info(
            "guard: {rung} is over after {seconds:.0f} s: {why}",
            rung=rung.name,
            seconds=lasted,
            why=why,
        )
        self._note_event(rung.name, f"over after {lasted:.0f} s: {why}")
        if rung.name == "last":
            self.acts.tell_everybody(_RELIEF)
        if rung in (MEMORY[0], CPU[0]):
            self.acts.tell_staff(f"Guard: at rest again: {why}")

    def _follow(self) -> None:
        """Put in force what the rungs ask for that are reached or rehearsed."""
        rehearsed = frozenset() if self._rehearsal is None else self._rehearsal.rungs
        before, wanted = self._in_force, self._reached | rehearsed
        self._in_force = wanted
        is_thin = bool(wanted & {"thin", "spare"})
        if is_thin != bool(before & {"thin", "spare"}):
            self.acts.thin(is_on=is_thin)
        if ("turns" in wanted) != ("turns" in before):
            self.acts.lengthen_turns(is_on="turns" in wanted)
        if _closed_to(wanted) != _closed_to(before):
            self.acts.close_door(_closed_to(wanted))

    def _repeat(self, now: float) -> None:
        """Do again what is to be done as long as a rung is really reached."""
        reached = self._reached
        if "shrink" in reached and now >= self._next_shrinking:
            self._shrink()
        if "cut" not in reached:
            return
        cut = self.acts.cut_some(needed="last" in reached)
        if cut:
            self._note_event("cut", f"cut: {', '.join(cut)}")
        if "last" in reached and now >= self._next_ending:
            self._next_ending = now + _END_AGAIN
            self._end_suspect()

    # What single rungs do.

    def _shrink(self) -> None:
        self._next_shrinking = self._clock.seconds() + _AGAIN
        self.acts.shrink()

    def _end_suspect(self) -> None:
        """End whoever has grown most, if he can be done without."""
        owner = self._grown_owner()
        if owner is not None and self.acts.end(owner.name):
            self.log.error(
                "guard: {owner} is ended: {why}", owner=owner.name, why=owner
            )
            self._note_event("last", f"{owner.name} is ended: {owner}")
            self.acts.tell_staff(f"Guard: {owner.name} is ended")
            return
        self.log.error(
            "guard: nothing that has grown can be ended; {why}",
            why=owner or "no owner has grown by much",
        )

    def _grown_owner(self) -> Suspect | None:
        watched, pulse = self._watched, self._watched.sampler.pulse
        rss = None if pulse is None else pulse.rss
        owner = grown_owner(watched.owners, watched.sampler, self._now(), rss)
        if owner is not None:
            self.suspect = owner
        return owner

    def _look_for_type(self) -> None:
        """Find the type that has grown: no owner has."""
        try:
            counted = self._watched.heap.growth(MINUTES)
        except Refused:  # nothing to compare with yet
            return
        counted.addCallback(self._tell_type)
        counted.addErrback(self._excuse, "types are not counted")

    def _tell_type(self, growth: dict[str, Any]) -> None:
        kind = grown_type(growth)
        if kind is None or not self.running:
            return
        self.suspect = kind
        self.log.warn("guard: no owner has grown by much; {kind}", kind=kind)
        self._note_event("shrink", f"no owner has grown by much; {kind}")

    def _dump(self, reason: str) -> None:
        """Have a dump written, and not too many of them for the same reason."""
        now = self._clock.seconds()
        if now - self._dumped.get(reason, -_BETWEEN_DUMPS) < _BETWEEN_DUMPS:
            return
        if len(self._dumped) > len(RUNGS) * 2:
            self._dumped.clear()
        self._dumped[reason] = now
        self._dumps_to_come.append(f"guard: {reason}: {self._words(memory=True)}")
        if self._dumping is None:
            self._write_next()

    def _write_next(self, result: object = None) -> None:
        self._dumping = None
        if not self._dumps_to_come or not self.running:
            return
        reason = self._dumps_to_come.pop(0)
        self._dumping = writing = self._watched.dumps.write(reason)
        writing.addErrback(self._excuse, "a dump is not written")
        writing.addCallback(self._write_next)

    def _excuse(self, failure: Failure, what: str) -> None:
        if self.running and not failure.check(Refused):
            self.log.failure("guard: {what}", failure, what=what)

    # Words.

    def _finish_rehearsal(self, why: str) -> None:
        rehearsal, self._rehearsal = self._rehearsal, None
        assert rehearsal is not None, "whoever calls this has looked"
        self._say(rehearsal.name, f"rehearsal of {rehearsal.name} is over: {why}")

    def _say(self, name: str, text: str) -> None:
        self.log.info("guard: {text}", text=text)
        self._note_event(name, text)
        self.acts.tell_staff(f"Guard: {text}")

    def _note_event(self, name: str, text: str) -> None:
        self.events.append({"at": self._now(), "rung": name, "text": text})
        self._watched.audit(name, text)

    def _words(self, *, memory: bool) -> str:
        """Say how much is used."""
        if not memory:
            return f"lag {self.lag:.2f} s, standing still {self.throttled:.0f} %"
        found = self.memory
        if found is None:
            return "no memory limit"
        of = (
            ""
            if found.base * 100 < self._settings.shrink * found.limit
            else (f" of what was left above {found.base / _MB:.0f} MB")
        )
        return (
            f"memory at {found.percent:.1f} %{of} "
            f"({found.used / _MB:.1f} of {found.limit / _MB:.1f} MB)"
        )

    def _tell_of_limit(self, memory: Memory | None) -> None:
        """Log what limit there is, at the start and when that changes."""
        if memory is None:
            if self._said != {None: 0}:
                self._said = {None: 0}
                self.log.info("guard: {text}", text="there is no memory limit")
        elif self._said.get(memory.is_group) != memory.limit:
            self._said.pop(None, None)
            self._said[memory.is_group] = memory.limit
            whose = "control group's" if memory.is_group else "process's"
            said = f"the {whose} memory limit is {memory.limit / _MB:.1f} MB"
            self.log.info("guard: {text}", text=said)
            self._tell_of_start(memory)
        others = self._pressure.others_at
        is_full = others is not None and others >= self._settings.shrink
        if is_full and not self._are_others_told:
            self.log.warn(
                "guard: the control group is at {percent:.0f} % of its memory, most of "
                "it of other processes: nothing can be done about that here",
                percent=others,
            )
        self._are_others_told = is_full

    def _tell_of_start(self, memory: Memory) -> None:
        base, limit = memory.base / _MB, memory.limit / _MB
        if memory.is_hopeless:
            self.log.error(
                "guard: {limit:.0f} MB are less than this process has started with "
                "({base:.0f} MB): nothing is done about memory, raise the limit",
                limit=limit,
                base=base,
            )
        elif memory.base * 100 >= self._settings.shrink * memory.limit:
            self.log.warn(
                "guard: this process has started with {base:.0f} of {limit:.0f} MB: "
                "percents are of the rest",
                limit=limit,
                base=base,
            )

    def _levels(self) -> tuple[float, float]:
        """Return how many rungs of memory, and of CPU, are reached."""
        reached = self._reached
        return (
            float(sum(rung.name in reached for rung in MEMORY)),
            float(sum(rung.name in reached for rung in CPU)),
        )

    def _bounds_of(self, name: str) -> dict[str, float]:
        settings = self._settings
        if RUNGS[name] in MEMORY:
            return {"percent": getattr(settings, name)}
        return {
            "lag_s": getattr(settings, f"{name}_lag"),
            "throttled_percent": settings.throttled,
        }

    def _ladder(
        self, bounds: tuple[float, ...], leave_below: float, patience: tuple[int, ...]
    ) -> Ladder:
        return Ladder(
            bounds,
            leave_below=leave_below,
            calm=Seconds(self._settings.calm),
            patience=patience,
        )


def _closed_to(rungs: frozenset[str]) -> ClosedTo:
    if "logons" in rungs:
        return ClosedTo.NEWCOMERS
    return ClosedTo.OBSERVERS if "observers" in rungs else ClosedTo.NOBODY
