"""Weather: ``$AX`` ``$AR`` ``#WX`` ``#TD`` ``#WD`` ``#CD`` ``#DL``."""

from dataclasses import dataclass

__all__ = [
    "CloudData",
    "MetarAnswer",
    "MetarRequest",
    "TemperatureData",
    "WeatherRequest",
    "WindData",
    "WindDelta",
]


@dataclass(frozen=True, slots=True)
class MetarRequest:
    """Asks for a station's report; the first word of ``request`` is ``METAR``.

    Example: ``$AXKLM123:SERVER:METAR:EHAM``
    """

    source: str
    destination: str  # not checked
    request: str

    @property
    def report_kind(self) -> str:
        """What is asked for; only ``METAR``, in any case, is answered."""
        return self.request.partition(":")[0]

    @property
    def station(self) -> str | None:
        """The station as typed; ``None`` where the field is missing."""
        _, colon, rest = self.request.partition(":")
        return rest.partition(":")[0] if colon else None


@dataclass(frozen=True, slots=True)
class MetarAnswer:
    """A station's report, as it stands in the source.

    Example: ``$ARserver:KLM123:METAR:EHAM 101225Z 24012G22KT 9999 FEW018 12/08 Q1013``
    """

    source: str
    destination: str
    report_kind: str
    report: str


@dataclass(frozen=True, slots=True)
class WeatherRequest:
    """Asks for the weather around a station, layer by layer.

    Example: ``#WXKLM123:SERVER:EHAM``
    """

    source: str
    destination: str  # not checked
    station: str


@dataclass(frozen=True, slots=True)
class TemperatureData:
    """Four temperature layers and the pressure.

    ``layers``: ceiling (feet) and temperature (°C) each; ``pressure`` in hundredths
    of an inch of mercury.

    Example: ``#TDserver:KLM123:100:12:10000:-6:18000:-20:35000:-58:2992``
    """

    source: str
    destination: str
    layers: tuple[int, ...]
    pressure: int


@dataclass(frozen=True, slots=True)
class WindData:
    """Four wind layers.

    ``layers``: ceiling, floor (feet), direction (degrees), speed (knots), gusting
    (0 or 1) and turbulence each.

    Example: ``#WDserver:KLM123:2500:0:240:12:1:0:10400:2500:354:6:0:0:…``
    """

    source: str
    destination: str
    layers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CloudData:
    """Two cloud layers, the thunderstorm layer, and the visibility.

    ``layers``: ceiling, floor (feet), coverage (eighths), icing (0 or 1) and
    turbulence each; ``visibility`` in statute miles.

    Example: ``#CDserver:KLM123:2400:1800:1:0:3:6000:3000:5:0:17:-1:-1:0:0:0:15.00``
    """

    source: str
    destination: str
    layers: tuple[int, ...]
    visibility: float


@dataclass(frozen=True, slots=True)
class WindDelta:
    """A small random change of the wind; some clients take it for a heartbeat.

    Example: ``#DLSERVER:*:-3:7``
    """

    source: str
    destination: str
    speed: int  # knots, -5 to 5
    direction: int  # degrees, -10 to 10
