"""Who is on: one holder per callsign."""

from collections.abc import Callable, Iterator
from sys import getsizeof
from typing import Final

from typing_extensions import override

from rum_twisted.terms.errors import ErrorCode, WorldError
from rum_twisted.terms.identity import ClientKind, Rating, fold
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.permissions import Permission
from rum_twisted.world.client import Client

__all__ = ["CallsignInUse", "NoSuchCallsign", "Roster"]

_CLIENT: Final = 690  # bytes: the object, his names, numbers and position
_PLAN: Final = 700  # bytes: the object and its short texts
_SUPERVISING: Final = Rating.SUPERVISOR  # supervisors and administrators


class CallsignInUse(WorldError):
    """Somebody else holds the callsign."""

    code = ErrorCode.CALLSIGN_IN_USE


class NoSuchCallsign(WorldError):
    """Nobody holds the callsign; the parameter is the callsign as typed."""

    code = ErrorCode.NO_SUCH_CALLSIGN


class Roster:
    """All clients that are logged on, by callsign without regard to case.

    Invariants: no two clients hold the same callsign; every client is in exactly
    one of the group of pilots and that of controllers, among the supervisors exactly
    if his rating says so, and among the staff exactly if he is a supervisor or has
    the permission for notices.
    """

    __slots__ = ("_clients", "_controllers", "_pilots", "_staff", "_supervisors")

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        # Groups are dictionaries, because those keep the order of logon.
        self._pilots: dict[Client, None] = {}
        self._controllers: dict[Client, None] = {}
        self._supervisors: dict[Client, None] = {}
        self._staff: dict[Client, None] = {}

    @override
    def __repr__(self) -> str:
        """Tell how many are on."""
        return f"<Roster of {len(self)}>"

    def __len__(self) -> int:
        """Return how many clients are on."""
        return len(self._clients)

    def __iter__(self) -> Iterator[Client]:
        """Go through all clients in the order of logon."""
        return iter(self._clients.values())

    def is_online(self, callsign: str) -> bool:
        """Tell whether somebody holds ``callsign``, in any case."""
        return fold(callsign) in self._clients

    def find(self, callsign: str) -> Client | None:
        """Return who holds ``callsign``, in any case, if anybody does."""
        return self._clients.get(fold(callsign))

    def add(self, client: Client) -> None:
        """Take a client up.

        Raises:
            CallsignInUse: somebody else holds his callsign.
        """
        key = fold(client.callsign)
        if key in self._clients:
            raise CallsignInUse
        self._clients[key] = client
        self._group_of(client)[client] = None
        if client.rating >= _SUPERVISING:
            self._supervisors[client] = None
        if client.rating >= _SUPERVISING or Permission.NOTICES in client.permissions:
            self._staff[client] = None

    def remove(self, client: Client) -> None:
        """Strike a client off; his callsign is free at once."""
        del self._clients[fold(client.callsign)]
        del self._group_of(client)[client]
        self._supervisors.pop(client, None)
        self._staff.pop(client, None)

    @property
    def count_of_pilots(self) -> int:
        """How many logged on as pilots; any thread may ask."""
        return len(self._pilots)

    @property
    def count_of_controllers(self) -> int:
        """How many logged on as controllers; any thread may ask."""
        return len(self._controllers)

    @property
    def pilots(self) -> Iterator[Client]:
        """All who logged on as pilots."""
        return iter(self._pilots)

    @property
    def controllers(self) -> Iterator[Client]:
        """All who logged on as controllers."""
        return iter(self._controllers)

    @property
    def supervisors(self) -> Iterator[Client]:
        """All supervisors and administrators, pilots and controllers alike."""
        return iter(self._supervisors)

    @property
    def staff(self) -> Iterator[Client]:
        """All whom the server tells what its staff is to know."""
        return iter(self._staff)

    def measures(self) -> dict[str, Callable[[], Measure]]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {"roster": self.measure, "flight plans": self.measure_plans}

    def measure(self) -> Measure:
        """Tell what the clients and their names take, plans not counted."""
        tables = (
            self._clients,
            self._pilots,
            self._controllers,
            self._supervisors,
            self._staff,
        )
        count = len(self._clients)
        return Measure(count=count, bytes=count * _CLIENT + sum(map(getsizeof, tables)))

    def measure_plans(self) -> Measure:
        """Tell what the flight plans take."""
        plans = [client.plan for client in list(self._clients.values()) if client.plan]
        texts = sum(len(plan.route) + len(plan.remarks) for plan in plans)
        return Measure(count=len(plans), bytes=len(plans) * _PLAN + texts)

    def _group_of(self, client: Client) -> dict[Client, None]:
        if client.kind is ClientKind.PILOT:
            return self._pilots
        return self._controllers
