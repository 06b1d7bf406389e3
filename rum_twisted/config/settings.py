"""Every setting of the server: its default, kind, unit and reason, in one place.

The tree of classes is what the rooms are given. What stands in a field's metadata
is what the reader of the sources, ``etc/rum.toml.example`` and the tests walk, so
that they cannot disagree with it or with each other.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from rum_twisted.config import endpoints, metar_sources
from rum_twisted.config.interfaces import IKind
from rum_twisted.config.kinds import (
    Choice,
    DatabaseURL,
    Endpoints,
    Identifier,
    Integer,
    IPNetwork,
    LoopbackListener,
    MetarSources,
    Networks,
    Number,
    PasswordHash,
    PathName,
    PlainListener,
    Text,
)
from rum_twisted.config.log_kinds import LEVELS, HttpAddress, RoomLevels
from rum_twisted.config.service_kinds import (
    Address,
    KeyPath,
    Members,
    PluginNames,
    PluginTables,
    Roles,
    Secret,
    Switch,
    Word,
)

__all__ = [
    "DATA_DIR",
    "SETTINGS",
    "TABLES",
    "AccountsSettings",
    "Config",
    "ConsoleSettings",
    "ControlSettings",
    "DiscoverySettings",
    "GuardSettings",
    "LogSettings",
    "ManholeSettings",
    "PergolaSettings",
    "PluginsSettings",
    "ServicesSettings",
    "Setting",
    "StatusSettings",
    "TelemetrySettings",
    "WeatherSettings",
]

DATA_DIR: Final = "data"  # under the working directory

_KEY: Final = "setting"  # where a field's metadata keep what `_about` made

_TIME: Final = Number(0.1, 86400.0)  # up to a day
_BYTES: Final = Integer(1, 1 << 30)
_NOAA: Final = "https://tgftp.nws.noaa.gov/data/observations/metar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is to be known about one setting, besides its name."""

    kind: IKind
    reason: str  # whole sentences, for an operator
    unit: str = ""  # empty where the value is no quantity
    file_name: str | None = None  # of a file that lies in the data folder by default
    is_secret: bool = False  # never to be shown in a message
    default: object = None  # as an operator would write it


def _about(
    kind: IKind,
    reason: str,
    *,
    unit: str = "",
    file_name: str | None = None,
    is_secret: bool = False,
) -> Mapping[str, Setting]:
    """Return the metadata of a field; see `Setting` for the arguments."""
    setting = Setting(
        kind=kind, reason=reason, unit=unit, file_name=file_name, is_secret=is_secret
    )
    return {_KEY: setting}


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
    http: str = field(
        default="tcp:6810:interface=127.0.0.1",
        metadata=_about(
            PlainListener(),
            "Where the server tells over HTTP how it is, also while nothing else of "
            'it answers: a TCP endpoint, "" for nowhere. There is no password: keep '
            "it from strangers.",
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
            'The classic account file, for the store "cert": one account a line, CID, '
            "password, rating. If it is cert.txt in the data folder and missing, the "
            "first start with that store writes one with a generated administrator; "
            "a file in any other place is never made.",
            file_name="cert.txt",
        )
    )
    store: Literal["auto", "database", "cert"] = field(
        default="auto",
        metadata=_about(
            Choice(("auto", "database", "cert")),
            'Where accounts are kept: "database", or "cert" for the classic account '
            'file. "auto" takes the file if it is named; if not, the database if that '
            "is named; if not, cert.txt if it lies in the data folder; and else the "
            "database.",
        ),
    )
    database: str = field(
        default="",
        repr=False,
        metadata=_about(
            DatabaseURL(),
            'Which database: "" for the SQLite file rum.sqlite in the data folder, '
            '"postgresql+asyncpg://name:password@host/database" for PostgreSQL (a '
            "password with odd signs is percent-encoded), or "
            '"sqlite+aiosqlite:////path/to/file".',
            is_secret=True,
        ),
    )
    answer_within: float = field(
        default=45.0,
        metadata=_about(
            _TIME,
            "How long a logon waits for a database that is locked, slow or gone; then "
            "it reads error 012 and a text that says so. Less than "
            "pergola.login_timeout, which ends the wait without a word.",
            unit="seconds",
        ),
    )
    query_timeout: float = field(
        default=5.0,
        metadata=_about(
            _TIME,
            "The longest that one statement to the database may take.",
            unit="seconds",
        ),
    )
    hash_threads: int = field(
        default=1,
        metadata=_about(
            Integer(1, 16),
            "How many passwords are checked at the same time; each takes a thread, a "
            "core for some 20 ms, and hash_memory.",
            unit="threads",
        ),
    )
    hash_memory: int = field(
        default=9216,
        metadata=_about(
            Integer(1024, 1 << 17),
            "Memory that one argon2id hash fills. More makes guessing from a stolen "
            "database dearer; old hashes are renewed at the next logon.",
            unit="KiB",
        ),
    )
    verified_cache: int = field(
        default=2000,
        metadata=_about(
            Integer(0, 1 << 20),
            "How many proved passwords are remembered as keyed digests, so that who "
            "comes again within minutes costs no hash. A new password ends that at "
            "once. 0 remembers none.",
            unit="logons",
        ),
    )
    failures_per_cid: int = field(
        default=5,
        metadata=_about(
            Integer(1, 10_000),
            "How many wrong passwords one CID may have before the next try has to "
            "wait: 2 s, then twice as long each time. Addresses from which the member "
            "has logged on before do not have to wait.",
            unit="failures",
        ),
    )
    failures_per_address: int = field(
        default=20,
        metadata=_about(
            Integer(1, 10_000),
            "The same for all CIDs from one address (of IPv6, from one /64).",
            unit="failures",
        ),
    )
    longest_backoff: float = field(
        default=900.0,
        metadata=_about(
            Number(2.0, 86400.0),
            "The longest such wait. Failures are forgotten after as long without one.",
            unit="seconds",
        ),
    )
    allow: tuple[IPNetwork, ...] = field(
        default=(),
        metadata=_about(
            Networks(),
            "Networks whose wrong passwords are not counted, e.g. "
            '["192.0.2.0/24", "2001:db8::/32"]: a club\'s own rooms.',
        ),
    )
    write_interval: float = field(
        default=5.0,
        metadata=_about(
            _TIME,
            "How often the database is told who was on: all that came up in between is "
            "written at once.",
            unit="seconds",
        ),
    )
    session_retention: int = field(
        default=365,
        metadata=_about(
            Integer(0, 36_500),
            "How long the database keeps who was on when; hours are counted from it. "
            "0 keeps it for ever.",
            unit="days",
        ),
    )
    check_interval: float = field(
        default=10.0,
        metadata=_about(
            _TIME,
            "How often the account file is looked at; it is read again after a change. "
            "A database needs no looking at.",
            unit="seconds",
        ),
    )
    remote_changes: bool = field(
        default=False,
        metadata=_about(
            Switch(),
            "Whether the consoles of other processes may list and change accounts here "
            '("cert"), where this one plays passport for them.',
        ),
    )
    max_waiting: int = field(
        default=2000,
        metadata=_about(
            Integer(1, 1 << 20),
            "How many logons may wait for their passwords to be checked; one more "
            "reads error 012. With cert.txt a check is instant and nobody waits.",
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
    source: Literal["file", "http", "none"] = field(
        default="file",
        metadata=_about(
            Choice(("file", "http", "none")),
            'Where METARs come from: "file"; "http", the sources below; or "none" for '
            "no weather at all.",
        ),
    )
    nearest_within: float = field(
        default=200.0,
        metadata=_about(
            Number(0.0, 1000.0),
            "Who asks for weather without naming a station is given that of the "
            "nearest airport, if it has a report and is not farther away than this. "
            "0 answers such requests with error 009.",
            unit="nautical miles",
        ),
    )
    sources: tuple[str, ...] = field(
        default=(
            "raw https://aviationweather.gov/api/data/metar?ids={station}&format=raw",
            f"raw {_NOAA}/stations/{{station}}.TXT",
            f"cycle {_NOAA}/cycles/{{hour}}Z.TXT",
        ),
        metadata=_about(
            MetarSources(8),
            'For source "http": what is asked, in this order. Each is a form and a '
            'URL: "raw" for text with the report, "json:PATH" for JSON with the '
            'report at PATH ("json:0.rawOb"), "cycle" for a file of all stations, '
            "fetched by the clock. {station} and {hour} are filled in.",
        ),
    )
    next_after: float = field(
        default=1.0,
        metadata=_about(
            Number(0.0, 60.0),
            "A source that has not answered after so long is not given up, but the "
            "next one is asked as well; the first report counts. 0 asks all of them "
            "at once.",
            unit="seconds",
        ),
    )
    answer_within: float = field(
        default=3.0,
        metadata=_about(
            Number(0.1, 60.0),
            "Whoever asks for a report that has to be fetched first reads error 009 "
            "after so long; if it comes later it is kept for the next one.",
            unit="seconds",
        ),
    )
    request_timeout: float = field(
        default=10.0,
        metadata=_about(
            Number(0.1, 600.0),
            "How long a source may take for one station's report.",
            unit="seconds",
        ),
    )
    cycle_timeout: float = field(
        default=120.0,
        metadata=_about(
            Number(0.1, 3600.0),
            "How long a source may take for one file of all stations.",
            unit="seconds",
        ),
    )
    cycle_interval: float = field(
        default=600.0,
        metadata=_about(
            Number(10.0, 86400.0),
            "How often files of all stations are fetched anew.",
            unit="seconds",
        ),
    )
    max_answer: int = field(
        default=65_536,
        metadata=_about(
            Integer(256, 1 << 24),
            "The longest answer that is read for one station; past it the source "
            "has failed.",
            unit="bytes",
        ),
    )
    max_cycle: int = field(
        default=16_777_216,
        metadata=_about(
            Integer(1024, 1 << 30),
            "The longest file of all stations that is read. It is never in memory as "
            "a whole.",
            unit="bytes",
        ),
    )
    max_fetches: int = field(
        default=4,
        metadata=_about(
            Integer(1, 64),
            "For how many stations sources are asked at the same time.",
            unit="stations",
        ),
    )
    max_waiting: int = field(
        default=100,
        metadata=_about(
            Integer(0, 10_000),
            "How many more stations may wait to be asked for; one more is error 009.",
            unit="stations",
        ),
    )
    fresh_for: float = field(
        default=300.0,
        metadata=_about(
            _TIME,
            "For how long a report, or the answer that a station has none, is given "
            "without asking the sources again. Past it an old report is still "
            "answered at once, and a newer one is fetched for the next who asks.",
            unit="seconds",
        ),
    )
    stale_after: float = field(
        default=5400.0,
        metadata=_about(
            _TIME,
            "A report that was made so long ago counts as stale. It is still "
            "answered; how many there are is in the log while no source answers. "
            "Most stations report every half hour or hour.",
            unit="seconds",
        ),
    )
    keep_for: float = field(
        default=14_400.0,
        metadata=_about(
            Number(60.0, 7 * 86400.0),
            "A report that was made longer ago is answered no more.",
            unit="seconds",
        ),
    )
    cache_reports: int = field(
        default=12_000,
        metadata=_about(
            Integer(1, 1 << 20),
            "How many stations' reports are kept; past it, what was asked for the "
            "longest time ago goes.",
            unit="reports",
        ),
    )
    cache_bytes: int = field(
        default=4_194_304,
        metadata=_about(
            Integer(1024, 1 << 30),
            "How much memory the reports may take. 12,000 take about 3 MB.",
            unit="bytes",
        ),
    )
    breaker_failures: int = field(
        default=3,
        metadata=_about(
            Integer(1, 1000),
            "A source that fails so often in a row is left alone for a while: "
            "10 seconds, then twice as long each time.",
            unit="failures",
        ),
    )
    longest_pause: float = field(
        default=900.0,
        metadata=_about(
            Number(1.0, 86400.0),
            "The longest time for which a failing source is left alone.",
            unit="seconds",
        ),
    )
    ca_file: Path | None = field(
        default=None,
        metadata=_about(
            PathName(may_be_off=True),
            "A PEM file of authorities that may certify sources, besides those of "
            'the system; "" for none. For a source of your own.',
        ),
    )

    @property
    def needs_tls(self) -> bool:
        """Whether sources are asked over TLS, whose library costs 12 MB of memory."""
        return self.source == "http" and any(
            metar_sources.parse(source).needs_tls for source in self.sources
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
class ControlSettings:
    """The way in for the operator's own program, rumctl."""

    socket: Path | None = field(
        metadata=_about(
            PathName(may_be_off=True),
            "The socket file through which rumctl speaks to the running server; only "
            'the account that runs it, and root, may. "" makes none.',
            file_name="control.sock",
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What the server says of itself, and where it is kept."""

    audit: Path | None = field(
        metadata=_about(
            PathName(may_be_off=True),
            "What the staff did, one line of JSON for each act: when, who, what, to "
            'whom, why, from where; also what was done with rumctl. "" writes none.',
            file_name="audit.jsonl",
        )
    )
    file: Path | None = field(
        default=None,
        metadata=_about(
            PathName(may_be_off=True),
            "A file for the log, besides the place that twistd's --logfile names, or "
            'the terminal; a daemon with it writes no twistd.log. "" for none.',
        ),
    )
    format: Literal["json", "text"] = field(
        default="json",
        metadata=_about(
            Choice(("json", "text")),
            'How it is written: "json", an object a line with the fields of each '
            'event, or "text".',
        ),
    )
    rotate_bytes: int = field(
        default=10_000_000,
        metadata=_about(
            Integer(10_000, 1 << 40),
            "When file, or audit, has become so long, it is given the number 1 and a "
            "new one is begun.",
            unit="bytes",
        ),
    )
    keep: int = field(
        default=5,
        metadata=_about(
            Integer(0, 1000),
            "How many old files are kept of each; the oldest goes.",
            unit="files",
        ),
    )
    level: Literal["debug", "info", "warn", "error", "critical"] = field(
        default="info",
        metadata=_about(
            Choice(LEVELS),
            "How much is said: this level and those above. rumctl log level changes "
            "it while the server runs.",
        ),
    )
    levels: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            RoomLevels(),
            'Other levels for single rooms, e.g. ["pergola=debug", "rpc=warn"].',
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """Traces of the calls between processes, for OpenTelemetry."""

    otlp_endpoint: str = field(
        default="",
        metadata=_about(
            HttpAddress(),
            "Where spans are sent (OTLP over HTTP), e.g. "
            '"http://127.0.0.1:4318"; "" for nowhere, and nothing is loaded for it.',
        ),
    )
    sample_ratio: float = field(
        default=0.01,
        metadata=_about(
            Number(0.0, 1.0),
            "How many of the traces that begin here are kept: 1 keeps all. Who is "
            "called does as his caller.",
            unit="share of the traces",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ManholeSettings:
    """A Python prompt inside the running server."""

    socket: Path | None = field(
        metadata=_about(
            PathName(may_be_off=True),
            "The socket file of the prompt, for rumctl manhole; only the account that "
            'runs the server, and root, may. "" makes none.',
            file_name="manhole.sock",
        )
    )
    host_key: Path = field(
        metadata=_about(
            PathName(),
            "The key by which clients know the prompt's SSH; made where there is none.",
            file_name="manhole_host_key",
        )
    )
    ssh: str = field(
        default="",
        metadata=_about(
            LoopbackListener(),
            "Where the prompt is to be had over SSH, besides: a TCP endpoint on a "
            'loopback address, e.g. "tcp:6022:interface=127.0.0.1". "" for nowhere.',
        ),
    )
    authorized_keys: Path | None = field(
        default=None,
        metadata=_about(
            PathName(may_be_off=True),
            "The file with the keys that let in over SSH, as OpenSSH has it; there "
            "are no passwords. Read at every logon.",
        ),
    )
    limit: float = field(
        default=2.0,
        metadata=_about(
            Number(0.1, 60.0),
            "How long a line may run; nobody is served meanwhile. Then it is ended.",
            unit="s",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """The classic administration port."""

    help_file: Path = field(
        metadata=_about(
            PathName(),
            'What "help" shows, in the classic form; without the file, a text that '
            "comes with Rum.",
            file_name="help.txt",
        )
    )
    listen: str = field(
        default="",
        metadata=_about(
            PlainListener(),
            "Where operators connect with telnet: a TCP endpoint such as "
            '"tcp:3010:interface=127.0.0.1", "" for nowhere. All of it, the password '
            "too, is plain text: keep it from strangers.",
        ),
    )
    password: str = field(
        default="",
        repr=False,
        metadata=_about(
            PasswordHash(),
            "The hash of its password, as `rumctl console passwd` prints it. There is "
            "no console without a password.",
            is_secret=True,
        ),
    )
    password_file: Path | None = field(
        default=None,
        metadata=_about(
            PathName(may_be_off=True),
            "In place of password: a file whose first line is the password itself. "
            "Nobody but the server should be able to read it.",
        ),
    )
    max_connections: int = field(
        default=16,
        metadata=_about(
            Integer(1, 1000),
            "How many may be connected. Where there is no room, whoever has not given "
            "the password goes for the next one.",
            unit="connections",
        ),
    )
    idle_timeout: float = field(
        default=500.0,
        metadata=_about(
            _TIME, "Who says nothing for so long is disconnected.", unit="seconds"
        ),
    )
    failures: int = field(
        default=5,
        metadata=_about(
            Integer(1, 10_000),
            "How many wrong passwords one address may have before the next try has to "
            "wait: 2 s, then twice as long each time, up to accounts.longest_backoff. "
            "Those of accounts.allow are not counted.",
            unit="failures",
        ),
    )


_NEEDED: Final = ("pergola", "passport", "weather")
_ROLES: Final = (*_NEEDED, "plugin")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesSettings:
    """What this process does, and where other processes call it."""

    roles: tuple[str, ...] = field(
        default=_ROLES,
        metadata=_about(
            Roles(_ROLES),
            "What this process does: pergola serves pilots and controllers, passport "
            "keeps the accounts, weather the reports, plugin the plugins. What a role "
            "needs of one that is not here is asked of another process. --role says "
            "it, too.",
        ),
    )
    listen: str = field(
        default="127.0.0.1:0",
        metadata=_about(
            Address(may_be_open=True),
            "Where other processes call this one (gRPC): host:port; port 0 is any "
            "that is free. Opened if not all roles are here, if discovery.backend is "
            "not memory, or if it is not the default.",
        ),
    )
    http: str = field(
        default="",
        metadata=_about(
            PlainListener(),
            "Where a process without the role pergola tells over HTTP how it is, as "
            'pergola.http does: a TCP endpoint, "" for nowhere.',
        ),
    )
    allow_plaintext: bool = field(
        default=False,
        metadata=_about(
            Switch(),
            "Allow listen to be reached from other machines without TLS: whoever "
            "reaches it may then ask for and change everything.",
        ),
    )
    advertise: str = field(
        default="",
        metadata=_about(
            Address(may_be_off=True),
            "The address that others are told, if it is not the one in listen: that "
            'of a container, say. "" tells the one that was opened.',
        ),
    )
    drain_within: float = field(
        default=30.0,
        metadata=_about(
            Number(0.1, 3600.0),
            "How long the calls under way may take when rumctl drain takes this "
            "process out of service; it ends then all the same.",
            unit="seconds",
        ),
    )
    version: str = field(
        default="",
        metadata=_about(
            Word(),
            "The version that others are told, by which calls can be shared out; "
            '"" tells that of the program.',
        ),
    )
    group: str = field(
        default="",
        metadata=_about(
            Word(),
            "A set of processes that is chosen by name, e.g. for a trial: who has one "
            'calls only those in etcd that have the same. "": whoever there is.',
        ),
    )
    zone: str = field(
        default="",
        metadata=_about(
            Word(),
            "Where this process runs: the weather is asked of the same zone, if it is "
            "there.",
        ),
    )
    tls_cert: Path | None = field(
        default=None,
        metadata=_about(
            PathName(may_be_off=True),
            "Our certificate (PEM), with the chain above it: for listen, and shown to "
            'services that are called. "" for no TLS.',
        ),
    )
    tls_key: Path | None = field(
        default=None,
        metadata=_about(PathName(may_be_off=True), "The key of tls_cert (PEM)."),
    )
    tls_ca: Path | None = field(
        default=None,
        metadata=_about(
            PathName(may_be_off=True),
            "The certificates (PEM) that those of other services must come from, "
            "callers included: with it, nobody without one is let in.",
        ),
    )

    @property
    def is_whole(self) -> bool:
        """Whether every role that others need is played in this process."""
        return all(map(self.plays, _NEEDED))

    @property
    def missing(self) -> tuple[str, ...]:
        """What a role of this process needs of others: roles that it plays not.

        Plugins are there or not: nobody needs them.
        """
        if not self.plays("pergola"):
            return ()
        return tuple(role for role in _NEEDED if role not in self.roles)

    @property
    def offered(self) -> tuple[str, ...]:
        """The roles of this process that others may call."""
        return tuple(role for role in self.roles if role != "pergola")

    def plays(self, role: str) -> bool:
        """Tell whether this process plays a role."""
        return role in self.roles


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySettings:
    """How processes find each other."""

    backend: Literal["memory", "static", "etcd"] = field(
        default="memory",
        metadata=_about(
            Choice(("memory", "static", "etcd")),
            '"memory" knows this process only, "static" those in endpoints, "etcd" '
            "all that have registered in etcd.",
        ),
    )
    endpoints: tuple[str, ...] = field(
        default=("127.0.0.1:2379",),
        metadata=_about(
            Members(64),
            "The members of the etcd; one that is down is passed over. With backend "
            '"static": the instances, as in "passport=10.0.0.2:7001".',
        ),
    )
    base_path: str = field(
        default="/rum",
        metadata=_about(
            KeyPath(),
            "What all keys in etcd begin with: networks that share an etcd have one "
            "each.",
        ),
    )
    lease_ttl: int = field(
        default=10,
        metadata=_about(
            Integer(2, 3600),
            "How long a process that was killed stays on the list. It says that it "
            "lives three times as often.",
            unit="seconds",
        ),
    )
    client: Literal["aioetcd3", "lean"] = field(
        default="lean",
        metadata=_about(
            Choice(("aioetcd3", "lean")),
            'What speaks to etcd: "lean" is part of Rum, "aioetcd3" a library, which '
            "needs more memory and threads.",
        ),
    )
    user: str = field(
        default="",
        metadata=_about(
            Secret(), 'Who we are to etcd; "" where it asks nobody for a name.'
        ),
    )
    password: str = field(
        default="",
        repr=False,
        metadata=_about(Secret(), "The password of user.", is_secret=True),
    )
    tls_ca: Path | None = field(
        default=None,
        metadata=_about(
            PathName(may_be_off=True),
            "The certificates (PEM) that etcd's must come from; the system's own are "
            "in a file too, such as /etc/ssl/certs/ca-certificates.crt. With it or "
            'tls_cert, etcd is asked over TLS; "" in both for none.',
        ),
    )
    tls_cert: Path | None = field(
        default=None,
        metadata=_about(
            PathName(may_be_off=True), "Our certificate (PEM), if etcd asks for one."
        ),
    )
    tls_key: Path | None = field(
        default=None,
        metadata=_about(PathName(may_be_off=True), "The key of tls_cert (PEM)."),
    )


_PERCENT: Final = Number(10.0, 100.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """What is done by itself, step by step, before memory or CPU run out.

    Steps at percents of the memory limit have to stand in ascending order.
    """

    enabled: bool = field(
        default=True,
        metadata=_about(
            Switch(), "Whether anything of this is done; without, nobody looks."
        ),
    )
    memory_limit: int = field(
        default=0,
        metadata=_about(
            Integer(0, 1 << 46),
            "How much memory this process (RSS) may have. 0: what its control group "
            "may have is found by itself, and where that has no limit there is none. "
            "With both, the one that is nearer counts.",
            unit="bytes",
        ),
    )
    shrink: float = field(
        default=70.0,
        metadata=_about(
            _PERCENT,
            "From here on caches shrink, garbage is collected, a dump is written, and "
            "the log names who has grown.",
            unit="percent of the limit",
        ),
    )
    thin: float = field(
        default=80.0,
        metadata=_about(
            _PERCENT,
            "From here on pilots are told fewer positions of aircraft that are far "
            "away (near, near_interval, far_interval).",
            unit="percent of the limit",
        ),
    )
    observers: float = field(
        default=85.0,
        metadata=_about(
            _PERCENT,
            "From here on observers who want to log on read error 012 and why; "
            "another dump is written.",
            unit="percent of the limit",
        ),
    )
    logons: float = field(
        default=87.0,
        metadata=_about(
            _PERCENT,
            "From here on everybody who wants to log on does, but for supervisors.",
            unit="percent of the limit",
        ),
    )
    cut: float = field(
        default=90.0,
        metadata=_about(
            _PERCENT,
            "From here on clients for whom most waits are disconnected, a few a "
            "second; neither supervisors nor working controllers.",
            unit="percent of the limit",
        ),
    )
    last: float = field(
        default=95.0,
        metadata=_about(
            _PERCENT,
            "From here on those may be as well, what has grown and can be done "
            "without is ended, and everybody is told.",
            unit="percent of the limit",
        ),
    )
    leave_below: float = field(
        default=5.0,
        metadata=_about(
            Number(0.5, 50.0),
            "A step is left when use is so far below it.",
            unit="percent of the limit",
        ),
    )
    calm: float = field(
        default=10.0,
        metadata=_about(
            Number(1.0, 3600.0),
            "For how long use has to be so low; each further step down takes as long "
            "again.",
            unit="seconds",
        ),
    )
    turns_lag: float = field(
        default=1.0,
        metadata=_about(
            Number(0.05, 60.0),
            "If the server lags by so much for some seconds, position reports are "
            "written in turns that are twice as long.",
            unit="seconds",
        ),
    )
    spare_lag: float = field(
        default=3.0,
        metadata=_about(
            Number(0.05, 60.0),
            "If it lags by so much, positions are thinned as well.",
            unit="seconds",
        ),
    )
    throttled: float = field(
        default=60.0,
        metadata=_about(
            Number(1.0, 100.0),
            "While the system makes the process stand still for such a share of the "
            "time, because of its CPU limit, four fifths of those lags are enough. To "
            "stand still alone is no reason: that is the nature of a small box.",
            unit="percent of the time",
        ),
    )
    near: int = field(
        default=30,
        metadata=_about(
            Integer(1, 1000),
            "While positions are thinned, aircraft within this are told as ever.",
            unit="nautical miles",
        ),
    )
    near_interval: float = field(
        default=1.0,
        metadata=_about(
            Number(0.1, 60.0),
            "The same: nobody's position is told more often than this.",
            unit="seconds",
        ),
    )
    far_interval: float = field(
        default=15.0,
        metadata=_about(
            Number(0.1, 600.0),
            "The same: how often pilots are told the positions of those who are "
            "farther away.",
            unit="seconds",
        ),
    )

    @property
    def flaws(self) -> tuple[str, ...]:
        """What is wrong with the settings together, in words."""
        orders = (
            ("shrink", "thin", "observers", "logons", "cut", "last"),
            ("turns_lag", "spare_lag"),
            ("near_interval", "far_interval"),
        )
        return tuple(
            f"guard.{above} = {getattr(self, above):g}: due at least guard.{below}, "
            f"which is {getattr(self, below):g}"
            for order in orders
            for below, above in pairwise(order)
            if getattr(self, above) < getattr(self, below)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginsSettings:
    """Plugins, which extend the network; see docs/plugins.md."""

    folder: Path = field(
        metadata=_about(
            PathName(),
            "Where plugins lie that are a Python file each: NAME.py.",
            file_name="plugins",
        )
    )
    enabled: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            PluginNames(64),
            "Which plugins the role plugin runs: those that Rum brings (dots, greeter, "
            "webhooks), files in the folder, or what installed packages offer. None "
            "unless it is named here.",
        ),
    )
    remote: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            PluginNames(64),
            "Which plugins may join the role plugin from programs of their own, in any "
            "language, at services.listen. Whoever reaches that may use these names.",
        ),
    )
    deadline: float = field(
        default=0.15,
        metadata=_about(
            Number(0.001, 5.0),
            "How long a logon, or a line, waits for plugins that may stop it; then "
            "things go on as if there were none.",
            unit="seconds",
        ),
    )
    position_interval: float = field(
        default=5.0,
        metadata=_about(
            Number(1.0, 3600.0),
            "How often plugins that ask for positions are told where an aircraft is, "
            "at most. Not every report is told.",
            unit="seconds",
        ),
    )
    queue: int = field(
        default=10_000,
        metadata=_about(
            Integer(10, 1_000_000),
            "How many events may wait for plugins, in pergola and once more for each "
            "plugin; past it, new ones are dropped and counted. 10,000 take about "
            "3 MB.",
            unit="events",
        ),
    )
    actions: float = field(
        default=500.0,
        metadata=_about(
            Number(1.0, 100_000.0),
            "How much one plugin may do: texts, kicks and questions together. Twice as "
            "much may come at once; what is more is dropped and counted.",
            unit="actions per second",
        ),
    )
    settings: Mapping[str, Mapping[str, object]] = field(
        default_factory=dict,
        repr=False,
        metadata=_about(
            PluginTables(64),
            "What plugins are told: a table for each, as in "
            "[plugins.settings.greeter]. What may stand there is the plugin's "
            "affair; it is checked at the start.",
            is_secret=True,
        ),
    )

    @property
    def are_there(self) -> bool:
        """Whether the role plugin has anything to do."""
        return bool(self.enabled or self.remote)

    @property
    def needs_tls(self) -> bool:
        """Whether webhooks go over TLS, whose library costs 12 MB of memory."""
        urls = self.settings.get("webhooks", {}).get("urls")
        return "webhooks" in self.enabled and "https://" in str(urls)


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
    control: ControlSettings
    log: LogSettings
    telemetry: TelemetrySettings
    manhole: ManholeSettings
    console: ConsoleSettings
    services: ServicesSettings
    discovery: DiscoverySettings
    guard: GuardSettings
    plugins: PluginsSettings
    sources: Mapping[str, str] = field(  # of settings that were changed: file, --set …
        default_factory=dict, compare=False, repr=False
    )

    @property
    def uses_fabric(self) -> bool:
        """Whether this process calls others or is called; it needs gRPC then."""
        return (
            not self.services.is_whole
            or self.discovery.backend != "memory"
            or self.services.listen != SETTINGS["services.listen"].default
        )

    @property
    def hosts_plugins(self) -> bool:
        """Whether plugins run, or may join, in this process.

        A process that does nothing else hosts them even before there are any.
        """
        return self.services.plays("plugin") and (
            self.plugins.are_there or not self.services.plays("pergola")
        )

    @property
    def finds_plugins(self) -> bool:
        """Whether another process may have plugins for this one."""
        if self.hosts_plugins or not self.uses_fabric:
            return False
        if self.discovery.backend == "static":
            return any(
                entry.startswith("plugin=") for entry in self.discovery.endpoints
            )
        return self.discovery.backend == "etcd"

    @property
    def uses_console(self) -> bool:
        """Whether this process has the classic administration port."""
        return bool(self.console.listen) and self.services.plays("pergola")

    @property
    def needs_openssl(self) -> bool:
        """Whether a role of this process may need OpenSSL: 12 MB of memory."""
        return (
            (self.services.plays("pergola") and self.pergola.needs_tls)
            or (self.services.plays("weather") and self.weather.needs_tls)
            or (self.services.plays("plugin") and self.plugins.needs_tls)
        )

    @property
    def control_socket(self) -> Path | None:
        """Where ``rumctl`` finds this process; ``None``: nowhere.

        Processes that share a data folder have a file each: ``control-passport.sock``.
        A file that the operator named is taken as he named it.
        """
        return self._own_file(self.control.socket, "control.socket")

    @property
    def manhole_socket(self) -> Path | None:
        """Where ``rumctl manhole`` finds this process, as `control_socket`."""
        return self._own_file(self.manhole.socket, "manhole.socket")

    def _own_file(self, path: Path | None, key: str) -> Path | None:
        """Return a path that no other process of the same data folder has."""
        name = SETTINGS[key].file_name
        if path is None or self.services.is_whole or path != self.data_dir / str(name):
            return path
        return path.with_stem("-".join((path.stem, *self.services.roles)))

    @property
    def http(self) -> str:
        """Where this process tells over HTTP how it is; empty: nowhere."""
        return (self.pergola if self.services.plays("pergola") else self.services).http

    @property
    def cert_file_is_default(self) -> bool:
        """Whether the account file is the one in the data folder.

        Only there may the server make an account: a file that an operator named
        is his own, and if it is missing that is a mistake.
        """
        name = SETTINGS["accounts.cert_file"].file_name
        return self.accounts.cert_file == self.data_dir / str(name)

    def chosen_store(self) -> Literal["database", "cert"]:
        """Tell where accounts are kept; for ``"auto"`` this looks at the disk."""
        if self.accounts.store != "auto":
            return self.accounts.store
        if not self.cert_file_is_default:
            return "cert"
        if self.accounts.database or not self.accounts.cert_file.exists():
            return "database"
        return "cert"


def _settings_of(table: type[Any], prefix: str = "") -> dict[str, Setting]:
    """Collect the settings of one class, by the names that an operator types."""
    settings = {}
    for entry in fields(table):
        if _KEY in entry.metadata:
            setting: Setting = entry.metadata[_KEY]
            default: object = entry.default
            if setting.file_name is not None:
                default = f"{DATA_DIR}/{setting.file_name}"
            elif entry.name == "data_dir":
                default = DATA_DIR
            elif default is None:  # the way to write that it is off
                default = ""
            elif entry.default_factory is not MISSING:
                default = entry.default_factory()
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
