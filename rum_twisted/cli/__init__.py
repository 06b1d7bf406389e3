"""``rumctl``: what an operator does to accounts and to a running server, by hand.

`main` reads the command line; there is one module for each noun behind it. What a
command asks of the accounts it asks of `rum_twisted.accounts.directory`, and of a
running server through `rum_twisted.control`. Only `output` knows how an answer
looks; only `staff` knows who asks.
"""
