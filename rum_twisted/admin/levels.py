"""How much each room says in the log; it may be changed while the server runs."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from twisted.logger import (
    ILogFilterPredicate,
    LogEvent,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
)
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.config.log_kinds import LEVELS, ROOMS
from rum_twisted.control.lines import Refused
from rum_twisted.control.server import Command

__all__ = ["Levels", "room_of"]

_PACKAGE: Final = "rum_twisted."
_TWISTED: Final = "twisted"
_LEVELS: Final[Mapping[str, Any]] = {
    name: LogLevel.levelWithName(name) for name in LEVELS
}


def room_of(logger: str) -> str:
    """Return the room that a logger is of, e.g. ``pergola``; else its first word."""
    return logger.removeprefix(_PACKAGE).partition(".")[0]


@implementer(ILogFilterPredicate)
class Levels:
    """Lets an event pass if its room says so much.

    Args:
        usual: the level of all rooms that have none of their own.
        rooms: ``room=level`` each.
    """

    log = Logger()

    def __init__(self, usual: str = "info", rooms: Iterable[str] = ()) -> None:
        self._usual = usual
        self._rooms: dict[str, str] = {}
        for entry in rooms:
            room, _, level = entry.partition("=")
            self._rooms[room] = level
        self._predicate = self._make()

    @override
    def __repr__(self) -> str:
        rooms = ", ".join(f"{room}={level}" for room, level in self._rooms.items())
        return f"<Levels: {self._usual}{', ' if rooms else ''}{rooms}>"

    def __call__(self, event: LogEvent) -> Any:
        """Tell whether an event passes; see `ILogFilterPredicate`."""
        return self._predicate(event)

    def table(self) -> dict[str, str]:
        """Return the level of each room."""
        return {room: self._rooms.get(room, self._usual) for room in ROOMS}

    def change(self, level: str, room: str = "") -> None:
        """Set the level of a room, or the usual one where none is named.

        What has a level of its own keeps it when the usual one changes.
        """
        if room:
            self._rooms[room] = level
        else:
            self._usual = level
        self._predicate = self._make()

    @property
    def commands(self) -> dict[str, Command]:
        """The control commands by name."""
        return {"log.level": self.answer}

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Change the level of ``room`` to ``level`` if one is named; tell all.

        Raises:
            Refused: there is no such room or level.
        """
        level, room = asked.get("level"), asked.get("room") or ""
        if room and room not in ROOMS:
            raise Refused(f"no such room: {room!r}; known are: {', '.join(ROOMS)}")
        if level is not None:
            if level not in LEVELS:
                raise Refused(f"no such level: {level!r}; due {', '.join(LEVELS)}")
            self.change(str(level), str(room))
            self.log.info(
                "log level of {room} is {threshold} now",
                room=room or "all other rooms",
                threshold=level,
            )
        return {"usual": self._usual, "rooms": self.table()}

    def _make(self) -> LogLevelFilterPredicate:
        predicate = LogLevelFilterPredicate(_LEVELS[self._usual])
        for room, level in self._rooms.items():
            name = room if room == _TWISTED else _PACKAGE + room
            predicate.setLogLevelForNamespace(name, _LEVELS[level])
        return predicate
