"""``rumctl account``: members, one at a time; `transfer` has those for many at once.

Whatever changes something can be tried with ``--dry-run``, which looks at everything
and changes nothing.
"""

from collections.abc import Sequence
from typing import Any, Final

import click

from rum_twisted.accounts.directory import AccountDirectory
from rum_twisted.accounts.member import Actor, InvalidMember, Member, MemberFilter
from rum_twisted.cli.changes import edit, permit, rating
from rum_twisted.cli.facts import (
    member_facts,
    member_words,
    rating_word,
    restriction_words,
)
from rum_twisted.cli.invocation import Invocation, pass_invocation
from rum_twisted.cli.letters import shown
from rum_twisted.cli.output import Output, as_json_option, utc
from rum_twisted.cli.password_source import NewPassword, new_password, password_options
from rum_twisted.cli.restrictions import ban, lift, suspend
from rum_twisted.cli.store import hasher, member_of, with_directory
from rum_twisted.cli.transfer import export_members, import_members
from rum_twisted.cli.words import (
    PERMISSION,
    RatingWord,
    Text,
    cid_argument,
    confirm,
    dry_run_option,
    particulars,
    yes_option,
)
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.permissions import Permission

__all__ = ["account"]

_UNLIMITED: Final = 0


@click.group()
def account() -> None:
    """Manage members: who they are, how high they may log on, and whether."""


@account.command()
@cid_argument
@click.option("--rating", type=RatingWord(), default="1", show_default=True)
@particulars
@click.option("--permit", type=PERMISSION, multiple=True, help="May be repeated.")
@password_options
@dry_run_option
@as_json_option
@pass_invocation
def add(  # noqa: PLR0913 - the options of the command, by name
    invocation: Invocation,
    /,
    cid: str,
    *,
    rating: Rating,
    permit: Sequence[str],
    from_standard_input: bool,
    generate: bool,
    dry_run: bool,
    as_json: bool,
    **particulars: Any,
) -> None:
    """Register a member under CID, with a password that is asked for.

    RATING is a number or a name: 0 suspended, 1 observer (and pilots), 2 to 4
    student1 to student3, 5 to 7 controller1 to 3, 8 to 10 instructor1 to 3,
    11 supervisor, 12 administrator.
    """
    password = new_password(
        hasher(invocation), from_standard_input=from_standard_input, generate=generate
    )
    member = _new_member(
        cid=cid,
        rating=rating,
        permissions=frozenset(map(Permission, permit)),
        password_hash=password.hash,
        **{name: value for name, value in particulars.items() if value is not None},
    )

    async def act(directory: AccountDirectory, by: Actor) -> None:
        if not dry_run:
            await directory.add(member, by)
        elif await directory.find(cid) is not None:
            raise click.ClickException(f"{shown(cid)}: is registered already")

    with_directory(invocation, act, makes_tables=True, dry_run=dry_run)
    Output(as_json).done(
        f"{shown(cid)} is registered, rating {rating_word(rating)}"
        + _told("; the password is", password, dry_run=dry_run),
        dry_run=dry_run,
        account=member_facts(member, invocation.now()),
        **_generated(password, dry_run=dry_run),
    )


@account.command()
@cid_argument
@password_options
@dry_run_option
@as_json_option
@pass_invocation
def passwd(
    invocation: Invocation,
    cid: str,
    *,
    from_standard_input: bool,
    generate: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Give a member a new password; the old one is good no more."""
    password = new_password(
        hasher(invocation), from_standard_input=from_standard_input, generate=generate
    )

    async def act(directory: AccountDirectory, by: Actor) -> None:
        await member_of(directory, cid)
        if not dry_run:
            await directory.set_password(cid, password.hash, by)

    with_directory(invocation, act)
    Output(as_json).done(
        f"{shown(cid)} has a new password" + _told(":", password, dry_run=dry_run),
        dry_run=dry_run,
        cid=shown(cid),
        **_generated(password, dry_run=dry_run),
    )


@account.command()
@cid_argument
@yes_option
@dry_run_option
@as_json_option
@pass_invocation
def delete(
    invocation: Invocation, cid: str, *, yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Delete a member, with sessions and hours; the audit log keeps what it has."""

    async def act(directory: AccountDirectory, by: Actor) -> None:
        member = await member_of(directory, cid)
        if not dry_run:
            who = f"{shown(cid)} ({member.name})" if member.name else shown(cid)
            confirm(f"Delete {who}?", yes=yes)
            await directory.delete(cid, by)

    with_directory(invocation, act)
    Output(as_json).done(
        f"{shown(cid)} is deleted",
        cid=shown(cid),
        dry_run=dry_run,
    )


@account.command()
@cid_argument
@as_json_option
@pass_invocation
def show(invocation: Invocation, cid: str, *, as_json: bool) -> None:
    """Show everything about a member but the password."""

    async def act(directory: AccountDirectory, _by: Actor) -> Member:
        return await member_of(directory, cid)

    member = with_directory(invocation, act)
    now = invocation.now()
    Output(as_json).record(member_facts(member, now), member_words(member, now))


@account.command(name="list")
@click.argument("text", type=Text(), default="")
@click.option("--lowest", type=RatingWord(), help="Rating from.")
@click.option("--highest", type=RatingWord(), help="Rating up to.")
@click.option("--restricted/--free", "restricted", default=None)
@click.option("--permission", type=PERMISSION)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="How many at most; 0 for all.",
)
@as_json_option
@pass_invocation
def list_members(  # noqa: PLR0913 - the options of the command, by name
    invocation: Invocation,
    *,
    text: str,
    lowest: Rating | None,
    highest: Rating | None,
    restricted: bool | None,
    permission: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List members by CID: all, or those with TEXT in CID, name or mail address."""
    meant = MemberFilter(
        text=text,
        lowest_rating=lowest,
        highest_rating=highest,
        is_restricted=restricted,
        permission=None if permission is None else Permission(permission),
    )

    async def act(directory: AccountDirectory, _by: Actor) -> tuple[list[Member], int]:
        found: list[Member] = []
        async for member in directory.members(meant):
            if limit != _UNLIMITED and len(found) == limit:
                break
            found.append(member)
        return found, await directory.count(meant)

    found, count = with_directory(invocation, act)
    now = invocation.now()
    output = Output(as_json)
    output.records(
        ("CID", "name", "rating", "permissions", "last seen", "restriction"),
        (
            (
                member_facts(member, now),
                (
                    shown(member.cid),
                    member.name,
                    rating_word(member.rating),
                    " ".join(sorted(one.value for one in member.permissions)),
                    utc(member.last_seen),
                    restriction_words(member.restriction_at(now), now),
                ),
            )
            for member in found
        ),
    )
    more = f" of {count}; --limit 0 shows all" if len(found) < count else ""
    output.remark(f"members: {len(found)}{more}")


def _new_member(**fields: Any) -> Member:
    """Return a member with these fields.

    Raises:
        click.UsageError: one of them does not fit.
    """
    try:
        return Member(**fields)
    except InvalidMember as error:
        raise click.UsageError(str(error)) from error


def _told(before: str, password: NewPassword, *, dry_run: bool) -> str:
    """Return a password that was made up, for the one who hands it on."""
    if dry_run or not password.generated:
        return ""
    return f"{before} {password.generated}"


def _generated(password: NewPassword, *, dry_run: bool) -> dict[str, str]:
    """Return the same for a program."""
    if dry_run or not password.generated:
        return {}
    return {"generated_password": password.generated}


for _command in (
    rating,
    edit,
    permit,
    suspend,
    ban,
    lift,
    import_members,
    export_members,
):
    account.add_command(_command)
