"""What may be asked of a running server: over its control socket, and over HTTP.

Both have the same facts, from `Heap`. Over HTTP is only what changes nothing, holds
nobody up for long, and can be told while the reactor stands. Whatever changes something
is logged.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from rum_twisted import __version__
from rum_twisted.admin.dump import TOP_TYPES, make_dump
from rum_twisted.admin.heap import Heap
from rum_twisted.admin.http import Answer, Asked, AskedWrongly, Page, json_answer
from rum_twisted.admin.lag import LATE, LagWatch
from rum_twisted.control.lines import Refused
from rum_twisted.control.server import Command
from rum_twisted.terms.units import Seconds

__all__ = ["HeapCommands", "Pages"]

STUCK: Final = Seconds(1.0)  # a reactor that is so late is no longer called alive
_MOST_MINUTES: Final = 24 * 60
_MOST_LINES: Final = 200
_USUAL_LINES: Final = 20
_USUAL_WINDOW: Final = 60.0  # seconds of tracing
_SERVICE_UNAVAILABLE: Final = 503
_OK: Final = 200


class HeapCommands:
    """The control commands about the heap.

    Args:
        heap: answers.
        now: tells the seconds since the epoch.
        clock: bounds a window of tracing.
    """

    log = Logger()

    def __init__(self, heap: Heap, now: Callable[[], Seconds], clock: Any) -> None:
        self._heap = heap
        self._now = now
        self._clock = clock
        self._tracing: Any = None  # a Trace, once somebody asked for one

    @property
    def commands(self) -> dict[str, Command]:
        """The commands by name."""
        heap = self._heap
        return {
            "heap.census": lambda asked: heap.census(_lines(asked)),
            "heap.owners": lambda asked: heap.owners_now(),
            "heap.mark": lambda asked: heap.set_mark(),
            "heap.growth": lambda asked: heap.growth(_minutes(asked)),
            "heap.who": self.who,
            "heap.gc": self.collector,
            "heap.lag": lambda asked: heap.lag_now(),
            "heap.samples": lambda asked: heap.samples_now(_minutes(asked)),
            "heap.stacks": lambda asked: heap.stacks_now(),
            "heap.dump": self.dump,
            "heap.trace.start": self.start_trace,
            "heap.trace.stop": lambda asked: self._trace.stop(),
            "heap.trace.top": lambda asked: self._trace.top(_lines(asked)),
        }

    def who(self, asked: Mapping[str, Any]) -> Deferred[dict[str, Any]]:
        """Return who keeps the object ``number`` of ``type`` alive.

        Raises:
            Refused: there is none, or no type is named.
        """
        kind = asked.get("type")
        if not isinstance(kind, str) or not kind:
            raise Refused("heap.who: due a type, as heap.census shows it")
        self.log.info("heap: who keeps a {type} is looked for", type=kind)
        return self._heap.who(kind, _integer(asked, "number", -1))

    def collector(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the collector does; with ``collect``, have it run before."""
        found: dict[str, Any] = {}
        if asked.get("collect") is True:
            found = self._heap.collect()
            self.log.info("heap: collected on request, {unreachable} objects", **found)
        return {**self._heap.collector_now(), **found}

    def dump(self, asked: Mapping[str, Any]) -> Deferred[dict[str, Any]]:
        """Return a dump."""
        self.log.info("heap: a dump is asked for")
        counted = self._heap.census(TOP_TYPES)
        return counted.addCallback(
            lambda census: make_dump(
                self._heap, census, self._now(), "asked for with rumctl"
            )
        )

    def start_trace(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Open a window of tracing, of ``seconds``, with ``frames`` each.

        Raises:
            Refused: see `Trace.start`.
        """
        seconds = asked.get("seconds", _USUAL_WINDOW)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise Refused("seconds: due a number")
        frames = _integer(asked, "frames", 1)
        started: Mapping[str, Any] = self._trace.start(Seconds(seconds), frames)
        return started

    def close(self) -> None:
        """Stop what runs on; the server goes down."""
        if self._tracing is not None:
            self._tracing.close()

    @property
    def _trace(self) -> Any:
        if self._tracing is None:
            # What hardly anybody uses costs 0.4 MB.
            from rum_twisted.admin.trace import Trace  # noqa: PLC0415

            self._tracing = Trace(self._clock)
        return self._tracing


class Pages:
    """The pages over HTTP; they are answered by a thread beside the reactor's.

    Args:
        heap: answers.
        lag: tells whether the reactor lives.
        now: tells the seconds since the epoch.
    """

    def __init__(self, heap: Heap, lag: LagWatch, now: Callable[[], Seconds]) -> None:
        self._heap = heap
        self._lag = lag
        self._now = now
        self._begun = now()

    @property
    def pages(self) -> dict[str, Page]:
        """The pages by path."""
        heap = self._heap
        return {
            "/health/live": self.live,
            "/owners.json": lambda query: json_answer(heap.owners_now()),
            "/samples.json": self.samples,
            "/stacks": lambda query: Answer(self.stacks().encode("utf-8", "replace")),
            "/heap/census.json": self.census,
            "/heap/growth.json": self.growth,
            "/heap/gc.json": lambda query: json_answer(heap.collector_now()),
            "/heap/lag.json": lambda query: json_answer(heap.lag_now()),
            "/heap/dump.json": self.dump,
        }

    def live(self, query: Asked) -> Answer:
        """Tell whether the reactor goes round, and else which line holds it up."""
        lag = self._lag
        late = lag.overdue
        facts: dict[str, Any] = {
            "status": "alive",
            "version": __version__,
            "up_s": round(self._now() - self._begun, 1),
            "late_s": round(late, 3),
        }
        if not lag.is_watching:
            facts["status"] = "starting"
        elif late >= LATE:
            current = lag.current
            stack = lag.stack() if current is None else current.stack
            line = "?" if not stack else stack[-1]
            facts |= {
                "status": "stuck" if late >= STUCK else "late",
                "line": line if current is None else current.line,
                "stack": list(stack),
            }
        is_well = facts["status"] in ("alive", "late")
        return json_answer(facts, _OK if is_well else _SERVICE_UNAVAILABLE)

    def samples(self, query: Asked) -> Answer:
        """Return the samples, of the last ``minutes`` if so many are named."""
        return json_answer(self._heap.samples_now(_asked_number(query, "minutes")))

    def stacks(self) -> str:
        """Return what each thread does, as text."""
        return "\n".join(
            "\n".join((f"{name}:", *(f"  {line}" for line in lines), ""))
            for name, lines in self._heap.stacks_now().items()
        )

    def census(self, query: Asked) -> Answer:
        """Return the types that take most, so many as ``lines`` says.

        With ``texts=1`` texts, bytes and numbers are counted, too.
        """
        lines = _asked_number(query, "lines")
        return json_answer(
            self._heap.census_now(
                _USUAL_LINES if lines is None else lines,
                leaves=query.get("texts") == "1",
            )
        )

    def growth(self, query: Asked) -> Answer:
        """Return what has grown in the last ``minutes``.

        Raises:
            AskedWrongly: no minutes are named, or there is no sample yet.
        """
        minutes = _asked_number(query, "minutes")
        if minutes is None:
            raise AskedWrongly("minutes: due a number")
        try:
            return json_answer(self._heap.growth_now(minutes))
        except Refused as error:
            raise AskedWrongly(str(error)) from error

    def dump(self, query: Asked) -> Answer:
        """Return a dump; its census has containers only, which is quick."""
        census = self._heap.census_now(TOP_TYPES)
        dump = make_dump(self._heap, census, self._now(), "asked for over HTTP")
        return json_answer(dump)


def _asked_number(query: Asked, name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or int(text) > _MOST_MINUTES:
        raise AskedWrongly(f"{name}: due a number up to {_MOST_MINUTES}")
    return int(text)


def _integer(asked: Mapping[str, Any], name: str, usual: int) -> int:
    value = asked.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused(f"{name}: due a whole number")
    return value


def _lines(asked: Mapping[str, Any]) -> int:
    lines = _integer(asked, "lines", _USUAL_LINES)
    if not 1 <= lines <= _MOST_LINES:
        raise Refused(f"lines {lines}: due 1 to {_MOST_LINES}")
    return lines


def _minutes(asked: Mapping[str, Any]) -> int | None:
    if asked.get("minutes") is None:
        return None
    minutes = _integer(asked, "minutes", 0)
    if not 1 <= minutes <= _MOST_MINUTES:
        raise Refused(f"minutes {minutes}: due 1 to {_MOST_MINUTES}")
    return minutes
