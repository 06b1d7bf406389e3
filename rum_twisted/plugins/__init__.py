"""Plugins: what extends a network from outside, without a change of the server.

For who writes one, everything needed is here; docs/plugins.md shows how.

How the modules lie: a server's side is `front`, which builds no event that nobody
waits for. The role's side is `host`, which knows the plugins, each behind a `guard`
that bounds what it can cost. `local` runs Python plugins, `loading` finds them; the way
between the two sides, where they are in different processes, is `remote`.
"""

from rum_twisted.plugins.context import NotPermitted, PluginContext
from rum_twisted.plugins.interfaces import IPlugin
from rum_twisted.plugins.manifest import Manifest, Option
from rum_twisted.session.hooks import (
    GO_ON,
    Command,
    Connected,
    Gone,
    Hook,
    Line,
    LoggedOn,
    LoggingOn,
    PlanFiled,
    PositionSample,
    Service,
    Text,
    Verdict,
)

__all__ = [
    "GO_ON",
    "Command",
    "Connected",
    "Gone",
    "Hook",
    "IPlugin",
    "Line",
    "LoggedOn",
    "LoggingOn",
    "Manifest",
    "NotPermitted",
    "Option",
    "PlanFiled",
    "PluginContext",
    "PositionSample",
    "Service",
    "Text",
    "Verdict",
]
