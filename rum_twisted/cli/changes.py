"""``rumctl account rating | edit | permit``: what staff may change as they like."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from rum_twisted.accounts.directory import AccountDirectory
from rum_twisted.accounts.member import Actor, Member
from rum_twisted.cli.facts import member_facts, member_words
from rum_twisted.cli.invocation import Invocation, pass_invocation
from rum_twisted.cli.letters import shown
from rum_twisted.cli.output import Output, as_json_option
from rum_twisted.cli.store import member_of, with_directory
from rum_twisted.cli.words import (
    PERMISSION,
    RatingWord,
    cid_argument,
    dry_run_option,
    particulars,
)
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.permissions import Permission

__all__ = ["edit", "permit", "rating"]


@click.command()
@cid_argument
@click.argument("rating", type=RatingWord())
@dry_run_option
@as_json_option
@pass_invocation
def rating(
    invocation: Invocation, cid: str, *, rating: Rating, dry_run: bool, as_json: bool
) -> None:
    """Set how high a member may log on: a number from 0 to 12, or a name."""
    _change(invocation, cid, {"rating": rating}, dry_run=dry_run, as_json=as_json)


@click.command()
@cid_argument
@particulars
@dry_run_option
@as_json_option
@pass_invocation
def edit(
    invocation: Invocation,
    /,
    cid: str,
    *,
    dry_run: bool,
    as_json: bool,
    **particulars: Any,
) -> None:
    """Change name, mail address, pilot rating or notes of a member."""
    changes = {name: value for name, value in particulars.items() if value is not None}
    if not changes:
        raise click.UsageError("nothing to change: name one of the options")
    _change(invocation, cid, changes, dry_run=dry_run, as_json=as_json)


@click.command()
@cid_argument
@click.argument("permissions", type=PERMISSION, nargs=-1, required=True)
@click.option("--withdraw", is_flag=True, help="Take them away instead.")
@dry_run_option
@as_json_option
@pass_invocation
def permit(
    invocation: Invocation,
    cid: str,
    *,
    permissions: Sequence[str],
    withdraw: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Let a member do more than the rating does.

    kick: end others' sessions. notices: be told what the server tells its staff.
    accounts: act here in his own name, with --as.
    """
    meant = frozenset(map(Permission, permissions))

    def changes(member: Member) -> dict[str, Any]:
        kept = member.permissions - meant if withdraw else member.permissions | meant
        return {"permissions": kept}

    _change(invocation, cid, changes, dry_run=dry_run, as_json=as_json)


def _change(
    invocation: Invocation,
    cid: str,
    changes: dict[str, Any] | Callable[[Member], dict[str, Any]],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Change fields of a member, and tell what became of them."""

    async def act(directory: AccountDirectory, by: Actor) -> tuple[Member, Member]:
        before = await member_of(directory, cid)
        wanted = changes(before) if callable(changes) else changes
        after = before.with_changes(wanted)
        if not dry_run and after != before:
            after = await directory.change(cid, by, **wanted)
        return before, after

    before, after = with_directory(invocation, act)
    now = invocation.now()
    old, new = member_words(before, now), member_words(after, now)
    differences = [
        f"{name}: {old[name] or 'none'} -> {new[name] or 'none'}"
        for name in new
        if new[name] != old[name]
    ]
    what = "; ".join(differences) or "is so already"
    Output(as_json).done(
        f"{shown(cid)}: {what}",
        dry_run=dry_run,
        account=member_facts(after, now),
    )
