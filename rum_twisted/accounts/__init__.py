"""Who may log on: the stores of accounts behind `IAccounts`.

Each store proves a CID and its password and tells the highest rating; what comes of
it is decided in `rum_twisted.session`. Making the first account of a new server is
here too, for want of anybody to log on without it.

What needs a library besides Twisted (`database` and all that it imports) is not named
here: it is loaded by whoever uses it, and by nobody else.
"""

from rum_twisted.accounts.certfile import CertFileAccounts
from rum_twisted.accounts.first import (
    AccountFileError,
    FirstAccount,
    create_first_account,
)
from rum_twisted.accounts.memory import MemoryAccounts

__all__ = [
    "AccountFileError",
    "CertFileAccounts",
    "FirstAccount",
    "MemoryAccounts",
    "create_first_account",
]
