"""How the tables came to be, step by step; Alembic walks the steps.

A step is never changed once it was released. A new one gets the next number, which
becomes `rum_twisted.accounts.schema.REVISION`.
"""
