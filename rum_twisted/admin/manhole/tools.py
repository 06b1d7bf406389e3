"""What lies at hand at the prompt: the service tree, the clients, the heap."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.admin.census import WALK
from rum_twisted.admin.dump import Dumps
from rum_twisted.admin.heap import Heap
from rum_twisted.admin.manhole.text import Text, facts, table
from rum_twisted.control.lines import Refused
from rum_twisted.control.server import Command
from rum_twisted.world.client import Client
from rum_twisted.world.roster import Roster

__all__ = [
    "Clients",
    "GuardTool",
    "HeapTool",
    "Owners",
    "Services",
    "Tracing",
    "names_at_hand",
]

MOST_ROWS: Final = 100
_LINES: Final = 20
_REHEARSAL: Final = 60.0  # seconds
_HELP: Final = """\
rum        the service tree: rum.getServiceNamed("pergola")
services   its services by name: services["weather"]
clients    who is online: clients, clients["AFR123"], len(clients)
owners     whose the memory is
guard      how near the limits are: guard, guard.rehearse("thin"), guard.end()
heap       heap.census()  heap.mark()  heap.growth()  heap.who(OBJECT)
           heap.trace.start()  heap.trace.top()  heap.trace.stop()
           heap.gc()  heap.lag()  heap.stacks()  heap.dump()
_          the last result; a Deferred's result is waited for, Ctrl-C waits no more
help(X)    about X: its first words, and what it has

Every line is Python, and is run between two turns of the server: while it runs, nobody
is served. It is ended after some seconds. What you change is changed; what you only
look at is shown in part if it is long."""


class Clients:
    """Who is online, by callsign in any case.

    Args:
        roster: has them.
    """

    def __init__(self, roster: Roster) -> None:
        self._roster = roster

    def __len__(self) -> int:
        """Return how many are online."""
        return len(self._roster)

    def __iter__(self) -> Iterator[Client]:
        """Go through them in the order of logon."""
        return iter(self._roster)

    def __getitem__(self, callsign: str) -> Client:
        """Return who holds a callsign.

        Raises:
            KeyError: nobody does.
        """
        client = self._roster.find(callsign)
        if client is None:
            raise KeyError(callsign)
        return client

    @override
    def __repr__(self) -> str:
        rows = [
            (
                client.callsign,
                client.cid,
                client.kind.name.lower(),
                int(client.rating),
                client.real_name,
                client.position,
            )
            for client, _ in zip(self._roster, range(MOST_ROWS), strict=False)
        ]
        shown = table(("callsign", "CID", "kind", "rating", "name", "position"), rows)
        return f"{shown}\n{len(self._roster):,} online"


class Services:
    """The services of a tree, by name.

    Args:
        root: the tree.
    """

    def __init__(self, root: MultiService) -> None:
        self._root = root

    def __getitem__(self, name: str) -> IService:
        """Return the service of a name.

        Raises:
            KeyError: there is none.
        """
        for _, service in self._all():
            if service.name == name:
                found: IService = service
                return found
        raise KeyError(name)

    @override
    def __repr__(self) -> str:
        rows = [
            (
                "  " * depth + (service.name or "-"),
                "runs" if service.running else "stands",
                repr(service),
            )
            for depth, service in self._all()
        ]
        return table(("service", "", "is"), rows)

    def _all(self) -> Iterator[tuple[int, Any]]:
        todo: list[tuple[int, Any]] = [(0, self._root)]
        while todo:
            depth, service = todo.pop()
            yield depth, service
            if isinstance(service, MultiService):
                todo.extend((depth + 1, child) for child in reversed(list(service)))


class Owners:
    """Whose the memory is, as of when it is shown.

    Args:
        heap: knows.
    """

    def __init__(self, heap: Heap) -> None:
        self._heap = heap

    def __getitem__(self, name: str) -> Text:
        """Return what one owner keeps.

        Raises:
            KeyError: there is none of this name.
        """
        found = [each for each in self._table() if each["name"] == name]
        if not found:
            raise KeyError(name)
        return Text("\n\n".join(facts(each) for each in found))

    @override
    def __repr__(self) -> str:
        columns = ("name", "count", "bytes", "bound", "oldest_s", "made_at")
        rows = [[owner.get(column) for column in columns] for owner in self._table()]
        return table(columns, rows)

    def _table(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._heap.owners_now()["owners"]
        return found


class Tracing:
    """Which lines take memory, within a window of time.

    Args:
        ask: see `HeapTool`; has a command carried out.
    """

    def __init__(self, ask: Callable[..., Deferred[Text]]) -> None:
        self._ask = ask

    @override
    def __repr__(self) -> str:
        return "heap.trace: start(seconds=60, frames=1), top(lines=20), stop()"

    def start(self, seconds: float = 60.0, frames: int = 1) -> Deferred[Text]:
        """Begin; taking memory is up to four times as slow meanwhile.

        Args:
            seconds: when it ends by itself.
            frames: lines of the stack that are kept for each piece.

        Where it has begun already, or is not within its bounds, that is told.
        """
        return self._ask("heap.trace.start", facts, seconds=seconds, frames=frames)

    def top(self, lines: int = _LINES) -> Deferred[Text]:
        """Tell the lines that took most of what is kept; or that it has not begun."""
        return self._ask("heap.trace.top", _traced, lines=lines)

    def stop(self) -> Deferred[Text]:
        """End it; what it found is gone."""
        return self._ask("heap.trace.stop", lambda _: Text("ended"))


class HeapTool:
    """What the heap is made of, what grows, and who keeps it.

    Args:
        heap: answers.
        commands: what rumctl may ask, by name.
        dumps: writes files.
    """

    def __init__(
        self, heap: Heap, commands: Mapping[str, Command], dumps: Dumps
    ) -> None:
        self._heap = heap
        self._commands = commands
        self._dumps = dumps
        self.trace = Tracing(self._ask)

    @override
    def __repr__(self) -> str:
        return (
            "heap: census(lines=20), mark(), growth(minutes=None), who(object), "
            "trace, gc(collect=False), lag(), stacks(), dump()"
        )

    def census(self, lines: int = _LINES) -> Deferred[Text]:
        """Count all objects by type, in slices; those that take most come first."""
        return self._ask("heap.census", _counted, lines=lines)

    def mark(self) -> Deferred[Text]:
        """Remember this moment, for `growth`."""
        return self._ask("heap.mark", facts)

    def growth(self, minutes: int | None = None) -> Deferred[Text]:
        """Tell what has grown since the mark, or in the last minutes.

        Where there is no mark, or no sample, that is told.
        """
        return self._ask("heap.growth", _grown, minutes=minutes)

    def who(self, kept: object) -> Deferred[Text]:
        """Tell who keeps an object alive.

        Args:
            kept: the object; or the name of a type, for the newest of that.
        """
        if isinstance(kept, str):
            return self._ask("heap.who", _held, type=kept)
        return self._heap.who_keeps(kept).addCallback(_held)

    def gc(self, *, collect: bool = False) -> Deferred[Text]:
        """Tell what the garbage collector does; or have it look now."""
        return self._ask("heap.gc", facts, collect=collect)

    def lag(self) -> Text:
        """Tell what held the reactor up, the slowest first."""
        found = self._heap.lag_now()["slowest"]
        rows = [(each["seconds"], each["line"]) for each in found]
        return table(("seconds", "line"), rows)

    def stacks(self) -> Text:
        """Tell what each thread does."""
        return Text(
            "\n".join(
                "\n".join((f"{name}:", *(f"  {line}" for line in lines)))
                for name, lines in self._heap.stacks_now().items()
            )
        )

    def dump(self) -> Deferred[Text]:
        """Write a dump into the folder of dumps, and tell its file."""
        written = self._dumps.write("asked for in the manhole")
        return written.addCallback(lambda path: Text(f"{path}"))

    def _ask(
        self, command: str, show: Callable[[Any], Text], **arguments: Any
    ) -> Deferred[Text]:
        """Have a command of rumctl carried out, and show its answer, or why not."""
        asked = maybeDeferred(self._commands[command], arguments)
        return asked.addCallback(show).addErrback(_refusal)


class GuardTool:
    """What is done before memory or CPU run out.

    Args:
        commands: what rumctl may ask, by name.
    """

    def __init__(self, commands: Mapping[str, Command]) -> None:
        self._commands = commands

    @override
    def __repr__(self) -> str:
        found = self._commands["guard.status"]({})
        memory = found["memory"]
        used = "no limit" if memory is None else f"{memory['percent']:.1f} %"
        columns = ("name", "is_reached", "is_in_force", "times", "doing")
        rows = [[rung[column] for column in columns] for rung in found["rungs"]]
        shown = table(("rung", "reached", "in force", "times", "what is done"), rows)
        return f"{shown}\nmemory: {used}; lag: {found['lag_s']:g} s"

    def rehearse(self, rung: str, seconds: float = _REHEARSAL) -> Deferred[Text]:
        """Act as if a rung were reached; nobody is cut, and nothing is ended.

        Args:
            rung: its name, as `guard` shows it.
            seconds: when it ends by itself.
        """
        asked = {"rung": rung, "seconds": seconds, "by": "the manhole"}
        return self._ask("guard.rehearse", asked)

    def end(self) -> Deferred[Text]:
        """End a rehearsal before its time."""
        return self._ask("guard.end", {})

    def _ask(self, command: str, asked: Mapping[str, object]) -> Deferred[Text]:
        done = maybeDeferred(self._commands[command], asked)
        done.addCallback(lambda _: Text(repr(self)))
        return done.addErrback(_refusal)


class _Help:
    """Tells what lies at hand, or about one thing."""

    @override
    def __repr__(self) -> str:
        return _HELP

    def __call__(self, about: object = None) -> Text:
        """Tell what lies at hand; or what ``about`` is, and what it has."""
        if about is None:
            return Text(_HELP)
        kind = about if isinstance(about, type) else type(about)
        words = [repr(about), "", *(about.__doc__ or kind.__doc__ or "").splitlines()]
        has = [name for name in dir(about) if not name.startswith("_")]
        return Text("\n".join([*words, "", "has: " + ", ".join(has)]))


class _Exit:
    """In place of Python's own, which would close the server's standard input."""

    @override
    def __repr__(self) -> str:
        return "Ctrl-D ends the prompt"

    def __call__(self, code: object = None) -> Text:
        """Tell what to do."""
        return Text(repr(self))


def names_at_hand(
    root: MultiService,
    heap: HeapTool,
    owners: Owners,
    guard: GuardTool,
    roster: Roster | None,
) -> dict[str, object]:
    """Return what lies at hand, by name.

    Args:
        root: the service tree.
        heap: of this process.
        owners: of its memory.
        guard: of this process.
        roster: who is online; ``None`` where no clients are served.
    """
    names: dict[str, object] = {
        "rum": root,
        "services": Services(root),
        "heap": heap,
        "owners": owners,
        "guard": guard,
        "help": _Help(),
        "exit": _Exit(),
        "quit": _Exit(),
    }
    if roster is not None:
        names["clients"] = Clients(roster)
    return names


def _refusal(failure: Failure) -> Text:
    """Return why there is no answer; that is no error that anybody has to see to."""
    failure.trap(Refused)
    return Text(failure.getErrorMessage())


def _counted(found: Mapping[str, Any]) -> Text:
    rows = [(each["name"], each["count"], each["bytes"]) for each in found["types"]]
    shown = table(("type", "count", "bytes"), rows)
    were = "among them" if found["method"] == WALK else "not counted"
    return Text(
        f"{shown}\n{found['objects']:,} objects; {found['frozen']:,} are as old as the "
        f"server and were {were}"
    )


def _grown(found: Mapping[str, Any]) -> Text:
    parts = [f"in {found['seconds']:,.0f} s"]
    for kind in ("owners", "types"):
        rows = [
            (
                each["name"],
                f"{each['count']:+,}",
                f"{each['bytes']:+,}",
                each["now_bytes"],
            )
            for each in found[kind][:_LINES]
        ]
        parts.append(table((kind, "more", "more bytes", "bytes now"), rows))
    return Text("\n\n".join(parts))


def _held(found: Mapping[str, Any]) -> Text:
    lines = [f"{found['type']}, {found['bytes']:,} bytes"]
    if found["path"]:
        lines.append("from the top: " + " ".join(found["path"]))
    lines += ["- " + ", held by ".join(chain) for chain in found["chains"]]
    return Text("\n".join(lines))


def _traced(found: Mapping[str, Any]) -> Text:
    rows = [
        (each["bytes"], each["count"], " < ".join(reversed(each["stack"])))
        for each in found["lines"]
    ]
    shown = table(("bytes", "count", "line"), rows)
    return Text(f"{shown}\n{found['traced']:,} bytes kept in {found['seconds']:g} s")
