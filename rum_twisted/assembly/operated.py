"""What an operator may decide about this process among others, and what Rum may."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.application.service import IService

from rum_twisted.assembly.drain import Drain
from rum_twisted.assembly.fabric import Fabric
from rum_twisted.assembly.traffic import Traffic
from rum_twisted.assembly.wishes import Wishes
from rum_twisted.config import ServicesSettings
from rum_twisted.control.lines import Refused
from rum_twisted.control.server import Command
from rum_twisted.rpc.server import RpcServer
from rum_twisted.session.interfaces import ILogbook, StaffAct
from rum_twisted.terms.rule import Rule
from rum_twisted.terms.units import Seconds

__all__ = ["Notes", "operate"]

_SERVER: Final = "server"  # as the audit log calls whatever nobody has decided
_LONGEST: Final = 500  # characters


class Notes:
    """Writes what is decided about services into the audit log.

    Args:
        logbook: leads there.
        name: tells who we are.
    """

    def __init__(self, logbook: ILogbook, name: Callable[[], str]) -> None:
        self._logbook = logbook
        self._name = name

    @property
    def commands(self) -> dict[str, Command]:
        """The commands by name."""
        return {"audit.note": self._note}

    def backed_out(self, rule: Rule) -> None:
        """Note that this process has ended a trial."""
        self._act(
            _SERVER,
            "back-out",
            f"{rule.service} {rule.version}",
            rule.reason,
            self._name(),
        )

    def _note(self, arguments: Mapping[str, Any]) -> None:
        """Note what an operator has had another process do."""
        texts = [
            arguments.get(name) for name in ("by", "act", "whom", "detail", "where")
        ]
        if not all(
            isinstance(text, str) and len(text) <= _LONGEST and text.isprintable()
            for text in texts
        ):
            raise Refused(
                "audit.note: due by, act, whom, detail and where, each one line"
            )
        self._act(*map(str, texts))

    def _act(self, by: str, act: str, whom: str, detail: str, where: str) -> None:
        self._logbook.acted(
            StaffAct(
                who_cid=by,
                who_callsign="",
                act=act,
                whom=whom,
                detail=detail,
                where=where,
            )
        )


def operate(
    fabric: Fabric,
    settings: ServicesSettings,
    server: RpcServer,
    logbook: ILogbook | None,
    reactor: Any,
    now: Callable[[], Seconds],
) -> tuple[dict[str, Command], tuple[IService, ...]]:
    """Return the commands about services, and the services that they are about.

    Args:
        fabric: joins this process to others.
        settings: of this process.
        server: where others call us.
        logbook: leads to the audit log; ``None``: this process has none.
        reactor: the clock, and what ends the process.
        now: tells the seconds since the Unix epoch, UTC.

    Returns:
        the commands; the services, the last one of which lists us.
    """
    serves_clients = settings.plays("pergola")
    notes = None if logbook is None else Notes(logbook, lambda: fabric.name)
    judge = None
    if serves_clients:  # others call nobody
        judge = fabric.judge(_tell_nobody if notes is None else notes.backed_out)
    listing = fabric.listing(server)
    drain = Drain(
        listing,
        fabric.discovery,
        (server.under_way, *fabric.hosted),
        reactor,
        Seconds(settings.drain_within),
        reactor.stop,
        serves_clients=serves_clients,
    )
    traffic = Traffic(
        fabric.discovery, fabric.clients.metrics, judge, lambda: fabric.name, now
    )
    commands = {
        **traffic.commands,
        **drain.commands,
        **Wishes(fabric.discovery, now).commands,
        **({} if notes is None else notes.commands),
    }
    return commands, (*(() if judge is None else (judge,)), drain, listing)


def _tell_nobody(rule: Rule) -> None:
    """Say nothing: there is no audit log."""
