"""The prompt inside the server: which services there are, and what lies at hand."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from twisted.application.service import IService, MultiService

from rum_twisted.admin.manhole.server import IsAsked, ManholeSocket
from rum_twisted.assembly.admin import Admin
from rum_twisted.config import Config, endpoints
from rum_twisted.terms.units import Seconds
from rum_twisted.world.roster import Roster

if TYPE_CHECKING:
    from rum_twisted.admin.manhole.shell import Shell

__all__ = ["manhole"]


class _Doors:
    """Opens shells; what they are made of is imported when the first one is.

    Args:
        root: the service tree.
        admin: looks at this process.
        roster: who is online; ``None`` where no clients are served.
        limit: how long a line may run.
    """

    def __init__(
        self, root: MultiService, admin: Admin, roster: Roster | None, limit: Seconds
    ) -> None:
        self._root = root
        self._admin = admin
        self._roster = roster
        self._limit = limit

    def open(
        self, say: Callable[[str], None], is_asked: IsAsked, ready: Callable[[], None]
    ) -> "Shell":
        """Return one operator's shell; see there."""
        from rum_twisted.admin.manhole import tools  # noqa: PLC0415
        from rum_twisted.admin.manhole.limit import Limit  # noqa: PLC0415
        from rum_twisted.admin.manhole.shell import Shell  # noqa: PLC0415

        admin = self._admin
        names = tools.names_at_hand(
            self._root,
            tools.HeapTool(admin.heap, admin.commands, admin.dumps),
            tools.Owners(admin.heap),
            self._roster,
        )
        return Shell(names, say, Limit(self._limit, is_asked), ready)


def manhole(
    config: Config,
    reactor: Any,
    root: MultiService,
    admin: Admin,
    roster: Roster | None,
) -> Iterator[IService]:
    """Yield what listens for operators.

    Args:
        config: the settings.
        reactor: what it listens on.
        root: the service tree.
        admin: looks at this process.
        roster: who is online; ``None`` where no clients are served.
    """
    settings = config.manhole
    doors = _Doors(root, admin, roster, Seconds(settings.limit))
    if config.manhole_socket is not None:
        yield ManholeSocket(config.manhole_socket, reactor, doors.open)
    if settings.ssh:
        # SSH and its ciphers are 11 MB.
        from rum_twisted.admin.manhole.ssh import (  # noqa: PLC0415
            KeyFile,
            SSHManhole,
        )

        assert settings.authorized_keys is not None, "checked with the settings"
        yield SSHManhole(
            *endpoints.host_and_port(settings.ssh),
            reactor,
            doors.open,
            keys=KeyFile(settings.authorized_keys),
            host_key=settings.host_key,
        )
