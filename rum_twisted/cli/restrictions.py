"""``rumctl account suspend | ban | lift``: who may not log on for now, or at all."""

from typing import Any, Final

import click

from rum_twisted.accounts.directory import AccountDirectory
from rum_twisted.accounts.member import Actor, Restriction, RestrictionKind
from rum_twisted.cli.facts import restriction_words
from rum_twisted.cli.imports.rows import Refusal, one_line
from rum_twisted.cli.invocation import Invocation, pass_invocation
from rum_twisted.cli.letters import shown
from rum_twisted.cli.moments import UnfitMoment, after, point
from rum_twisted.cli.output import Output, as_json_option, iso
from rum_twisted.cli.store import member_of, with_directory
from rum_twisted.cli.words import cid_argument, dry_run_option
from rum_twisted.terms.units import Seconds

__all__ = ["ban", "lift", "suspend"]

_reason_option: Final = click.option(
    "--reason", required=True, help="Why; the member reads it."
)
_span_option: Final = click.option("--for", "span", help="How long: 90m, 12h, 7d, 2w.")
_until_option: Final = click.option("--until", help="When it ends: 2026-12-31; UTC.")


@click.command()
@cid_argument
@_reason_option
@_span_option
@_until_option
@dry_run_option
@as_json_option
@pass_invocation
def suspend(invocation: Invocation, /, **options: Any) -> None:
    """Keep a member from logging on for a time, or until it is lifted.

    Who is online stays so; a supervisor can end the session.
    """
    _restrict(invocation, RestrictionKind.SUSPENSION, **options)


@click.command()
@cid_argument
@_reason_option
@_span_option
@_until_option
@dry_run_option
@as_json_option
@pass_invocation
def ban(invocation: Invocation, /, **options: Any) -> None:
    """Keep a member from logging on for good, or until it is lifted.

    Who is online stays so; a supervisor can end the session.
    """
    _restrict(invocation, RestrictionKind.BAN, **options)


@click.command()
@cid_argument
@dry_run_option
@as_json_option
@pass_invocation
def lift(invocation: Invocation, cid: str, *, dry_run: bool, as_json: bool) -> None:
    """Lift a suspension or a ban."""

    async def act(directory: AccountDirectory, by: Actor) -> Restriction:
        member = await member_of(directory, cid)
        if member.restriction is None:
            raise click.ClickException(f"{shown(cid)}: is not suspended or banned")
        if not dry_run:
            await directory.lift(cid, by)
        return member.restriction

    lifted = with_directory(invocation, act)
    Output(as_json).done(
        f"{shown(cid)}: {lifted.kind.value} lifted",
        cid=shown(cid),
        dry_run=dry_run,
    )


def _restrict(  # noqa: PLR0913 - the options of the commands, by name
    invocation: Invocation,
    kind: RestrictionKind,
    *,
    cid: str,
    reason: str,
    span: str | None,
    until: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    end = _end(span, until, invocation.now())
    try:
        text = one_line(reason, "reason")
    except Refusal as refusal:
        raise click.UsageError(str(refusal)) from refusal

    async def act(directory: AccountDirectory, by: Actor) -> Restriction:
        await member_of(directory, cid)
        restriction = Restriction(
            kind=kind, reason=text, since=invocation.now(), until=end, by=by.name
        )
        if not dry_run:
            await directory.restrict(cid, restriction, by)
        return restriction

    made = with_directory(invocation, act)
    Output(as_json).done(
        f"{shown(cid)}: {restriction_words(made, invocation.now())}",
        cid=shown(cid),
        dry_run=dry_run,
        kind=kind.value,
        reason=text,
        until=iso(end),
    )


def _end(span: str | None, until: str | None, now: Seconds) -> Seconds | None:
    """Return when a restriction ends; ``None`` where nothing is said.

    Raises:
        click.UsageError: both are said, or one cannot be understood.
    """
    if span is not None and until is not None:
        raise click.UsageError("--for and --until exclude each other")
    try:
        if span is not None:
            return after(span, now)
        return None if until is None else point(until, now)
    except UnfitMoment as error:
        option = "--for" if span is not None else "--until"
        raise click.UsageError(f"{option} {error}") from error
