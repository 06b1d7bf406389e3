"""What several commands take: CIDs, ratings, names, permissions, a dry run, a yes.

A word that does not fit is a mistake of the command line, and told with what was due.
"""

import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click
from typing_extensions import override

from rum_twisted.accounts.member import is_possible_cid
from rum_twisted.cli.facts import rating_word
from rum_twisted.cli.imports.rows import Refusal, one_line, unicode_text
from rum_twisted.cli.letters import wire_text
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.permissions import Permission

__all__ = [
    "PERMISSION",
    "RatingWord",
    "Text",
    "TextLine",
    "cid_argument",
    "confirm",
    "dry_run_option",
    "particulars",
    "yes_option",
]

_RATINGS: Final = ", ".join(rating_word(rating) for rating in Rating)


class RatingWord(click.ParamType[Rating]):
    """A rating as somebody types it: its number or its name."""

    name = "rating"

    @override
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Rating:
        """Return the rating; a mistake in it is one of the command line."""
        if isinstance(value, Rating):
            return value
        for rating in Rating:
            if value.lower() in (str(rating.value), rating.name.lower()):
                return rating
        return self.fail(f"{value!r} is none of: {_RATINGS}", param, ctx)


class Text(click.ParamType[str]):
    """Text of any number of lines, such as notes."""

    name = "text"

    @override
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the text; bytes that are none are a mistake."""
        try:
            return unicode_text(value, "text")
        except Refusal as refusal:
            return self.fail(str(refusal), param, ctx)


class TextLine(click.ParamType[str]):
    """One line of text: a name, a mail address."""

    name = "text"

    @override
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the text; control signs in it are a mistake."""
        try:
            return one_line(value, "text")
        except Refusal as refusal:
            return self.fail(str(refusal), param, ctx)


PERMISSION: Final = click.Choice([permission.value for permission in Permission])

F = TypeVar("F", bound=Callable[..., Any])


def particulars(command: F) -> F:
    """Add the options for what staff may change of a member as they like."""
    for option in (
        click.option("--notes", type=Text(), help="What the staff keeps in mind."),
        click.option("--pilot-rating", type=click.IntRange(0, 1023)),
        click.option("--email", type=TextLine(), help="The mail address."),
        click.option("--name", type=TextLine(), help="The real name."),
    ):
        command = option(command)
    return command


def _cid(_context: click.Context, _parameter: click.Parameter, typed: str) -> str:
    """Return a CID from the command line as text of the wire."""
    cid = wire_text(typed)
    if not is_possible_cid(cid):
        raise click.BadParameter(
            "1 to 64 letters are due, without blanks, colons and control codes"
        )
    return cid


cid_argument: Final = click.argument("cid", callback=_cid)
dry_run_option: Final = click.option(
    "--dry-run", is_flag=True, help="Look at everything, and change nothing."
)
yes_option: Final = click.option("--yes", is_flag=True, help="Do not ask back.")


def confirm(question: str, *, yes: bool) -> None:
    """Ask back before something that cannot be undone.

    Raises:
        click.Abort: the answer is no.
        click.ClickException: there is no terminal to ask on.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.ClickException(
            f"{question} There is no terminal to ask on: use --yes"
        )
    click.confirm(question, abort=True, err=True)
