"""``rumctl manhole``: a Python prompt inside the running server.

The keys are read here, with history and completion as in Python's own prompt; the lines
are run there. Where standard input is no terminal, its lines are run one after the
other.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from rum_twisted.admin.manhole.lines import (
    INTERRUPT,
    LONGEST_LINE,
    MORE,
    PROMPT,
    Unreadable,
    read_line,
    write_line,
)
from rum_twisted.cli.invocation import Invocation, pass_invocation
from rum_twisted.config import Config
from rum_twisted.control.address import socket_name

__all__ = ["manhole"]

_LONGEST_SAID: Final = 1 << 20  # bytes of a line that the server says
_HISTORY: Final = ".rum_manhole_history"
_MOST_HISTORY: Final = 1000  # lines


@click.command()
@click.argument("service", required=False)
@click.option(
    "--history",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="The file that keeps what was typed; by default in the home folder.",
)
@pass_invocation
def manhole(invocation: Invocation, service: str | None, history: Path | None) -> None:
    """Open a Python prompt inside the server, or inside the process of a SERVICE.

    SERVICE is a role, e.g. weather, where roles have processes of their own. Ctrl-C
    ends what runs, Ctrl-D the prompt. What is run is in the server's log.
    """
    invocation.refuse_name()
    path = _socket_of(invocation.config(), service)
    with _connected(path) as connection:
        try:
            if sys.stdin.isatty():
                _talk(connection, history or Path.home() / _HISTORY)
            else:
                _run_all(connection)
        except OSError as error:
            reason = error.strerror or str(error)
            raise click.ClickException(f"{path}: {reason}") from error


class _Connection:
    """The way to the server's prompt; it blocks.

    Args:
        stream: a connected socket.
    """

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._lines = stream.makefile("rb")

    def send(self, **content: str) -> None:
        """Send one line.

        Raises:
            click.ClickException: it is too long.
        """
        line = write_line(content)
        if len(line) > LONGEST_LINE:
            raise click.ClickException(f"a line has at most {LONGEST_LINE:,} bytes")
        self._stream.sendall(line)

    def interrupt(self) -> None:
        """Ask for an end of what runs."""
        self._stream.sendall(INTERRUPT)

    def receive(self) -> tuple[str, Any]:
        """Return what the server says next.

        Raises:
            EOFError: it has hung up.
            click.ClickException: it is no Rum.
        """
        line = self._lines.readline(_LONGEST_SAID)
        if not line.endswith(b"\n"):
            raise EOFError
        try:
            return read_line(line)
        except Unreadable as error:
            raise click.ClickException(f"what listens is no Rum: {error}") from error

    def until_prompt(self) -> str:
        """Print what is said until there is a prompt, and return that.

        Raises:
            EOFError: it has hung up.
        """
        return str(self._until("prompt"))

    def complete(self, text: str) -> list[str]:
        """Return the ways in which a text may go on.

        Raises:
            EOFError: it has hung up.
        """
        self.send(complete=text)
        return [str(each) for each in self._until("completions")]

    def _until(self, due: str) -> Any:
        """Print what is said until ``due`` comes, and return what that says.

        Ctrl-C asks the server for an end, and goes on waiting; it comes between no
        line and its end, and between no text and the terminal.
        """
        before = signal.signal(signal.SIGINT, lambda *_: self.interrupt())
        try:
            while True:
                what, content = self.receive()
                if what == due:
                    return content
                if what == "say":
                    click.echo(content, nl=False)
        finally:
            signal.signal(signal.SIGINT, before)


def _talk(connection: _Connection, history: Path) -> None:
    """Be a prompt on a terminal, until Ctrl-D or until the server hangs up."""
    with _line_editing(connection, history):
        try:
            prompt = connection.until_prompt()
            while True:
                prompt = _one_line(connection, prompt)
        except EOFError:
            click.echo()


def _one_line(connection: _Connection, prompt: str) -> str:
    """Read a line and have it run; return the prompt that follows.

    Raises:
        EOFError: Ctrl-D, or the server has hung up.
    """
    try:
        line = input(prompt)
    except KeyboardInterrupt:
        click.echo()
        if prompt != MORE:
            return prompt
        connection.interrupt()
        return connection.until_prompt()
    connection.send(run=line)
    return connection.until_prompt()


def _run_all(connection: _Connection) -> None:
    """Run what standard input has, and the end of its last block."""
    try:
        prompt = connection.until_prompt()
        for line in sys.stdin:
            connection.send(run=line.rstrip("\n"))
            prompt = connection.until_prompt()
        if prompt != PROMPT:
            connection.send(run="")
            connection.until_prompt()
    except EOFError:
        raise click.ClickException("the server has hung up") from None
    except UnicodeDecodeError as error:
        raise click.ClickException(f"standard input is no UTF-8: {error}") from error


@contextmanager
def _line_editing(connection: _Connection, history: Path) -> Iterator[None]:
    """Edit lines with Python's readline, where there is one."""
    try:
        import readline  # noqa: PLC0415 - some builds have none
    except ImportError:
        yield
        return
    readline.set_completer_delims(" \t\n`!@#$%^&*()-=+[{]}\\|;:'\",<>/?")
    readline.set_completer(_Completer(connection.complete))
    readline.parse_and_bind("tab: complete")
    readline.set_history_length(_MOST_HISTORY)
    try:
        readline.read_history_file(history)
    except OSError:
        readline.clear_history()
    try:
        yield
    finally:
        _keep_history(readline.write_history_file, history)


def _keep_history(write: Callable[[str], None], path: Path) -> None:
    """Write what was typed, for its owner only."""
    before = os.umask(0o077)
    try:
        write(str(path))
    except OSError as error:
        click.echo(f"{path}: {error.strerror}", err=True)
    finally:
        os.umask(before)


class _Completer:
    """Completes as readline asks: one after the other.

    Args:
        complete: asks the server.
    """

    def __init__(self, complete: Callable[[str], list[str]]) -> None:
        self._complete = complete
        self._found: list[str] = []

    def __call__(self, text: str, state: int) -> str | None:
        """Return completion number ``state``, or ``None`` behind the last."""
        if state == 0:
            self._found = self._complete(text) if text else ["\t"]
        return self._found[state] if state < len(self._found) else None


def _socket_of(config: Config, service: str | None) -> Path:
    """Return the socket file of the process that plays ``service``.

    Raises:
        click.ClickException: there is none.
    """
    path = config.manhole_socket
    if path is None:
        raise click.ClickException('the server has no manhole: manhole.socket is ""')
    if service is None:
        return path
    folder, stem = config.data_dir, "manhole"
    found = sorted(folder.glob(f"{stem}*{path.suffix}"))
    for each in found:
        roles = each.stem.split("-")[1:]
        if service in (roles or config.services.roles):
            return each
    names = ", ".join(each.name for each in found) or "none"
    raise click.ClickException(
        f"nobody plays {service} in {folder}; there are: {names}"
    )


@contextmanager
def _connected(path: Path) -> Iterator[_Connection]:
    """Connect to a socket file.

    Raises:
        click.ClickException: nobody listens there.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        try:
            with socket_name(path) as name:
                stream.connect(name)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise click.ClickException(f"no server listens at {path}") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise click.ClickException(f"{path}: {reason}") from error
        yield _Connection(stream)
