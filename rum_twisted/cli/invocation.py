"""One call of ``rumctl``: where its settings are, what time it is, who asks."""

import os
import pwd
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from rum_twisted.config import Config, ConfigError, load
from rum_twisted.terms.units import Seconds

__all__ = ["Invocation", "operator_name", "pass_invocation", "whereabouts"]

_ROOT: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What stands before the command on the command line, and the world around it."""

    config_path: Path | None
    overrides: tuple[str, ...]
    as_cid: str | None  # the member in whose name things are done
    environ: Mapping[str, str]
    now: Callable[[], Seconds]  # seconds since the epoch

    def config(self) -> Config:
        """Read the settings, as the server does.

        Raises:
            click.UsageError: they cannot be used.
        """
        try:
            return load(self.config_path, self.overrides, self.environ)
        except ConfigError as error:
            raise click.UsageError(f"the settings cannot be used:\n{error}") from error

    def refuse_name(self) -> None:
        """Make sure that nobody thinks he acts as a member where that is not noted.

        Raises:
            click.UsageError: ``--as`` is given.
        """
        if self.as_cid is not None:
            raise click.UsageError("--as is for what is done to members, not for this")


pass_invocation: Final = click.make_pass_decorator(Invocation)


def operator_name(
    environ: Mapping[str, str], uid: int, name_of: Callable[[int], str]
) -> str:
    """Return the operating system's name of whoever typed the command.

    Args:
        environ: of the process; behind ``sudo`` it tells who called it, and is
            believed only where that is root's.
        uid: of the process.
        name_of: looks a user's name up; raises ``KeyError`` where there is none.
    """
    if uid == _ROOT and environ.get("SUDO_USER"):
        return environ["SUDO_USER"]
    try:
        return name_of(uid)
    except KeyError:
        return f"uid {uid}"


def whereabouts(environ: Mapping[str, str], terminal: str | None) -> str:
    """Return where somebody sits: a network address, or the name of a terminal.

    Args:
        environ: of the process; SSH leaves the client's address there.
        terminal: the device of standard input; ``None`` if it is none.
    """
    address, *_ = (
        environ.get("SSH_CONNECTION") or environ.get("SSH_CLIENT") or ""
    ).split() or [""]
    return address or (terminal or "").removeprefix("/dev/") or "no terminal"


def process_operator() -> str:
    """Return `operator_name` of this process."""
    return operator_name(os.environ, os.getuid(), lambda uid: pwd.getpwuid(uid).pw_name)


def process_whereabouts() -> str:
    """Return `whereabouts` of this process."""
    try:
        terminal = os.ttyname(sys.stdin.fileno())
    except (OSError, ValueError, AttributeError):
        terminal = None
    return whereabouts(os.environ, terminal)
