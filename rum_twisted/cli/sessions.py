"""``rumctl sessions`` and ``rumctl hours``: when a member was on, and how long."""

from typing import Final

import click

from rum_twisted.accounts.directory import AccountDirectory
from rum_twisted.accounts.member import Actor, Hours, SessionRecord
from rum_twisted.cli.invocation import Invocation, pass_invocation
from rum_twisted.cli.letters import shown
from rum_twisted.cli.output import Facts, Output, as_json_option, iso, utc
from rum_twisted.cli.store import member_of, with_directory
from rum_twisted.cli.words import cid_argument

__all__ = ["hours", "sessions"]

_MINUTES: Final = 60  # in an hour


@click.command()
@cid_argument
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="How many at most.",
)
@as_json_option
@pass_invocation
def sessions(invocation: Invocation, cid: str, *, limit: int, as_json: bool) -> None:
    """Show when a member was on, and as what, the latest first."""

    async def act(directory: AccountDirectory, _by: Actor) -> list[SessionRecord]:
        await member_of(directory, cid)
        return await directory.sessions(cid, limit)

    found = with_directory(invocation, act)
    Output(as_json).records(
        ("callsign", "as", "from", "to", "time", "address"),
        [(_session_facts(record), _session_cells(record)) for record in found],
    )


@click.command()
@cid_argument
@as_json_option
@pass_invocation
def hours(invocation: Invocation, cid: str, *, as_json: bool) -> None:
    """Show how long a member was on: as pilot, and at each position."""

    async def act(directory: AccountDirectory, _by: Actor) -> Hours:
        await member_of(directory, cid)
        return await directory.hours(cid)

    found = with_directory(invocation, act)
    positions = sorted(
        found.controller_minutes.items(), key=lambda item: item[1], reverse=True
    )
    words = {
        "as pilot": _time(found.pilot_minutes),
        "as controller": _time(found.all_controller_minutes),
        **{
            f"  {shown(callsign)} (facility {facility})": _time(minutes)
            for (facility, callsign), minutes in positions
        },
    }
    Output(as_json).record(
        {
            "cid": shown(cid),
            "pilot_minutes": round(found.pilot_minutes, 1),
            "controller_minutes": round(found.all_controller_minutes, 1),
            "positions": [
                {
                    "callsign": shown(callsign),
                    "facility": facility,
                    "minutes": round(minutes, 1),
                }
                for (facility, callsign), minutes in positions
            ],
        },
        words,
    )


def _session_facts(record: SessionRecord) -> Facts:
    return {
        "callsign": shown(record.callsign),
        "kind": record.kind.value,
        "facility": record.facility,
        "rating": record.rating,
        "server": record.server,
        "address": record.address,
        "from": iso(record.began),
        "to": None if record.is_open else iso(record.seen),
        "minutes": round(record.minutes, 1),
    }


def _session_cells(record: SessionRecord) -> tuple[str, ...]:
    return (
        shown(record.callsign),
        record.kind.value,
        utc(record.began),
        "is on" if record.is_open else utc(record.seen),
        _time(record.minutes),
        record.address,
    )


def _time(minutes: float) -> str:
    """Return minutes as hours and minutes, e.g. ``12:05``."""
    hours, rest = divmod(round(minutes), _MINUTES)
    return f"{hours}:{rest:02d}"
