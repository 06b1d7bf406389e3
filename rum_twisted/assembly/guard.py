"""The guard of this process, joined to those who do what it decides."""

from typing import Any, Final

from rum_twisted.admin.audit import AuditFile
from rum_twisted.assembly.admin import Admin
from rum_twisted.assembly.front import Front as OurFront
from rum_twisted.config import GuardSettings
from rum_twisted.guard.acts import Acts
from rum_twisted.guard.guard import Guard, Watched
from rum_twisted.guard.interfaces import Front
from rum_twisted.pergola.service import PergolaService
from rum_twisted.session.interfaces import ILogbook, StaffAct

__all__ = ["build_guard", "front_of"]


_GUARD: Final = "guard"  # as the audit log calls it, and what it does


class _Notes:
    """Writes what the guard does to the audit log.

    Args:
        logbook: leads there; ``None``: this process has none.
        audit: the file, for then; ``None``: there is none either.
    """

    def __init__(self, logbook: ILogbook | None, audit: AuditFile | None) -> None:
        self._logbook = logbook
        self._audit = audit

    def __call__(self, rung: str, text: str) -> None:
        """Note an act."""
        if self._logbook is not None:
            self._logbook.acted(
                StaffAct(
                    who_cid="",
                    who_callsign=_GUARD,
                    act=_GUARD,
                    whom=rung,
                    detail=text,
                    where="",
                )
            )
        elif self._audit is not None:
            self._audit.write(who=_GUARD, act=_GUARD, whom=rung, detail=text, where="")


def front_of(front: OurFront, pergola: PergolaService) -> Front:
    """Return what the guard needs where clients connect."""
    return Front(
        delivery=pergola.fanout,
        door=front.door,
        crowd=pergola.connections,
        tell_everybody=pergola.tell_everybody,
        tell_staff=front.tell_staff,
    )


def build_guard(
    reactor: Any,
    settings: GuardSettings,
    admin: Admin,
    notes: tuple[ILogbook | None, AuditFile | None],
    front: Front | None,
) -> Guard:
    """Return the guard of this process.

    Args:
        reactor: the clock.
        settings: where its rungs are.
        admin: has the facts.
        notes: the logbook that is told what it does, and the file of the audit log for
            where there is none.
        front: where clients connect; ``None`` where none do.
    """
    watched = Watched(
        owners=admin.owners,
        sampler=admin.sampler,
        heap=admin.heap,
        dumps=admin.dumps,
        audit=_Notes(*notes),
    )
    return Guard(reactor, admin.now, settings, watched, Acts(settings, front))
