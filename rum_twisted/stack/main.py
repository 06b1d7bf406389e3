"""The commands behind ``make stack``: up, status, down.

Exit codes: 0, done; 1, not done, and a sentence on standard error says why; 2, the
command line is wrong.
"""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from rum_twisted.stack.compose import ComposeError, read_compose
from rum_twisted.stack.groups import find_groups
from rum_twisted.stack.machine import Machine, Process
from rum_twisted.stack.state import Running, State
from rum_twisted.stack.status import groups_of, measured, table_of
from rum_twisted.terms.units import Seconds

__all__ = ["main", "stack"]

_ROOT: Final = Path(__file__).parents[2]
_ETC: Final = _ROOT / "etc"
_BETWEEN_LOOKS: Final = Seconds(0.05)
_ONE_ANSWER: Final = Seconds(2.0)
_TOO_OFTEN: Final = 3  # starts of one service anew, before `up` gives up
_LAST_LINES: Final = 15
_PIPED_WIDTH: Final = 200  # columns, where there is no terminal to ask
_FIRST_START: Final = "First start:"
_END_WITHIN: Final = Seconds(90.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """Which stack is meant."""

    folder: Path
    compose: Path
    shift: int

    def machine(self) -> Machine:
        """Return what the compose file becomes here.

        Raises:
            ComposeError: it cannot be used.
        """
        return Machine(
            read_compose(self.compose, os.environ),
            self.folder,
            compose=self.compose.parent,
            programs=(Path(sys.executable).parent, _ETC),
            environ=os.environ,
            shift=self.shift,
        )

    def words(self) -> tuple[str, ...]:
        """Return the options that say the same."""
        return (
            *("--folder", str(self.folder)),
            *("--compose", str(self.compose)),
            *("--shift", str(self.shift)),
        )


@click.group()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data/stack"),
    show_default=True,
    help="Where the processes keep their data and logs.",
)
@click.option(
    "--compose",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=_ETC / "compose.yml",
    help="The compose file; etc/compose.yml.",
)
@click.option("--shift", default=0, help="Add this to every port.")
@click.pass_context
def stack(context: click.Context, folder: Path, compose: Path, shift: int) -> None:
    """Run all processes of etc/compose.yml on this machine, without containers."""
    context.obj = _Choice(
        folder=folder.absolute(), compose=compose.absolute(), shift=shift
    )


def main() -> None:
    """Run a command; the exit code tells how it went."""
    try:
        stack.main(prog_name="make stack", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ComposeError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(1)


@stack.command()
@click.option(
    "--within", default=90.0, show_default=True, help="Seconds until it gives up."
)
@click.pass_obj
def up(choice: _Choice, within: float) -> None:
    """Start what does not run yet, and return when all are ready."""
    begun = time.monotonic()
    processes = choice.machine().processes()
    state = State(choice.folder)
    supervisor = None
    if state.holder() is None:
        _check_ports(processes)
        try:
            _clear_away(state)
            supervisor = _spawn(choice)
        except OSError as error:
            trouble = f"nothing can be written to {choice.folder}: {error}"
            raise click.ClickException(trouble) from None
    else:
        _check_same(choice, state.read())
    try:
        _wait_until_ready(state, processes, supervisor, begun + within)
    except KeyboardInterrupt:
        raise click.ClickException(
            "interrupted; what was begun goes on: make stack-status shows it, "
            "make stack-down ends it"
        ) from None
    except click.ClickException:
        if supervisor is not None:
            _end(state)
        raise
    for process in processes:
        _tell_first_start(choice.folder / "logs" / f"{process.name}.out")
    _show(state)
    took = time.monotonic() - begun
    how = "is up" if supervisor is not None else "was up"
    click.echo(f"The stack {how} after {took:.1f} s. Logs: {choice.folder / 'logs'}")


@stack.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@click.pass_obj
def status(choice: _Choice, *, as_json: bool) -> None:
    """Show the processes, with their memory against their limits."""
    state = State(choice.folder)
    if state.holder() is None:
        raise click.ClickException("the stack does not run; make stack starts it")
    if as_json:
        facts = state.read()
        click.echo(json.dumps({**facts, "services": measured(facts)}, indent=2))
    else:
        _show(state)


@stack.command()
@click.pass_obj
def down(choice: _Choice) -> None:
    """End all processes; nothing of them is left but their data and logs."""
    state = State(choice.folder)
    did_run = state.holder() is not None
    _end(state)
    click.echo("The stack is down." if did_run else "The stack did not run.")


@stack.command(hidden=True)
@click.pass_obj
def supervise(choice: _Choice) -> None:
    """Keep the processes, in the foreground."""
    from rum_twisted.stack.supervisor import Supervisor  # noqa: PLC0415 - here only

    state = State(choice.folder)
    machine = choice.machine()
    try:
        with state.held():
            groups = find_groups(_group_name(choice.folder))
            try:
                supervisor = Supervisor(
                    machine.processes(),
                    choice.folder / "logs",
                    lambda services: state.write(
                        {
                            "supervisor": os.getpid(),
                            "compose": str(choice.compose),
                            "shift": choice.shift,
                            "groups": None if groups is None else groups.facts,
                            "services": services,
                        }
                    ),
                    groups,
                )
                supervisor.run()
            finally:
                if groups is not None:
                    groups.remove()
                state.forget()
    except Running:
        raise click.ClickException("the stack runs already") from None


def _group_name(folder: Path) -> str:
    return f"rum-stack-{sha256(str(folder).encode()).hexdigest()[:8]}"


def _clear_away(state: State) -> None:
    """Take away what a supervisor has left that was killed."""
    groups = groups_of(state.read())
    if groups is not None:
        groups.remove()
    state.forget()


def _check_same(choice: _Choice, facts: Mapping[str, Any]) -> None:
    """Make sure that the stack that runs in the folder is the one that is meant."""
    runs = facts.get("shift", choice.shift), facts.get("compose", str(choice.compose))
    if runs != (choice.shift, str(choice.compose)):
        raise click.ClickException(
            f"in {choice.folder} runs a stack from {runs[1]}, shifted by {runs[0]}; "
            "end it first (make stack-down), or use another --folder"
        )


def _check_ports(processes: Iterable[Process]) -> None:
    for process in processes:
        for host, port in process.ports:
            with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    listener.bind((host, port))
                    listener.listen(1)
                except OSError as error:
                    raise click.ClickException(_trouble(process, port, error)) from None


def _trouble(process: Process, port: int, error: OSError) -> str:
    if error.errno != errno.EADDRINUSE:
        return f"{process.name} cannot listen at port {port}: {error.strerror}"
    return (
        f"port {port}, where {process.name} is to listen, is taken by another program."
        " All ports can be shifted: make stack STACK='--shift 10000'"
    )


def _spawn(choice: _Choice) -> "subprocess.Popen[bytes]":
    logs = choice.folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / "supervisor.out").open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - this very program
            (sys.executable, "-m", "rum_twisted.stack", *choice.words(), "supervise"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_until_ready(
    state: State,
    processes: Sequence[Process],
    supervisor: "subprocess.Popen[bytes] | None",
    deadline: float,
) -> None:
    """Return when all are well.

    Raises:
        ClickException: that has not come, or cannot come.
    """
    from rum_twisted.rpc.health import is_serving  # noqa: PLC0415 - gRPC is slow to load

    logs = state.folder / "logs"

    def are_well() -> bool:
        if supervisor is not None and supervisor.poll() is not None:
            raise click.ClickException(_last_words(logs, "supervisor"))
        services = {each["name"]: each for each in state.read().get("services", ())}
        for name, each in services.items():
            if each["restarts"] >= _TOO_OFTEN or each["state"] == "ended":
                raise click.ClickException(_last_words(logs, name))
        return all(
            services.get(process.name, {}).get("state") == "running"
            and services[process.name]["health"] in ("healthy", "none")
            for process in processes
        )

    _until(are_well, deadline, "not all are well; make stack-status shows which")
    for process in processes:
        if process.endpoint:
            _until(
                partial(is_serving, process.endpoint, _ONE_ANSWER),
                deadline,
                f"{process.name} does not answer over gRPC at {process.endpoint}",
            )


def _until(is_so: Callable[[], bool], deadline: float, otherwise: str) -> None:
    while not is_so():
        if time.monotonic() > deadline:
            raise click.ClickException(otherwise)
        time.sleep(_BETWEEN_LOOKS)  # noqa: TID251 - other processes are awaited


def _last_words(logs: Path, name: str) -> str:
    """Return the last lines that a process has printed or logged."""
    lines: list[str] = []
    for suffix in ("log", "out"):
        with suppress(FileNotFoundError):
            text = (logs / f"{name}.{suffix}").read_text("utf-8", "replace")
            lines += text.splitlines()[-_LAST_LINES:]
    if not lines:
        return f"{name} does not stay up, and said nothing; is there room in {logs}?"
    return f"{name} does not stay up; it said:\n" + "\n".join(lines)


def _tell_first_start(words: Path) -> None:
    """Show what a first start has to tell, and keep it nowhere."""
    with suppress(FileNotFoundError):
        text = words.read_text("utf-8", "replace")
        if _FIRST_START in text:
            click.echo(_FIRST_START + text.rpartition(_FIRST_START)[2].rstrip())
            os.truncate(words, 0)


def _show(state: State) -> None:
    facts = state.read()
    groups = groups_of(facts)
    console = Console()
    if not console.is_terminal:
        console.width = _PIPED_WIDTH
    console.print(table_of(measured(facts), is_limited=groups is not None))
    console.print(
        "Memory in MB. The kernel holds the limits."
        if groups is not None
        else "Memory in MB. Limits are only shown: no control groups can be made here."
    )


def _end(state: State) -> None:
    """End the supervisor, and with it all others.

    Raises:
        ClickException: it does not end.
    """
    number = state.holder()
    if number is not None:
        _signal(number, signal.SIGTERM)
        try:
            _until(
                lambda: state.holder() != number, time.monotonic() + _END_WITHIN, "slow"
            )
        except click.ClickException:
            _signal(number, signal.SIGKILL)  # the kernel ends the others with it
            _until(
                lambda: state.holder() != number,
                time.monotonic() + _END_WITHIN,
                f"process {number}, the supervisor, does not end",
            )
    _clear_away(state)


def _signal(number: int, which: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(number, which)
