"""One connection's conversation: who may say what, when, and what comes of it.

No reactor and no transport: time, accounts, weather and the way to other clients
come in as the interfaces of `rum_twisted.session.interfaces`.
"""
