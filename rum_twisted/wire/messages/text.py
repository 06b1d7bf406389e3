"""Text messages: ``#TM``."""

from dataclasses import dataclass

__all__ = ["TextMessage"]


@dataclass(frozen=True, slots=True)
class TextMessage:
    """Something said: to a callsign, a group or a frequency.

    Example: ``#TMKLM123:@18100:Schiphol tower, good evening: KLM123``
    """

    source: str
    destination: str
    text: str  # colons included
