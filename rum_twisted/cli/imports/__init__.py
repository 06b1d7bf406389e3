"""Accounts of other programs, read row by row; one module for each kind of source.

A reader yields a `rum_twisted.cli.imports.rows.Row` for each account it understands
and a `rum_twisted.cli.imports.rows.Refused` for each other one. It knows nothing of
the store that takes them.
"""
