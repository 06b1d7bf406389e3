"""Where a new password comes from: a hidden prompt, standard input, or the dice."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import click

from rum_twisted.accounts.first import readable_password
from rum_twisted.accounts.passwords import LONGEST_PASSWORD, Hasher, UnfitPassword
from rum_twisted.cli.letters import wire_text

__all__ = ["NewPassword", "from_stdin", "new_password", "password_options", "prompt"]

F = TypeVar("F", bound=Callable[..., Any])

_NO_TEXT: Final = (
    "the password is not UTF-8 text; a client that sends other bytes needs one of"
    " ASCII letters"
)


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password that somebody is to log on with."""

    hash: str = field(repr=False)
    generated: str = field(repr=False, default="")  # to be shown this once; else ""


def password_options(command: F) -> F:
    """Add the two options that stand in for the prompt to a command."""
    command = click.option(
        "--password-stdin",
        "from_standard_input",
        is_flag=True,
        help="Read the password from the first line of standard input.",
    )(command)
    return click.option(
        "--generate",
        is_flag=True,
        help="Make a password up and show it, this once.",
    )(command)


def new_password(
    hasher: Hasher, *, from_standard_input: bool, generate: bool
) -> NewPassword:
    """Get a new password in the way that the options say.

    Raises:
        click.UsageError: both options are given.
        click.ClickException: nobody could log on with the password.
    """
    if from_standard_input and generate:
        raise click.UsageError("--password-stdin and --generate exclude each other")
    if generate:
        text = readable_password()
        return NewPassword(hasher.hash(text), text)
    typed = from_stdin() if from_standard_input else prompt("New password", twice=True)
    try:
        return NewPassword(hasher.hash(wire_text(typed)))
    except UnfitPassword as error:
        raise click.ClickException(f"not taken: {error}") from error


def from_stdin() -> str:
    """Return the first line of standard input, without its end.

    Raises:
        click.ClickException: it is not UTF-8 text, whatever the locale takes it for.
    """
    line = sys.stdin.buffer.readline(LONGEST_PASSWORD + 3)
    line = line.removesuffix(b"\n").removesuffix(b"\r")
    if len(line) > LONGEST_PASSWORD:
        return line.decode(errors="surrogateescape")  # cut within a letter, perhaps
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise click.ClickException(_NO_TEXT) from error


def prompt(question: str, *, twice: bool = False) -> str:
    """Ask for a password on the terminal without showing it.

    Raises:
        click.ClickException: there is no terminal to ask on, or what is typed there is
            no text.
    """
    if not sys.stdin.isatty():
        raise click.ClickException(
            "a password is due and there is no terminal to ask on: use --password-stdin"
        )
    try:
        answer: str = click.prompt(
            question, hide_input=True, confirmation_prompt=twice, err=True
        )
    except UnicodeDecodeError as error:
        raise click.ClickException(_NO_TEXT) from error
    return answer
