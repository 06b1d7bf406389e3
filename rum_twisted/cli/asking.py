"""Asking the running server, for any command."""

from typing import Any

import click

from rum_twisted.cli.invocation import Invocation
from rum_twisted.control.client import ControlClient, NotAnswering, Refused

__all__ = ["ask_server"]


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
    except (NotAnswering, Refused) as error:
        raise click.ClickException(str(error)) from error
