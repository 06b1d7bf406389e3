"""``rumctl audit``: who of the staff did what, to whom, when and from where."""

import click

from rum_twisted.accounts.directory import AccountDirectory
from rum_twisted.accounts.member import Actor, AuditEntry
from rum_twisted.cli.invocation import Invocation, pass_invocation
from rum_twisted.cli.letters import shown, wire_text
from rum_twisted.cli.output import Facts, Output, as_json_option, iso, utc
from rum_twisted.cli.store import with_directory

__all__ = ["audit"]


@click.command()
@click.argument("cid", required=False)
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=50,
    show_default=True,
    help="How many at most.",
)
@as_json_option
@pass_invocation
def audit(
    invocation: Invocation, cid: str | None, *, limit: int, as_json: bool
) -> None:
    """Show what the staff did last, the newest first; with CID, to or by this one."""

    async def act(directory: AccountDirectory, _by: Actor) -> list[AuditEntry]:
        about = None if cid is None else wire_text(cid)
        return await directory.audit_log(limit, about)

    entries = with_directory(invocation, act)
    Output(as_json).records(
        ("when", "who", "from", "act", "whom", "detail"),
        [(_facts(entry), _cells(entry)) for entry in entries],
    )


def _facts(entry: AuditEntry) -> Facts:
    return {
        "at": iso(entry.at),
        "by": shown(entry.by.name),
        "address": entry.by.address,
        "act": entry.act,
        "whom": shown(entry.whom),
        "detail": entry.detail,
    }


def _cells(entry: AuditEntry) -> tuple[str, ...]:
    return (
        utc(entry.at),
        shown(entry.by.name),
        entry.by.address,
        entry.act,
        shown(entry.whom),
        entry.detail,
    )
