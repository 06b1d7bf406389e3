"""A Python prompt: lines in, text out, whatever carries them.

A line is run by the reactor's thread, as all of Rum is, so that it may touch anything;
`limit` sees to it that it ends, and whatever else is done for him, too: the reading of
a line, the look of a value. A result that is a Deferred or a coroutine is waited for;
whoever else waits for it gets it as well. What is said is bounded, and so is how a
value is shown.
"""

import codeop
import inspect
import io
import re
import reprlib
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine, Mapping
from contextlib import redirect_stdout, suppress
from types import CodeType
from typing import Any, Final, TypeGuard

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.admin.manhole.limit import Interrupted, Limit

__all__ = ["Shell"]

MOST_SAID: Final = 64 << 10  # characters, for one line that is run
MOST_LINES: Final = 1000  # of one command
LONGEST_COMMAND: Final = 64 << 10  # characters of all its lines
MOST_COMPLETIONS: Final = 200
DEEPEST: Final = 20  # frames of a traceback
_NAME: Final = "<manhole>"
_DOTTED: Final = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\.(\w*)\Z")
_WORD: Final = re.compile(r"\w*\Z")
_LONGEST_TEXT: Final = 4000  # characters, of one value
_MOST_MEMBERS: Final = 100  # of a list, dict or set that is shown
# Whatever a client calls himself, it does not steer the operator's terminal; nor does
# it turn the way round in which a line is read (from U+202A and U+2066).
_STEERING: Final = {
    **{
        sign: f"\\x{sign:02x}"
        for sign in (*range(0x20), *range(0x7F, 0xA0))
        if sign not in b"\t\n"
    },
    **{
        sign: f"\\u{sign:04x}"
        for sign in (*range(0x2028, 0x202F), *range(0x2066, 0x206A))
    },
}


class _Said(io.TextIOBase):
    """What is said while one line is run; what is beyond the bound is not said.

    What another thread prints meanwhile is not the operator's, and goes where it went.

    Args:
        say: passes text on; this thread calls it.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._left = MOST_SAID
        self._thread = threading.get_ident()
        self._before = sys.stdout

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, text: str) -> int:
        """Say it, as far as there is room."""
        if threading.get_ident() != self._thread:
            return self._before.write(text)
        if self._left > 0:
            self._say(_plain(text[: self._left]))
            if len(text) > self._left:
                self._say(f"\n(the rest is not shown: {MOST_SAID:,} characters)\n")
        self._left -= len(text)
        return len(text)


class Shell:
    """One operator's prompt.

    Args:
        names: what lies at hand; he may add to it.
        say: gives him text; lines end in a line feed.
        limit: ends what takes too long.
        ready: told when the result that was waited for has come.
    """

    def __init__(
        self,
        names: Mapping[str, object],
        say: Callable[[str], None],
        limit: Limit,
        ready: Callable[[], None],
    ) -> None:
        self.names: dict[str, Any] = {**names, "__name__": _NAME}
        self._say = say
        self._limit = limit
        self._ready = ready
        self._lines: list[str] = []  # of a command that is not complete
        self._compile = codeop.CommandCompiler()
        self._awaited: Deferred[Any] | None = None
        self._is_running = False

    @override
    def __repr__(self) -> str:
        return f"<Shell: {'waits' if self.is_waiting else 'ready'}>"

    @property
    def is_waiting(self) -> bool:
        """Whether a result has not come yet."""
        return self._awaited is not None

    @property
    def is_unfinished(self) -> bool:
        """Whether the command goes on in the next line."""
        return bool(self._lines)

    def push(self, line: str) -> None:
        """Take a line, and run the command that it completes."""
        self._lines.append(line)
        command = "\n".join(self._lines)
        if len(self._lines) > MOST_LINES or len(command) > LONGEST_COMMAND:
            self._lines.clear()
            self._say(
                f"a command has at most {MOST_LINES} lines, and {LONGEST_COMMAND:,}"
                " characters\n"
            )
            return
        try:
            code = self._compiled(command)
        except (
            *(SyntaxError, ValueError, OverflowError, Interrupted),
            *(MemoryError, RecursionError),  # it nests too deep
        ) as error:
            self._lines.clear()
            _Said(self._say).write("".join(traceback.format_exception_only(error)))
            return
        if code is not None:
            self._lines.clear()
            self._run(code)

    def _compiled(self, command: str) -> CodeType | None:
        """Return what is to be run; ``None`` if more lines are due.

        Raises:
            SyntaxError, ValueError, OverflowError, MemoryError, RecursionError: it is
                no Python.
            Interrupted: reading it has taken too long.
        """
        found: list[CodeType | None] = []
        self._limit.run(lambda: found.append(self._compile(command, _NAME, "single")))
        return found[0]

    def interrupt(self) -> None:
        """Forget the lines of a command that is not complete, and wait no more."""
        self._lines.clear()
        self._awaited = None

    def complete(self, text: str) -> list[str]:
        """Return the ways in which the end of ``text`` may go on.

        Properties on the way are asked, but nothing is called.
        """
        found: list[str] = []
        with suppress(BaseException):  # there may be anything in a property
            self._limit.run(lambda: found.extend(self._completions(text)))
        return found[:MOST_COMPLETIONS]

    def _completions(self, text: str) -> list[str]:
        dotted = _DOTTED.search(text)
        if dotted is None:
            word = _WORD.search(text)
            assert word is not None, "an empty one is always there"
            start = word[0]
            if text[: word.start()].endswith("."):
                return []  # of what is only known when it is run
            return sorted(name for name in self.names if _fits(name, start))
        way, start = dotted[1], dotted[2]
        first, *rest = way.split(".")
        one = self.names[first]
        for name in rest:
            one = getattr(one, name)
        return [f"{way}.{name}" for name in dir(one) if _fits(name, start)]

    def _run(self, code: CodeType) -> None:
        said = _Said(self._say)
        hook = sys.displayhook
        sys.displayhook = lambda value: self._show(value, said)
        self._is_running = True
        try:
            with redirect_stdout(said):
                self._limit.run(lambda: self._execute(code, said))
        except Interrupted as error:
            said.write(f"interrupted: {error}\n")
        except BaseException as error:  # noqa: BLE001 - what it raised cannot be told
            said.write(f"it cannot be told: {type(error).__name__}\n")
        finally:
            self._is_running = False
            sys.displayhook = hook

    def _execute(self, code: CodeType, said: _Said) -> None:
        try:
            exec(code, self.names)  # noqa: S102 - that is what a prompt is for
        except Interrupted as error:
            # The first is this function's, the last that of whoever interrupted.
            lines = traceback.format_tb(error.__traceback__, -DEEPEST)[:-1]
            lines = [line for line in lines if __file__ not in line]
            said.write("".join([*lines, f"interrupted: {error}\n"]))
        except SystemExit:
            said.write("the server goes on; Ctrl-D ends the prompt\n")
        except BaseException as error:  # noqa: BLE001 - it is his, and he is told
            above = error.__traceback__
            error.__traceback__ = None if above is None else above.tb_next
            lines = traceback.format_exception(error, limit=-DEEPEST)
            said.write("".join(lines))

    def _show(self, value: object, said: _Said) -> None:
        if value is None:
            return
        if isinstance(value, Deferred):
            self._await(value)
        elif _is_to_be_run(value):
            self._await(Deferred.fromCoroutine(value))
        else:
            self.names["_"] = value
            said.write(f"{_REPR.repr(value)}\n")

    def _await(self, answer: Deferred[Any]) -> None:
        self._awaited = answer
        answer.addCallbacks(
            self._came,
            self._failed,
            callbackArgs=(answer,),
            errbackArgs=(answer,),
        )

    def _came(self, value: object, answer: Deferred[Any]) -> object:
        """Show a result, and leave it to whoever else waits for it."""
        self._tell(lambda said: self._show_result(value, said))
        self._end_wait(answer)
        return value

    def _failed(self, failure: Failure, answer: Deferred[Any]) -> Failure:
        """Show why there is no result; leave that to others, else it is logged."""
        error = failure.value
        assert error is not None, "a failure has an error"
        self._tell(
            lambda said: said.write("".join(traceback.format_exception_only(error)))
        )
        self._end_wait(answer)
        return failure

    def _show_result(self, value: object, said: _Said) -> None:
        if value is not None:
            self.names["_"] = value
            said.write(f"{_REPR.repr(value)}\n")

    def _tell(self, work: Callable[[_Said], object]) -> None:
        """Say something of a result; whatever comes up, others get it all the same."""
        said = _Said(self._say)
        try:
            if self._is_running:  # or else a limit would be within itself
                work(said)
            else:
                self._limit.run(lambda: work(said))
        except Interrupted as error:
            said.write(f"interrupted: {error}\n")
        except BaseException as error:  # noqa: BLE001 - a value may raise anything
            said.write(f"it cannot be shown: {type(error).__name__}\n")

    def _end_wait(self, answer: Deferred[Any]) -> None:
        if self._awaited is answer:
            self._awaited = None
            if not self._is_running:  # or else it was there at once
                self._ready()


def _plain(text: str) -> str:
    """Return text that any terminal takes, and is not steered by."""
    shown = text.translate(_STEERING)
    return shown.encode("utf-8", "backslashreplace").decode("utf-8")


def _is_to_be_run(value: object) -> TypeGuard[Coroutine[Any, Any, Any]]:
    """Tell whether a value is a coroutine that nobody has begun to run."""
    return (
        inspect.iscoroutine(value)
        and inspect.getcoroutinestate(value) == inspect.CORO_CREATED
    )


def _fits(name: str, start: str) -> bool:
    """Tell whether a name goes on from ``start``; private ones only if it says so."""
    return name.startswith(start) and (start.startswith("_") or name[:1] != "_")


class _Repr(reprlib.Repr):
    """Shows a value within bounds; what says itself how it looks is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = _MOST_MEMBERS
        self.maxdict = self.maxdeque = self.maxarray = _MOST_MEMBERS
        self.maxstring = self.maxlong = _LONGEST_TEXT
        self.maxother = MOST_SAID


_REPR: Final = _Repr()
