"""The account file of a server that is started for the very first time.

Nobody could log on without it. It holds one administrator with a random password,
which the operator is shown once; it is his to edit from then on.
"""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rum_twisted.terms.identity import Rating

__all__ = [
    "FIRST_CID",
    "AccountFileError",
    "FirstAccount",
    "create_first_account",
    "readable_password",
]

FIRST_CID: Final = "1000000"
# Letters and digits that nobody takes for one another (no i, l, 1, o, 0). One case
# only, as passwords compare without regard to it: 16 of these hold 79 bits.
_READABLE_SIGNS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
PASSWORD_LENGTH: Final = 16
_OWNER_ONLY: Final = 0o600  # passwords stand here in plain words

_HEADER: Final = """\
; Accounts, one a line:  <cid> <password> <rating>
; with blanks or tabs between them; what follows the rating is ignored.
;
; cid       any word, commonly a number
; password  any word; A to Z count as a to z, here and in the cid
; rating    0 suspended      1 observer, pilot   2 to 4 student 1 to 3
;           5 to 7 controller 1 to 3             8 to 10 instructor 1 to 3
;           11 supervisor   12 administrator
;
; Lines that start with ; or # are comments. The server reads this file again by
; itself when it has changed.
"""


class AccountFileError(Exception):
    """The first account file cannot be written; its text says where and why."""


@dataclass(frozen=True, slots=True)
class FirstAccount:
    """The administrator that a new account file begins with."""

    cid: str
    password: str = field(repr=False)  # to be shown once, and never logged


def readable_password() -> str:
    """Return a random password that a person can type from a screen."""
    return "".join(secrets.choice(_READABLE_SIGNS) for _ in range(PASSWORD_LENGTH))


def create_first_account(path: Path) -> FirstAccount | None:
    """Make an account file with one administrator, unless there is one.

    Folders on the way to ``path`` are made too. Only the owner may read the file.
    What is there already, file or not, is never touched.

    Returns:
        the administrator, or ``None`` if ``path`` exists.

    Raises:
        AccountFileError: the file or a folder cannot be made; no part of the file
            is left behind.
    """
    password = readable_password()
    line = f"{FIRST_CID} {password} {Rating.ADMINISTRATOR.value}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except FileExistsError as error:
        if os.path.lexists(path):
            return None
        # A file stands where a folder is due.
        raise _file_error(path, error) from error
    except OSError as error:
        raise _file_error(path, error) from error
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(_HEADER + line)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _file_error(path, error) from error
    return FirstAccount(FIRST_CID, password)


def _file_error(path: Path, error: OSError) -> AccountFileError:
    reason = error.strerror or str(error)
    return AccountFileError(f"account file {path}: cannot be made: {reason}")
