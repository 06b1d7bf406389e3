"""What each packet does, one module a family, named as in `rum_twisted.wire.messages`.

A handler takes the session and the decoded message; what is wrong with a packet is
raised as a `RumError`. `rum_twisted.session.commands` says which packet is whose.
"""
