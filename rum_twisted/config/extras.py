"""Which libraries the settings call for, and whether they are installed.

What not everybody uses is an extra: ``pip install 'rum-twisted[database]'``. A server
that needs one which is not there says so before it starts, without a traceback.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from typing import Final

from rum_twisted.config.settings import Config
from rum_twisted.config.sources import Mistake

__all__ = ["can_be_imported", "missing_extras"]

EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "database": ("sqlalchemy", "aiosqlite", "alembic", "argon2", "bcrypt"),
    "postgresql": ("asyncpg",),
    "plugins": ("treq",),
    "weather": ("treq", "metar", "airportsdata"),
    "tls": ("OpenSSL", "service_identity"),
    "ssh": ("cryptography", "bcrypt", "appdirs"),
    "otel": ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"),
    "ctl": ("click", "rich"),
    "rpc": ("grpc", "grpc_health", "grpc_reflection", "google.protobuf"),
}
"""The modules of each extra; setup.cfg names the packages that bring them."""


def missing_extras(
    config: Config, is_installed: Callable[[str], bool] | None = None
) -> Iterator[Mistake]:
    """Yield a line for each setting whose libraries are missing.

    Args:
        config: the settings.
        is_installed: tells whether a module is there; by default Python is asked.
    """
    if is_installed is None:
        is_installed = can_be_imported
    for extra, key, text in _needed(config):
        missing = [module for module in EXTRAS[extra] if not is_installed(module)]
        if missing:
            yield Mistake(
                key,
                f"{text} needs {', '.join(missing)}: install 'rum-twisted[{extra}]'",
            )


def _needed(config: Config) -> Iterator[tuple[str, str, str]]:
    """Yield the extras that are needed, the settings that say so, and why."""
    if config.uses_fabric:
        yield from _needed_by_fabric(config)
    if config.manhole.ssh:
        yield "ssh", "manhole.ssh", "the manhole over SSH"
    if config.services.plays("passport"):
        yield from _needed_by_accounts(config)
    if config.services.plays("weather"):
        yield from _needed_by_weather(config)
    if config.services.plays("plugin") and "webhooks" in config.plugins.enabled:
        yield "plugins", "plugins.enabled", "webhooks"
        if config.plugins.needs_tls:
            yield "tls", "plugins.settings", "a webhook over TLS"
    if config.uses_console and config.console.password:
        yield "database", "console.password", "a hashed password"


def _needed_by_fabric(config: Config) -> Iterator[tuple[str, str, str]]:
    yield "rpc", "services.roles", "to call other processes"
    if config.telemetry.otlp_endpoint:
        yield "otel", "telemetry.otlp_endpoint", "tracing"


def _needed_by_accounts(config: Config) -> Iterator[tuple[str, str, str]]:
    if config.chosen_store() == "database":
        text = 'the database (accounts.store = "cert" does without)'
        yield "database", "accounts.store", text
        if config.accounts.database.startswith("postgres"):
            yield "postgresql", "accounts.database", "PostgreSQL"


def _needed_by_weather(config: Config) -> Iterator[tuple[str, str, str]]:
    if config.weather.source == "http":
        yield "weather", "weather.source", "weather over HTTP"
    if config.weather.needs_tls:
        yield "tls", "weather.sources", "a source over TLS"


def can_be_imported(module: str) -> bool:
    """Return whether a module is there, without importing it.

    Args:
        module: its name; of one within a package that is missing, it is not there.
    """
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
    except ValueError:  # it has been loaded in a way that left no spec
        return True
