"""What finding the receivers of a position report takes, beside asking everybody.

    python -m bench.visibility

Each layout is measured both ways in one run: `Airspace.within` (with putting the
sender where he is), and the plain formula for every pair. Both must find the same
receivers, or nothing is printed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from math import asin, cos, degrees, radians, sin, sqrt
from random import Random
from typing import Final

from bench import machine
from bench.stopwatch import microseconds
from rum_twisted.terms.identity import Callsign, ClientKind, Rating
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees, Feet, Seconds
from rum_twisted.world.airspace import Airspace, Spot
from rum_twisted.world.client import Client
from rum_twisted.world.visibility import Channel, is_in_range

__all__ = ["main"]

_SIZES: Final = (100, 400, 1500, 5000)
_SEED: Final = 1
_CLUSTER: Final = 25.0  # NM, radius of one terminal area
_AIRPORTS: Final = (
    *((51.5, -0.5), (40.6, -73.8), (52.3, 4.8), (50.0, 8.6)),
    *((35.6, 139.8), (1.4, 104.0), (25.3, 55.4), (-33.9, 151.2)),
)
_POPULARITY: Final = tuple(1 / rank for rank in range(1, len(_AIRPORTS) + 1))
_AT_AIRPORT: Final = 0.4  # of the flights of `hubs`; the others are on the way

Report = tuple[Position, Feet]
Layout = Callable[[Random], Report]
Sky = Airspace[Client, None]


@dataclass(frozen=True, slots=True)
class Scene:
    """Clients in the air, as the server keeps them."""

    airspace: Sky
    spots: Sequence[Spot[Client, None]]

    def find(self, spot: Spot[Client, None]) -> set[Callsign]:
        """Return who receives a report, as the server does it."""
        whole, single = self.airspace.within(spot, Channel.POSITION)
        found = {one.owner.callsign for one in single}
        for cell in whole:
            found.update(one.owner.callsign for one in cell.members)
        return found - {spot.owner.callsign}

    def report(self, spot: Spot[Client, None]) -> None:
        """Do what a position report makes the airspace do."""
        client = spot.owner
        assert client.position is not None, "everybody in a scene was placed"
        self.airspace.place(spot, client.position, client.radio_range, 0)
        self.airspace.within(spot, Channel.POSITION)

    def ask_everybody(self, spot: Spot[Client, None]) -> set[Callsign]:
        """Return who receives a report, by the plain formula for every pair."""
        return {
            one.owner.callsign
            for one in self.spots
            if one is not spot and is_in_range(Channel.POSITION, spot.owner, one.owner)
        }


def main() -> None:
    """Time all layouts and sizes, and print a table."""
    print(machine.look(), "\n")
    print("microseconds for one report")
    head = ("layout", "clients", "receivers", "airspace", "everybody", "times")
    print("{:<10}{:>8}{:>11}{:>10}{:>11}{:>8}".format(*head))
    for name, layout in _LAYOUTS.items():
        for size in _SIZES:
            scene = _scene(layout, size)
            receivers = _compare(scene)
            ours = microseconds(_in_turn(scene, scene.report))
            plain = microseconds(_in_turn(scene, scene.ask_everybody))
            print(
                f"{name:<10}{size:>8}{receivers:>11.1f}{ours:>10.1f}{plain:>11.1f}"
                f"{plain / ours:>8.0f}"
            )


def _compare(scene: Scene) -> float:
    """Check that both ways agree; return the mean number of receivers."""
    some = scene.spots[:: max(1, len(scene.spots) // 50)]
    total = 0
    for spot in some:
        found = scene.find(spot)
        if found != scene.ask_everybody(spot):
            raise AssertionError(f"{spot.owner.callsign}: the receivers differ")
        total += len(found)
    return total / len(some)


def _in_turn(
    scene: Scene, act: Callable[[Spot[Client, None]], object]
) -> Callable[[], object]:
    """Return a function that has the next client's turn at each call."""
    turns = cycle(scene.spots)
    return lambda: act(next(turns))


def _scene(layout: Layout, size: int) -> Scene:
    random = Random(_SEED)  # noqa: S311 - the same scene each time
    airspace: Sky = Airspace(lambda: None)
    spots = []
    for number in range(size):
        position, altitude = layout(random)
        client = Client(
            callsign=Callsign(f"SKY{number:04d}"),
            cid="1000000",
            kind=ClientKind.PILOT,
            rating=Rating.OBSERVER,
            real_name="",
            protocol_revision="9",
            logged_on_at=Seconds(0.0),
            position=position,
            altitude=altitude,
        )
        spot = airspace.add(client, ClientKind.PILOT)
        airspace.place(spot, position, client.radio_range, 0)
        spots.append(spot)
    return Scene(airspace, spots)


def _cluster(random: Random) -> Report:
    """Put somebody into the one terminal area."""
    return _around(random, *_AIRPORTS[0], _CLUSTER), Feet(random.randint(3000, 12000))


def _hubs(random: Random) -> Report:
    """Put somebody near an airport, or between two of them."""
    start, end = random.choices(_AIRPORTS, _POPULARITY, k=2)
    if random.random() < _AT_AIRPORT:
        return _around(random, *start, _CLUSTER), Feet(random.randint(0, 10000))
    part = random.random()
    latitude, longitude = (
        one + (other - one) * part for one, other in zip(start, end, strict=True)
    )
    return _at(latitude, longitude), Feet(random.randint(28, 40) * 1000)


def _spread(random: Random) -> Report:
    """Put somebody anywhere, at cruise level."""
    latitude = degrees(asin(random.uniform(-1.0, 1.0)))
    place = _at(latitude, random.uniform(-180.0, 180.0))
    return place, Feet(random.randint(29, 39) * 1000)


def _around(
    random: Random, latitude: float, longitude: float, miles: float
) -> Position:
    """Return a place within ``miles`` of another one, evenly over the area."""
    away, course = miles * sqrt(random.random()) / 60.0, radians(random.uniform(0, 360))
    east = away * sin(course) / cos(radians(latitude))
    return _at(latitude + away * cos(course), longitude + east)


def _at(latitude: float, longitude: float) -> Position:
    return Position(Degrees(latitude), Degrees(longitude))


_LAYOUTS: Final = {"cluster": _cluster, "hubs": _hubs, "spread": _spread}


if __name__ == "__main__":
    main()
