"""What may be asked of the guard: over the control socket, and over HTTP."""

from collections.abc import Mapping
from typing import Any, Final

from rum_twisted.admin.http import Page, json_answer
from rum_twisted.control.lines import Refused
from rum_twisted.control.server import Command
from rum_twisted.guard.guard import Guard
from rum_twisted.terms.units import Seconds

__all__ = ["GuardQuestions"]

_USUAL: Final = 60.0  # seconds of a rehearsal
_LONGEST_NAME: Final = 200


class GuardQuestions:
    """Answers them.

    Args:
        guard: whom they are about.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    @property
    def commands(self) -> dict[str, Command]:
        """The control commands by name."""
        return {
            "guard.status": lambda asked: self._guard.facts(),
            "guard.rehearse": self.rehearse,
            "guard.end": lambda asked: self._guard.end_rehearsal(),
        }

    @property
    def pages(self) -> dict[str, Page]:
        """The pages over HTTP by path; a thread beside the reactor's answers them."""
        return {"/guard.json": lambda query: json_answer(self._guard.facts())}

    def rehearse(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Rehearse the rung named ``rung`` for ``seconds``, asked for ``by`` somebody.

        Raises:
            Refused: see `Guard.rehearse`.
        """
        name, seconds = asked.get("rung"), asked.get("seconds", _USUAL)
        if not isinstance(name, str):
            raise Refused("guard.rehearse: due a rung")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise Refused("seconds: due a number")
        by = asked.get("by", "")
        if not isinstance(by, str) or len(by) > _LONGEST_NAME or not by.isprintable():
            raise Refused(f"by: due at most {_LONGEST_NAME} letters")
        return self._guard.rehearse(name, Seconds(seconds), by)
