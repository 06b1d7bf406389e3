"""The audit log: what the staff did, in a file of its own.

One line of JSON for each act: when, who, what, to whom, why, from where. It stands
beside the table of the member database: it is there without a database as well, and
what has been written to it a log collector has taken away before anybody can change it.

Acts are noted in two places, and both come through here: what is done on a server goes
to the logbook (`AuditedLogbook` stands before it), what is done with rumctl goes to the
directory of accounts, or is noted by the command itself.
"""

from collections.abc import Callable
from typing import Final

from twisted.logger import Logger
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.accounts.member import AuditEntry
from rum_twisted.admin.jsonlines import json_bytes
from rum_twisted.admin.moments import written
from rum_twisted.admin.rotating import RotatingFile
from rum_twisted.session.interfaces import ILogbook, StaffAct
from rum_twisted.terms.units import Seconds
from rum_twisted.world.client import Client

__all__ = ["AuditFile", "AuditedLogbook"]

_LONGEST: Final = 1000  # signs of a field


class AuditFile:
    """Writes acts down.

    Args:
        file: where to.
        now: tells the seconds since the Unix epoch.
    """

    log = Logger()

    def __init__(self, file: RotatingFile, now: Callable[[], Seconds]) -> None:
        self._file = file
        self._now = now
        self._is_told = False  # that it cannot be written
        self.lost = 0  # acts

    @override
    def __repr__(self) -> str:
        return f"<AuditFile {self._file.path}>"

    def note(self, entry: AuditEntry) -> None:
        """Write down what was done with rumctl."""
        self.write(
            who=entry.by.name,
            act=entry.act,
            whom=entry.whom,
            detail=entry.detail,
            where=entry.by.address,
        )

    def write(self, *, who: str, act: str, whom: str, detail: str, where: str) -> None:
        """Write an act down; what cannot be written is told, and nobody waits.

        Args:
            who: a CID with its callsign, a user of the system, or the server itself.
            act: one word.
            whom: to whom it was done.
            detail: why.
            where: the address, or the terminal, that he did it from.
        """
        fields = {"who": who, "act": act, "whom": whom, "detail": detail}
        line = {"time": written(self._now()), **fields, "where": where}
        cut = {name: value[:_LONGEST] for name, value in line.items()}
        try:
            self._file.append(json_bytes(cut) + b"\n")
        except OSError as error:
            self.lost += 1
            if not self._is_told:
                self._is_told = True
                self.log.warn(
                    "audit log {path} cannot be written: {trouble}",
                    path=self._file.path,
                    trouble=error.strerror or str(error),
                )
        else:
            if self._is_told:
                self._is_told = False
                self.log.info(
                    "audit log {path} is written again, {lost} acts are missing",
                    path=self._file.path,
                    lost=self.lost,
                )


@implementer(ILogbook)
class AuditedLogbook:
    """Writes acts down before it passes them on; see `ILogbook`.

    Args:
        logbook: the one that keeps everything.
        audit: the file.
    """

    def __init__(self, logbook: ILogbook, audit: AuditFile) -> None:
        self._logbook = logbook
        self._audit = audit

    @override
    def __repr__(self) -> str:
        return f"<AuditedLogbook {self._audit!r}: {self._logbook!r}>"

    def logged_on(self, client: Client, address: str) -> None:
        """Pass it on."""
        self._logbook.logged_on(client, address)

    def logged_off(self, client: Client) -> None:
        """Pass it on."""
        self._logbook.logged_off(client)

    def acted(self, act: StaffAct) -> None:
        """Write it down, and pass it on."""
        self._audit.write(
            who=f"{act.who_cid} {act.who_callsign}".strip(),
            act=act.act,
            whom=act.whom,
            detail=act.detail,
            where=act.where,
        )
        self._logbook.acted(act)
