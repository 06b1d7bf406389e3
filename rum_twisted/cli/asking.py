"""Asking the running server, for any command; or the processes of its roles."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from rum_twisted.cli.invocation import (
    Invocation,
    process_operator,
    process_whereabouts,
)
from rum_twisted.control.client import ControlClient, NotAnswering, Refused

__all__ = ["Processes", "ask_server"]

_FIRST: Final = ("pergola", "passport")  # call others, or have the audit log


def ask_server(invocation: Invocation, command: str, **arguments: Any) -> Any:
    """Ask the server that runs with these settings.

    Args:
        invocation: has the settings.
        command: as the server names it.
        arguments: of the command.

    Raises:
        click.ClickException: there is none, or it refuses.
    """
    path = invocation.config().control_socket
    if path is None:
        raise click.ClickException(
            'the server has no socket file to be asked at: control.socket is ""'
        )
    try:
        return ControlClient(path).ask(command, **arguments)
    except Refused as error:
        raise click.ClickException(str(error)) from error
    except NotAnswering as error:
        raise click.ClickException(f"{error}{_beside(path)}") from error


def _beside(path: Path) -> str:
    """Return where else to ask, if a process of some of the roles was meant."""
    found = sorted(path.parent.glob(f"{path.stem}-*{path.suffix}"))
    if not found:
        return ""
    names = ", ".join(other.name for other in found)
    return (
        f"; there is {names}: name the roles of the process, "
        """as in --set 'services.roles=["passport"]'"""
    )


class Processes:
    """The processes of one network on this machine, by their socket files.

    Args:
        invocation: has the settings; processes that share a data folder are all found.

    Raises:
        click.ClickException: they have no socket files, or call nobody.
    """

    def __init__(self, invocation: Invocation) -> None:
        invocation.refuse_name()
        config = invocation.config()
        own, base = config.control_socket, config.control.socket
        if own is None or base is None:
            raise click.ClickException(
                'the server has no socket file to be asked at: control.socket is ""'
            )
        others = base.parent.glob(f"{base.stem}*{base.suffix}")
        found = dict.fromkeys((own, *sorted(others, key=_precedence)))
        if not config.uses_fabric and len(found) == 1:
            raise click.ClickException(
                "all roles are in one process, and no other is called: see docs/rpc.md "
                f"(so these settings say, and in {base.parent} is no other process's "
                "socket file)"
            )
        self._clients = {path: ControlClient(path) for path in found}

    def each(self, command: str, **arguments: Any) -> Iterator[tuple[Path, Any]]:
        """Ask all of them; those that do not answer, or do not know it, are left out.

        Yields:
            for each answer, the socket file and the result.
        """
        for path, client in self._clients.items():
            try:
                yield path, client.ask(command, **arguments)
            except (NotAnswering, Refused):
                continue

    def any(self, command: str, **arguments: Any) -> Any:
        """Ask one of them, the first that answers.

        Raises:
            click.ClickException: none does, or he refuses.
        """
        trouble: NotAnswering | None = None
        for client in self._clients.values():
            try:
                return client.ask(command, **arguments)
            except NotAnswering as error:
                trouble = trouble or error
            except Refused as error:
                raise click.ClickException(str(error)) from error
        raise click.ClickException(str(trouble))

    def at(self, path: Path, command: str, **arguments: Any) -> Any:
        """Ask a certain one.

        Raises:
            NotAnswering: he does not answer.
            click.ClickException: he refuses.
        """
        try:
            return self._clients[path].ask(command, **arguments)
        except Refused as error:
            raise click.ClickException(str(error)) from error

    def note(self, act: str, whom: str, detail: str) -> None:
        """Write into the audit log what has been done, by way of who has it."""
        words = {
            "by": process_operator(),
            "where": process_whereabouts(),
            "act": act,
            "whom": whom,
            "detail": detail,
        }
        if next(self.each("audit.note", **words), None) is None:
            click.echo(
                "it is not in the audit log: neither a pergola nor a passport of this "
                "data folder can be asked to write it there",
                err=True,
            )


def _precedence(path: Path) -> tuple[bool, ...]:
    """Return a key to sort by: those come first who can answer most."""
    return tuple(role not in path.stem for role in _FIRST)
