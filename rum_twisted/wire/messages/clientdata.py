"""What clients tell each other past the server: ``#SB`` ``#PC``."""

from dataclasses import dataclass

__all__ = ["ControllerData", "PilotData"]


@dataclass(frozen=True, slots=True)
class PilotData:
    """One pilot's client tells another's about its aircraft model.

    Example: ``#SBKLM123:AFR456:PI:GEN:EQUIPMENT=B738:AIRLINE=KLM``
    """

    source: str
    destination: str
    data: str


@dataclass(frozen=True, slots=True)
class ControllerData:
    """One controller's client coordinates with another's.

    Example: ``#PCEHAM_TWR:EHAM_APP:CCP:VER``
    """

    source: str
    destination: str
    data: str
