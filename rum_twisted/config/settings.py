"""Every setting of the server: its default, kind, unit and reason, in one place.

The tree of classes is what the rooms are given. What stands in a field's metadata
is what the reader of the sources, ``etc/rum.toml.example`` and the tests walk, so
that they cannot disagree with it or with each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from rum_twisted.config import endpoints
from rum_twisted.config.interfaces import IKind
from rum_twisted.config.kinds import (
    Choice,
    Endpoints,
    Identifier,
    Integer,
    Number,
    PathName,
    Text,
)

__all__ = [
    "DATA_DIR",
    "SETTINGS",
    "TABLES",
    "AccountsSettings",
    "Config",
    "PergolaSettings",
    "Setting",
    "StatusSettings",
    "WeatherSettings",
]

DATA_DIR: Final = "data"  # under the working directory

_KEY: Final = "setting"  # where a field's metadata keep what `_about` made

_TIME: Final = Number(0.1, 86400.0)  # up to a day
_BYTES: Final = Integer(1, 1 << 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is to be known about one setting, besides its name."""

    kind: IKind
    reason: str  # whole sentences, for an operator
    unit: str = ""  # empty where the value is no quantity
    file_name: str | None = None  # of a file that lies in the data folder by default
    default: object = None  # as an operator would write it


def _about(
    kind: IKind, reason: str, *, unit: str = "", file_name: str | None = None
) -> Mapping[str, Setting]:
    """Return the metadata of a field; see `Setting` for the arguments."""
    return {
        _KEY: Setting(kind=kind, reason=reason, unit=unit, file_name=file_name),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class PergolaSettings:
    """The port that pilots and controllers connect to."""

    motd: Path = field(
        metadata=_about(
            PathName(),
            "The message of the day, shown line by line after each logon; without "
            "the file there is none. Read again at every logon.",
            file_name="motd.txt",
        )
    )
    listen: tuple[str, ...] = field(
        default=("tcp:6809",),
        metadata=_about(
            Endpoints(),
            "Where clients connect: Twisted endpoints. 6809 is the port that "
            "clients try by themselves. To listen on one address only: "
            '"tcp:6809:interface=127.0.0.1".',
        ),
    )
    ident: str = field(
        default="RUM",
        metadata=_about(
            Identifier(), "The server's own name among servers; unique on a network."
        ),
    )
    name: str = field(
        default="Rum",
        metadata=_about(Text(), "What the server is called in lists of servers."),
    )
    email: str = field(
        default="",
        metadata=_about(
            Text(),
            "How members reach the operator; shown in the first line of the greeting.",
        ),
    )
    hostname: str = field(
        default="localhost",
        metadata=_about(
            Text(),
            "The host name that clients connect to, as lists of servers show it. "
            '"n/a" leaves the server out of the status file.',
        ),
    )
    location: str = field(
        default="",
        metadata=_about(Text(), "Where the server stands, e.g. a city."),
    )
    max_clients: int = field(
        default=2000,
        metadata=_about(
            Integer(1, 100_000),
            "How many may be connected; one more is told that the server is full.",
            unit="clients",
        ),
    )
    max_line: int = field(
        default=2048,
        metadata=_about(
            Integer(512, 65536),
            "The longest line taken, its line end counted. Pilot clients send "
            "lines of nearly 2 kB, so less loses some of them.",
            unit="bytes",
        ),
    )
    idle_timeout: float = field(
        default=500.0,
        metadata=_about(
            _TIME,
            "Who says nothing for so long is disconnected. Clients report every few "
            "seconds, some controllers' twice a minute.",
            unit="seconds",
        ),
    )
    login_timeout: float = field(
        default=60.0,
        metadata=_about(
            _TIME,
            "Who has not logged on by then is disconnected: open connections cost "
            "memory.",
            unit="seconds",
        ),
    )
    flood_limit: int = field(
        default=100_000,
        metadata=_about(
            _BYTES,
            "Who sends more than this for minutes is disconnected; short bursts pass.",
            unit="bytes per second",
        ),
    )
    outbox_bytes: int = field(
        default=262_144,
        metadata=_about(
            Integer(16384, 1 << 30),
            "How much may wait for one client who reads slowly; past it he is "
            "disconnected. It bounds the memory that he can cost.",
            unit="bytes",
        ),
    )
    send_buffer: int = field(
        default=131_072,
        metadata=_about(
            Integer(4096, 1 << 30),
            "How much the kernel may hold for one client (SO_SNDBUF), besides "
            "outbox_bytes.",
            unit="bytes",
        ),
    )
    stall_timeout: float = field(
        default=45.0,
        metadata=_about(
            _TIME,
            "Who takes nothing for so long, while something waits for him, is "
            "disconnected. A computer that has vanished is given up by TCP after "
            "twice as long.",
            unit="seconds",
        ),
    )
    turn_max: float = field(
        default=0.05,
        metadata=_about(
            Number(0.001, 5.0),
            "The longest wait of a position report before it is written. Reports "
            "that wait together leave together, which costs far less.",
            unit="seconds",
        ),
    )
    cpu_limit: float = field(
        default=0.0,
        metadata=_about(
            Number(0.0, 1024.0),
            "How much CPU the server may use, so that it writes in larger turns "
            "when that is little. 0 asks the system: a container's limit is found.",
            unit="cores",
        ),
    )
    wind_delta_interval: float = field(
        default=70.0,
        metadata=_about(
            _TIME,
            "How often clients are told the change of the wind (#DL).",
            unit="seconds",
        ),
    )

    @property
    def needs_tls(self) -> bool:
        """Whether a listener may need OpenSSL, which costs 12 MB of memory."""
        return any(map(endpoints.needs_tls, self.listen))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsSettings:
    """Who may log on."""

    cert_file: Path = field(
        metadata=_about(
            PathName(),
            "The accounts, one a line: CID, password, rating. If it is cert.txt in "
            "the data folder and missing, the first start writes one with a "
            "generated administrator; a file in any other place is never made.",
            file_name="cert.txt",
        )
    )
    check_interval: float = field(
        default=10.0,
        metadata=_about(
            _TIME,
            "How often the account file is looked at; it is read again after a change.",
            unit="seconds",
        ),
    )
    max_waiting: int = field(
        default=2000,
        metadata=_about(
            Integer(1, 1 << 20),
            "How many logons may wait for their passwords to be checked; one more "
            "reads error 012. With cert.txt a check is instant and nobody waits: "
            "this bound is for stores that take their time.",
            unit="logons",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherSettings:
    """Where weather comes from."""

    file: Path = field(
        metadata=_about(
            PathName(),
            'METAR reports, one a line, for source "file". Read again when it changes.',
            file_name="metar.txt",
        )
    )
    source: Literal["file", "none"] = field(
        default="file",
        metadata=_about(
            Choice(("file", "none")),
            'Where METARs come from: "file", or "none" for no weather at all.',
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSettings:
    """The file that maps and web pages read."""

    whazzup: Path | None = field(
        metadata=_about(
            PathName(may_be_off=True),
            'The status file ("whazzup"): who is on and where; "" writes none.',
            file_name="whazzup.txt",
        )
    )
    interval: float = field(
        default=15.0,
        metadata=_about(
            _TIME,
            "How often the status file is written.",
            unit="seconds",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings; every path is absolute."""

    data_dir: Path = field(
        metadata=_about(
            PathName(),
            "The folder where the files below lie unless a setting says otherwise.",
        )
    )
    pergola: PergolaSettings
    accounts: AccountsSettings
    weather: WeatherSettings
    status: StatusSettings

    @property
    def cert_file_is_default(self) -> bool:
        """Whether the account file is the one in the data folder.

        Only there may the server make an account: a file that an operator named
        is his own, and if it is missing that is a mistake.
        """
        name = SETTINGS["accounts.cert_file"].file_name
        return self.accounts.cert_file == self.data_dir / str(name)


def _settings_of(table: type[Any], prefix: str = "") -> dict[str, Setting]:
    """Collect the settings of one class, by the names that an operator types."""
    settings = {}
    for entry in fields(table):
        if not is_dataclass(entry.type):
            setting: Setting = entry.metadata[_KEY]
            default: object = entry.default
            if setting.file_name is not None:
                default = f"{DATA_DIR}/{setting.file_name}"
            elif entry.name == "data_dir":
                default = DATA_DIR
            settings[prefix + entry.name] = replace(setting, default=default)
    return settings


TABLES: Final[Mapping[str, type[Any]]] = MappingProxyType(
    {
        entry.name: entry.type
        for entry in fields(Config)
        if isinstance(entry.type, type) and is_dataclass(entry.type)
    }
)
SETTINGS: Final[Mapping[str, Setting]] = MappingProxyType(
    _settings_of(Config)
    | {
        key: setting
        for name, table in TABLES.items()
        for key, setting in _settings_of(table, f"{name}.").items()
    }
)
