"""What a kind of value is to the reader of the sources."""

from pathlib import Path

from zope.interface import Attribute, Interface

__all__ = ["IKind", "Unfit"]


class Unfit(ValueError):
    """A value does not fit its kind; the message says what was due."""


class IKind(Interface):
    """A kind of value."""

    is_text = Attribute("Whether an environment variable may hold it bare (bool).")

    def read(value: object, folder: Path) -> object:
        """Check a value and return it as the server holds it.

        Args:
            value: as TOML gives it.
            folder: absolute; relative paths are relative to it.

        Raises:
            Unfit: the value is of another type, or out of range.
        """
