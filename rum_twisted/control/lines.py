"""Questions and answers between rumctl and the server: one JSON object a line.

A question is ``{"command": "lockouts.list", "arguments": {}}``; its answer is
``{"result": [...]}`` or ``{"error": "why not"}``. Lines are UTF-8, end with a line
feed, and are bounded. Each connection may ask many questions; they are answered in
order.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    "LONGEST_ANSWER",
    "LONGEST_QUESTION",
    "Question",
    "Refused",
    "Unreadable",
    "read_answer",
    "read_question",
    "write_answer",
    "write_error",
    "write_question",
]

LONGEST_QUESTION: Final = 64 << 10  # bytes, the line's end included
LONGEST_ANSWER: Final = 1 << 20  # bytes; lists of bounded tables fit


class Refused(Exception):
    """The server does not do what was asked; the text tells the operator why."""


class Unreadable(ValueError):
    """A line is no question, or no answer; the text says what was due."""


@dataclass(frozen=True, slots=True)
class Question:
    """One command and what it is about."""

    command: str
    arguments: Mapping[str, Any]


def read_question(line: bytes) -> Question:
    """Read a question, with its line's end or without.

    Raises:
        Unreadable: it is none.
    """
    content = _read(line)
    match content:
        case {"command": str(command), "arguments": dict(arguments)} if len(
            content
        ) == len(("command", "arguments")):
            return Question(command, arguments)
    raise Unreadable('due {"command": "…", "arguments": {…}}')


def read_answer(line: bytes) -> Any:
    """Return the result in an answer, with its line's end or without.

    Raises:
        Refused: the answer says why there is no result.
        Unreadable: it is no answer.
    """
    match _read(line):
        case {"result": result}:
            return result
        case {"error": str(text)}:
            raise Refused(text)
    raise Unreadable('due {"result": …} or {"error": "…"}')


def write_question(question: Question) -> bytes:
    """Print a question as one line, its end included."""
    return _write({"command": question.command, "arguments": dict(question.arguments)})


def write_answer(result: object) -> bytes:
    """Print the answer to a question as one line, its end included.

    Raises:
        TypeError: JSON cannot hold ``result``.
    """
    line = _write({"result": result})
    if len(line) <= LONGEST_ANSWER:
        return line
    return write_error(
        f"the answer has {len(line)} bytes; the longest that is given {LONGEST_ANSWER}"
    )


def write_error(text: str) -> bytes:
    """Print why a question has no answer."""
    return _write({"error": text})


def _read(line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line)
    # A deep nest of brackets is more than the parser's stack takes.
    except (ValueError, RecursionError) as error:
        raise Unreadable("due one line of JSON") from error
    if isinstance(content, dict):
        return content
    raise Unreadable("due a JSON object")


def _write(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode("ascii") + b"\n"
