"""Who may log on: the stores of accounts behind `IAccounts`.

Each store proves a CID and its password and tells the highest rating; what comes of
it is decided in `rum_twisted.session`. Making the first account of a new server is
here too, for want of anybody to log on without it.

Nothing is imported here: each process loads the store that it uses, and no other.
"""
