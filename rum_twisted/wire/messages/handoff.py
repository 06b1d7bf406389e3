"""Hand-offs between controllers: ``$HO`` ``$HA``."""

from dataclasses import dataclass

__all__ = ["HandoffAccept", "HandoffOffer"]


@dataclass(frozen=True, slots=True)
class HandoffOffer:
    """Offers an aircraft to another controller.

    Example: ``$HOEHAM_APP:EHAM_TWR:KLM123``
    """

    source: str
    destination: str
    aircraft: str


@dataclass(frozen=True, slots=True)
class HandoffAccept:
    """Accepts an aircraft that was offered.

    Example: ``$HAEHAM_TWR:EHAM_APP:KLM123``
    """

    source: str
    destination: str
    aircraft: str
