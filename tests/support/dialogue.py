r"""Whole dialogues as text: what clients say, and what each of them reads.

A file in ``tests/conversations`` holds dialogues, each under a heading::

    == A text to a callsign reaches that client only
    KLM1 is a pilot
    EHAM_TWR is a controller
    KLM1 > #TMKLM1:EHAM_TWR:good evening: KLM1
    EHAM_TWR < #TMKLM1:EHAM_TWR:good evening: KLM1

What is not written is not read: after everything that is said, each client must have
read exactly the lines that follow, and nobody else may be disconnected.

- ``KLM1 > line`` says a line, ``KLM1 >> bytes`` bytes without a line's end.
- ``KLM1 < line`` reads a line; three dots stand for anything.
- ``KLM1 is a pilot`` (``controller``, ``supervisor``) logs on; the greeting is read,
  and everybody else reads who came. ``… of rating 2`` chooses the rating.
- ``KLM1 connects``, ``KLM1 hangs up``, ``KLM1 is disconnected`` (by the server).
- ``\r``, ``\n``, ``\xNN`` and ``\\`` are bytes; ``{a*100}`` is a hundred times ``a``.
- ``#`` begins a remark. The first word of a step names a connection, commonly by the
  callsign that is used on it.

Files are read as Latin-1, so that every byte stands for itself.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from tests.support.builders import GREETING
from tests.support.segments import BYTEWISE, WHOLE, Cut
from tests.support.server import (
    MemoryServer,
    Terminal,
    controller_logon,
    pilot_logon,
)

__all__ = ["Delivery", "Dialogue", "DialogueRunner", "parse", "read_dialogues"]

_HEADING: Final = "== "
_REMARK: Final = "#"
_STEP: Final = re.compile(
    r"(?P<who>\S+) (?P<verb>>>|>|<|connects|hangs up|is disconnected|is a)"
    r"(?: (?P<text>.*))?"
)
_LOGON: Final = re.compile(
    r"(?P<kind>pilot|controller|supervisor)(?: of rating (?P<rating>\d+))?"
)
_ESCAPE: Final = re.compile(r"\\(x[0-9a-f]{2}|.)|\{(.)\*(\d+)\}")
_ESCAPED: Final = {"r": "\r", "n": "\n", "\\": "\\"}
_REACTIONS: Final = frozenset(("<", "is disconnected"))


class Delivery(Enum):
    """How the lines of a dialogue come in."""

    WHOLE = "each line whole"
    BYTEWISE = "byte by byte"
    PAIRWISE = "two lines to a chunk"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a dialogue."""

    line: int  # in the file, from 1
    who: str
    verb: str
    text: str

    @property
    def is_reaction(self) -> bool:
        """Tell whether this is what the server does."""
        return self.verb in _REACTIONS

    @property
    def is_speech(self) -> bool:
        """Tell whether this is what a client says."""
        return self.verb in (">", ">>")

    @property
    def data(self) -> bytes:
        """What is said."""
        end = "\r\n" if self.verb == ">" else ""
        return (_unescape(self.text) + end).encode("latin-1")


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A dialogue, and where it stands."""

    title: str
    file: str
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """The title as a part of a test's name."""
        return re.sub(r"\W+", "_", self.title.lower()).strip("_")


def read_dialogues(path: Path) -> list[Dialogue]:
    """Read the dialogues of a file."""
    return parse(path.read_text("latin-1"), path.name)


def parse(text: str, file: str) -> list[Dialogue]:
    """Read dialogues from ``text``; ``file`` names it in errors.

    Raises:
        ValueError: a line is none of a dialogue's.
    """
    found: list[tuple[str, list[Step]]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith(_HEADING):
            found.append((line.removeprefix(_HEADING), []))
        elif line and not line.startswith(_REMARK):
            step = _STEP.fullmatch(line)
            if step is None or not found:
                raise ValueError(f"{file}:{number}: what does it mean? {line!r}")
            who, verb, rest = step.group("who", "verb", "text")
            found[-1][1].append(Step(number, who, verb, rest or ""))
    return [Dialogue(title, file, tuple(steps)) for title, steps in found]


class DialogueRunner:
    """Plays one dialogue on a new server.

    Args:
        dialogue: what is said and read.
        delivery: how the lines come in.
    """

    def __init__(self, dialogue: Dialogue, delivery: Delivery) -> None:
        self._dialogue = dialogue
        self._delivery = delivery
        self._server = MemoryServer()
        self._terminals: dict[str, Terminal] = {}

    def run(self) -> None:
        """Play it.

        Raises:
            AssertionError: somebody reads what is not written, or the other way
                round; the message names the line.
        """
        for actions, reactions in self._exchanges():
            closed_before = self._closed()
            greeted = self._act(actions)
            self._check(actions[0], greeted, reactions, closed_before)

    def _exchanges(self) -> Iterator[tuple[list[Step], list[Step]]]:
        """Go through the actions, one or two at a time, and what follows from them."""
        steps = self._dialogue.steps
        place = 0
        while place < len(steps):
            actions = [steps[place]]
            reactions: list[Step] = []
            for step in steps[place + 1 :]:
                if step.is_reaction:
                    reactions.append(step)
                elif self._goes_along(step, actions):
                    actions.append(step)
                else:
                    break
            place += len(actions) + len(reactions)
            yield actions, reactions

    def _goes_along(self, step: Step, actions: Sequence[Step]) -> bool:
        """Tell whether ``step`` comes in one chunk with what was said before."""
        first = actions[0]
        return (
            self._delivery is Delivery.PAIRWISE
            and len(actions) == 1
            and step.is_speech
            and first.is_speech
            and step.who == first.who
        )

    def _act(self, actions: Sequence[Step]) -> dict[str, list[str]]:
        """Do what the steps say; returns what is read although it is not written."""
        first = actions[0]
        match first.verb:
            case "connects":
                self._connect(first)
            case "hangs up":
                self._terminals[first.who].hang_up()
            case "is a":
                return self._log_on(first)
            case _:
                data = b"".join(step.data for step in actions)
                cut: Cut = WHOLE
                if self._delivery is Delivery.BYTEWISE:
                    cut = BYTEWISE
                self._terminals[first.who].feed(cut(data))
        return {}

    def _connect(self, step: Step) -> Terminal:
        if step.who in self._terminals:
            raise ValueError(f"{self._at(step)}: {step.who} is there already")
        terminal = self._terminals[step.who] = self._server.connect()
        return terminal

    def _log_on(self, step: Step) -> dict[str, list[str]]:
        logon = _LOGON.fullmatch(step.text)
        if logon is None:
            raise ValueError(f"{self._at(step)}: what is a {step.text}?")
        kind, rating = logon.group("kind", "rating")
        others = [name for name in self._terminals if name not in self._closed()]
        terminal = self._connect(step)
        if kind == "pilot":
            rating = int(rating or 1)
            terminal.say(pilot_logon(step.who, rating=rating))
            cid = f"10000{rating:02d}"
            news = f"#AP{step.who}:SERVER:{cid}::{rating}:9:2:Joe Pilot"
        else:
            rating = int(rating or (11 if kind == "supervisor" else 5))
            terminal.say(controller_logon(step.who, rating=rating))
            cid = f"10000{rating:02d}"
            news = f"#AA{step.who}:SERVER:Ann Controller:{cid}::{rating}:9"
        expected = {
            name: [news]
            for name in others
            if self._terminals[name].session.client is not None
        }
        expected[step.who] = [f"#TMserver:{step.who}:{line}" for line in GREETING]
        return expected

    def _check(
        self,
        action: Step,
        greeted: dict[str, list[str]],
        reactions: Sequence[Step],
        closed_before: set[str],
    ) -> None:
        """Compare what everybody has read with what is written."""
        for name, terminal in self._terminals.items():
            read = terminal.read()
            due = greeted.get(name, []) + [
                _unescape(step.text)
                for step in reactions
                if step.who == name and step.verb == "<"
            ]
            if len(read) != len(due) or not all(map(_matches, due, read)):
                raise AssertionError(
                    f"{self._at(action)}: {name} read {read}, due was {due}"
                )
        closed = self._closed() - closed_before
        ended = {step.who for step in reactions if step.verb == "is disconnected"}
        if closed != ended:
            raise AssertionError(
                f"{self._at(action)}: disconnected {closed}, due was {ended}"
            )

    def _closed(self) -> set[str]:
        return {name for name, end in self._terminals.items() if end.is_closed}

    def _at(self, step: Step) -> str:
        return f"{self._dialogue.file}:{step.line} ({self._delivery.value})"


def _unescape(text: str) -> str:
    """Return ``text`` with its escapes as the bytes they stand for."""

    def replace(match: re.Match[str]) -> str:
        code, letter, times = match.groups()
        if letter is not None:
            return str(letter) * int(times)
        if len(code) > 1:
            return chr(int(code[1:], 16))
        return _ESCAPED[code]

    return _ESCAPE.sub(replace, text)


def _matches(written: str, read: str) -> bool:
    """Tell whether a line is as it is written, three dots being anything."""
    pattern = ".*".join(map(re.escape, written.split("...")))
    return re.fullmatch(pattern, read, re.DOTALL) is not None
