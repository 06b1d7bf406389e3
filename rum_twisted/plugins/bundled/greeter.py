"""Greets whoever comes online, and keeps a notice board."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from rum_twisted.plugins import (
    Command,
    Hook,
    LoggedOn,
    Manifest,
    Option,
    PluginContext,
)
from rum_twisted.terms.identity import fold

__all__ = ["Greeter", "plugin"]

_FILE: Final = "board.json"
_MOST_NOTICES: Final = 20
_LONGEST_NOTICE: Final = 200  # characters


class Greeter:
    """Says a few lines to newcomers, and shows what the staff has posted.

    Its methods are plain: they run in a thread of its own, and may wait for the disk.
    """

    manifest: ClassVar = Manifest(
        name="greeter",
        hooks=frozenset({Hook.LOGGED_ON, Hook.COMMAND}),
        commands=("board", "post", "unpost"),
        options=(
            Option(
                name="greeting",
                default=("Welcome, {callsign}.",),
                about="Lines for whoever comes online; {callsign}, {name} and "
                "{online} are filled in.",
            ),
            Option(
                name="shows_board",
                default=True,
                about="Whether newcomers are shown the notices, too.",
            ),
            Option(
                name="post_rating",
                default=11,
                least=1,
                most=12,
                about="The lowest rating that may post notices; 11 is a supervisor.",
            ),
        ),
    )

    def __init__(self, rum: PluginContext, settings: Mapping[str, Any]) -> None:
        self._rum = rum
        self._greeting: tuple[str, ...] = settings["greeting"]
        self._shows_board: bool = settings["shows_board"]
        self._post_rating: int = settings["post_rating"]
        self._path = rum.folder / _FILE
        self._notices: list[str] = self._read()

    def logged_on(self, client: LoggedOn) -> None:
        """Greet somebody, if he has come just now."""
        if not client.is_new:
            return
        values = {
            "{callsign}": client.callsign,
            "{name}": client.real_name,
            "{online}": str(len(self._rum.online())),
        }
        for line in self._greeting:
            for name, value in values.items():
                line = line.replace(name, value)  # noqa: PLW2901 - filled step by step
            self._rum.tell(client.callsign, line)
        if self._shows_board:
            self._show(client.callsign)

    def command(self, command: Command) -> None:
        """Show the board, or change it for somebody who may."""
        if command.word == "board":
            if not self._notices:
                self._rum.tell(command.callsign, "There are no notices")
            self._show(command.callsign)
        elif not self._may_post(command.callsign):
            self._rum.tell(command.callsign, f"You may not .{command.word}")
        elif command.word == "post":
            self._post(command)
        else:
            self._unpost(command)

    def _show(self, callsign: str) -> None:
        for number, notice in enumerate(self._notices, 1):
            self._rum.tell(callsign, f"{number}. {notice}")

    def _may_post(self, callsign: str) -> bool:
        return any(
            client.rating >= self._post_rating
            for client in self._rum.online()
            if fold(client.callsign) == fold(callsign)
        )

    def _post(self, command: Command) -> None:
        if not command.rest:
            self._rum.tell(command.callsign, ".post TEXT")
        elif len(self._notices) >= _MOST_NOTICES:
            self._rum.tell(
                command.callsign, f"{_MOST_NOTICES} notices are there: .unpost one"
            )
        else:
            self._notices.append(command.rest[:_LONGEST_NOTICE])
            self._write()
            self._rum.tell(command.callsign, f"Posted as {len(self._notices)}")

    def _unpost(self, command: Command) -> None:
        number = int(command.rest) if command.rest.isdecimal() else 0
        if not 0 < number <= len(self._notices):
            self._rum.tell(command.callsign, ".unpost NUMBER, as .board shows it")
            return
        del self._notices[number - 1]
        self._write()
        self._rum.tell(command.callsign, f"Notice {number} is gone")

    def _read(self) -> list[str]:
        """Return what was posted before; a file that is no board is left alone."""
        try:
            content = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return []
        if not isinstance(content, list):
            raise TypeError(f"{self._path}: due is a list of notices")
        return [str(notice) for notice in content][:_MOST_NOTICES]

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self._notices, ensure_ascii=False), "utf-8")
        fresh.replace(self._path)


plugin = Greeter
