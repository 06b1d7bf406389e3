"""The operator's way into a running server: commands over a socket file.

`server` listens, `client` asks; both know `lines`, the form of a question and its
answer, and `address`, how the socket file is named to the kernel. What there is to
ask is registered by `rum_twisted.assembly`. The client needs the standard library
only, so that a program that asks one question stays small.
"""
