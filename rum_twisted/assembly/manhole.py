"""The prompt inside the server: which services there are, and what lies at hand."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from twisted.application.service import IService, MultiService

from rum_twisted.admin.audit import AuditFile
from rum_twisted.admin.manhole.server import IsAsked, ManholeSocket
from rum_twisted.assembly.admin import Admin
from rum_twisted.config import Config, endpoints
from rum_twisted.control.server import Command
from rum_twisted.terms.units import Seconds
from rum_twisted.world.roster import Roster

if TYPE_CHECKING:
    from rum_twisted.admin.manhole.shell import Shell

__all__ = ["AtHand", "manhole"]

_ACT: Final = "manhole"  # as the audit log calls it


@dataclass(frozen=True, slots=True, kw_only=True)
class AtHand:
    """What lies at hand at the prompt."""

    root: MultiService  # the service tree
    admin: Admin  # looks at this process
    roster: Roster | None  # who is online; None where no clients are served
    guard: Mapping[str, Command]  # what may be asked of the guard


class _Doors:
    """Opens shells; what they are made of is imported when the first one is.

    Args:
        at_hand: what lies there.
        limit: how long a line may run.
    """

    def __init__(self, at_hand: AtHand, limit: Seconds) -> None:
        self._at_hand = at_hand
        self._limit = limit

    def open(
        self, say: Callable[[str], None], is_asked: IsAsked, ready: Callable[[], None]
    ) -> "Shell":
        """Return one operator's shell; see there."""
        from rum_twisted.admin.manhole import tools  # noqa: PLC0415
        from rum_twisted.admin.manhole.limit import Limit  # noqa: PLC0415
        from rum_twisted.admin.manhole.shell import Shell  # noqa: PLC0415

        at_hand, admin = self._at_hand, self._at_hand.admin
        names = tools.names_at_hand(
            at_hand.root,
            tools.HeapTool(admin.heap, admin.commands, admin.dumps),
            tools.Owners(admin.heap),
            tools.GuardTool(at_hand.guard),
            at_hand.roster,
        )
        return Shell(names, say, Limit(self._limit, is_asked), ready)


class _Acts:
    """Writes what operators run into the audit log.

    Args:
        audit: the file; ``None``: there is none.
        roles: of this process.
    """

    def __init__(self, audit: AuditFile | None, roles: tuple[str, ...]) -> None:
        self._audit = audit
        self._whom = ",".join(roles)

    def note(self, who: str, line: str, where: str) -> None:
        """Write down who runs what, and where he sits."""
        if self._audit is not None:
            self._audit.write(
                who=who, act=_ACT, whom=self._whom, detail=line, where=where
            )


def manhole(
    config: Config, reactor: Any, at_hand: AtHand, audit: AuditFile | None
) -> Iterator[IService]:
    """Yield what listens for operators.

    Args:
        config: the settings.
        reactor: what it listens on.
        at_hand: what lies at hand there.
        audit: takes what is run; ``None``: there is none.
    """
    settings = config.manhole
    doors = _Doors(at_hand, Seconds(settings.limit))
    acts = _Acts(audit, config.services.roles)
    if config.manhole_socket is not None:
        yield ManholeSocket(config.manhole_socket, reactor, doors.open, acts.note)
    if settings.ssh:
        # SSH and its ciphers are 11 MB.
        from rum_twisted.admin.manhole.ssh import (  # noqa: PLC0415
            KeyFile,
            SSHManhole,
        )

        assert settings.authorized_keys is not None, "checked with the settings"
        yield SSHManhole(
            endpoints.host_and_port(settings.ssh),
            reactor,
            doors.open,
            acts.note,
            keys=KeyFile(settings.authorized_keys),
            host_key=settings.host_key,
        )
