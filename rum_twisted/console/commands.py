"""The one table of commands: who may use each, how, and who carries it out.

Source: docs/console.md, "Commands".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from twisted.internet.defer import Deferred

from rum_twisted.console.console import Console, Handler, Lines, Reply, Words
from rum_twisted.console.handlers import (
    accounts,
    clients,
    log,
    network,
    operation,
    weather,
)
from rum_twisted.console.lines import words_of

__all__ = ["COMMANDS", "Command", "answer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What one command does."""

    handler: Handler
    is_open: bool = False  # to whoever connects; else the password is due
    usage: str = ""  # its arguments, as an operator reads them
    least: int = 0  # how many have to come
    has_modes: bool = False  # the first argument says what is done to the second
    told: Callable[[Words], Words] = tuple  # the arguments, as a log may tell them


_LOG_USAGE: Final = (
    "(show|delete) <maxlevel> [amount]\r\n  Where level "
    "is 0=Emergency, 1=Alert, 2=Critical, 3=Error, 4=Warning, 5=Info\r\n  6=Debug"
)
_WP_USAGE: Final = "<show|create|delete|activate|set> <name> ..."

COMMANDS: Final[Mapping[str, Command]] = MappingProxyType(
    {
        "servers": Command(handler=network.servers, is_open=True),
        "info": Command(handler=network.info),
        "ping": Command(handler=network.ping, usage="<ident>", least=1),
        "connect": Command(handler=network.connect),
        "time": Command(handler=operation.time, is_open=True),
        "route": Command(handler=network.route, is_open=True),
        "weather": Command(
            handler=weather.weather, is_open=True, usage="<profile>", least=1
        ),
        "disconnect": Command(handler=network.disconnect, usage="<fd>", least=1),
        "help": Command(handler=operation.show_help, is_open=True),
        "quit": Command(handler=operation.leave, is_open=True),
        "stat": Command(handler=operation.stat),
        "say": Command(handler=clients.say, usage="<user> <text>", least=2),
        "clients": Command(handler=clients.show_clients),
        "cert": Command(
            handler=accounts.cert, has_modes=True, told=accounts.without_password
        ),
        "pwd": Command(
            handler=operation.authorize, is_open=True, usage="<password>", least=1
        ),
        "distance": Command(
            handler=clients.show_distance, usage="<client1> <client2>", least=2
        ),
        "range": Command(handler=clients.show_range, usage="<callsign>", least=1),
        "log": Command(handler=log.log, usage=_LOG_USAGE, least=2, has_modes=True),
        "wall": Command(handler=clients.wall, usage="<text>", least=1),
        "delguard": Command(handler=network.delete_guard),
        "metar": Command(
            handler=weather.metar, is_open=True, usage="<profile>", least=1
        ),
        "wp": Command(
            handler=weather.profiles, usage=_WP_USAGE, least=1, has_modes=True
        ),
        "kill": Command(handler=clients.kill, usage="<callsign> <reason>", least=2),
        "pos": Command(
            handler=weather.place, is_open=True, usage="<lat> <lon>", least=2
        ),
        "servers2": Command(handler=network.servers2, is_open=True),
        "refreshmetar": Command(handler=weather.refresh),
        # What the classic server had not.
        "memory": Command(handler=operation.memory),
        "queues": Command(handler=clients.queues),
        "slow": Command(handler=clients.slow),
        "trace": Command(handler=clients.trace, usage="<callsign>|off", least=1),
        "guard": Command(handler=operation.guard),
        "services": Command(handler=operation.services),
    }
)
"""What each command does, by its name; in the order of ``help``."""

_LONGEST_MODE: Final = 10  # letters; a stranger word is no mode
_UNKNOWN: Final = "Syntax error."
_STRANGER: Final = "Not authorized, use 'pwd'."


def answer(console: Console, line: str) -> Reply:
    """Carry one line out.

    Args:
        console: whose operator typed it.
        line: without its end; empty for one that was too long.
    """
    name, *arguments = words_of(line) or [""]
    name = name.lower()
    command = COMMANDS.get(name)
    if command is None:
        return () if line and not name else (_UNKNOWN,)
    if not command.is_open and not console.is_authorized:
        return (_STRANGER,)
    if len(arguments) < command.least:
        return (f"Usage: {name} {command.usage}",)
    if not command.is_open:
        _note(console, name, command, arguments)
    reply = command.handler(console, arguments)
    console.server.front.settle()
    if isinstance(reply, Deferred):
        return reply.addCallback(_settled, console)
    return reply


def _settled(lines: Lines, console: Console) -> Lines:
    console.server.front.settle()
    return lines


def _note(console: Console, name: str, command: Command, arguments: Words) -> None:
    """Write an act down, with its mode as a part of its name: ``cert-add``."""
    told = command.told(arguments)
    if command.has_modes and len(told) > 1:
        mode, *told = told
        name = f"{name}-{mode.lower()[:_LONGEST_MODE]}"
    console.note_act(name, told)
