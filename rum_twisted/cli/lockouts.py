"""``rumctl lockouts``: who has to wait after wrong passwords, and letting him go.

What is counted lives in the server's memory, so the running server is asked.
"""

from collections.abc import Mapping
from typing import Any

import click

from rum_twisted.cli.asking import ask_server
from rum_twisted.cli.invocation import Invocation, pass_invocation
from rum_twisted.cli.letters import shown, wire_text
from rum_twisted.cli.output import Output, as_json_option
from rum_twisted.terms.identity import fold

__all__ = ["lockouts"]


@click.group(invoke_without_command=True)
@as_json_option
@click.pass_context
def lockouts(context: click.Context, *, as_json: bool) -> None:
    """Show the addresses and CIDs that wrong passwords keep waiting."""
    if context.invoked_subcommand is None:
        invocation = context.find_object(Invocation)
        assert invocation is not None, "the command above makes it"
        invocation.refuse_name()
        found = _lockouts(invocation)
        Output(as_json).records(
            ("what", "key", "failures", "waits for"),
            [(lockout, _cells(lockout)) for lockout in found],
        )


@lockouts.command()
@click.argument("key")
@click.option("--dry-run", is_flag=True, help="Only tell whether there is such a one.")
@as_json_option
@pass_invocation
def lift(invocation: Invocation, key: str, *, dry_run: bool, as_json: bool) -> None:
    """Let the address or CID that is listed as KEY try again at once."""
    counted = fold(wire_text(key))  # as the server does
    if not dry_run:
        _noted(invocation, counted)
    elif all(lockout["key"] != shown(counted) for lockout in _lockouts(invocation)):
        raise click.ClickException(f"{key}: nobody is kept waiting under this key")
    Output(as_json).done(f"{key} may try again", dry_run=dry_run, key=key)


def _noted(invocation: Invocation, key: str) -> None:
    """Lift a lockout, and write it into the audit log where there is a database."""

    def lift_it() -> None:
        ask_server(invocation, "lockouts.lift", key=key)

    if invocation.config().chosen_store() != "database":
        invocation.refuse_name()  # there is no member who could prove who he is
        lift_it()
        # Twisted's logger is loaded for this alone.
        from rum_twisted.cli.auditing import note_without_database  # noqa: PLC0415

        note_without_database(invocation, "unlock", key)
        return
    # The database's libraries are loaded for this alone.
    from rum_twisted.cli.store import note_act  # noqa: PLC0415

    note_act(invocation, "unlock", key, lift_it)


def _lockouts(invocation: Invocation) -> list[Mapping[str, Any]]:
    """Return what the server tells, with keys as a person reads them."""
    return [
        {**lockout, "key": shown(str(lockout["key"]))}
        for lockout in ask_server(invocation, "lockouts.list")
    ]


def _cells(lockout: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(lockout["counted"]),
        str(lockout["key"]),
        str(lockout["failures"]),
        f"{lockout['wait']:.0f} s",
    )
