"""What an operator may change: settings, read and checked once, frozen then.

`settings` says which there are, `kinds` what a value of each may be, `sources`
where values come from and which of them counts, `example` how they are shown to
an operator. Nothing here knows what a setting does; the rooms that are given one
check nothing again.
"""

from rum_twisted.config.settings import (
    AccountsSettings,
    Config,
    ConsoleSettings,
    ControlSettings,
    DiscoverySettings,
    GuardSettings,
    LogSettings,
    ManholeSettings,
    PergolaSettings,
    PluginsSettings,
    ServicesSettings,
    StatusSettings,
    TelemetrySettings,
    WeatherSettings,
)
from rum_twisted.config.sources import ConfigError, Mistake, load

__all__ = [
    "AccountsSettings",
    "Config",
    "ConfigError",
    "ConsoleSettings",
    "ControlSettings",
    "DiscoverySettings",
    "GuardSettings",
    "LogSettings",
    "ManholeSettings",
    "Mistake",
    "PergolaSettings",
    "PluginsSettings",
    "ServicesSettings",
    "StatusSettings",
    "TelemetrySettings",
    "WeatherSettings",
    "load",
]
