"""Bytes to messages and back: the only room that knows a colon.

Standard library only and free of I/O: it is tested with bytes and equality alone.
"""
