"""A Python prompt inside the running server, for whoever may do anything anyway.

`shell` is the prompt, `limit` ends what runs away, `tools` is what lies at hand. Two
ways lead there: `server` listens on a socket file for ``rumctl manhole``, `ssh` on a
loopback port for whoever has a key. Nothing of this but `server` is imported before
somebody comes.
"""
