"""Text of the wire, and text that people read.

The server holds what clients send as bytes decoded as Latin-1; FSD has no encoding,
and most clients send UTF-8. So what an operator types becomes its UTF-8 bytes, and
what the server keeps is shown as UTF-8 where it is.
"""

__all__ = ["shown", "wire_text"]


def wire_text(text: str) -> str:
    """Return what a client would send for ``text``, decoded as Latin-1."""
    return text.encode(errors="surrogateescape").decode("latin-1")


def shown(text: str) -> str:
    """Return text of the wire as a person reads it."""
    return text.encode("latin-1", errors="replace").decode(errors="replace")
