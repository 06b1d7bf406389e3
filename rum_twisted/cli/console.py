"""``rumctl console``: the password of the classic administration port.

It asks no server and changes nothing: what it prints is for the settings.
"""

import click

from rum_twisted.accounts.passwords import Argon2Parameters, Hasher
from rum_twisted.cli.invocation import Invocation, pass_invocation
from rum_twisted.cli.output import Output, as_json_option
from rum_twisted.cli.password_source import new_password, password_options

__all__ = ["console"]


@click.group()
def console() -> None:
    """Make the password of the console."""


@console.command()
@password_options
@as_json_option
@pass_invocation
def passwd(
    invocation: Invocation,
    *,
    from_standard_input: bool,
    generate: bool,
    as_json: bool,
) -> None:
    """Print the hash of a new password, as a line for the table [console]."""
    invocation.refuse_name()
    password = new_password(
        Hasher(Argon2Parameters()),
        from_standard_input=from_standard_input,
        generate=generate,
    )
    output = Output(as_json)
    output.done(
        f'password = "{password.hash}"  # below [console]',
        hash=password.hash,
        password=password.generated or None,
    )
    if password.generated:
        output.remark(f"password: {password.generated}  (shown once)")
