"""Who is in range, against the plain formula, over the whole world."""

from itertools import product
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.identity import ClientKind
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Feet, NauticalMiles
from rum_twisted.world.airspace import Airspace, Band, Cell, Spot
from rum_twisted.world.client import Client
from rum_twisted.world.geodesy import HALF_CIRCLE, distance
from rum_twisted.world.visibility import RULES, Channel, reach
from tests.support.builders import make_client, make_controller, make_pilot
from tests.unit.world.places import NULL_ISLAND, away, place, positions, put

Feed = list[bytes]

PILOT, CONTROLLER = ClientKind.PILOT, ClientKind.CONTROLLER

A_LITTLE = 0.001  # NM, six feet: on which side of a limit somebody surely is
ROUNDING = 0.0005  # NM; so near a limit, either answer is right

kinds = st.sampled_from(ClientKind)
altitudes = st.one_of(
    st.integers(-1000, 60_000),
    st.sampled_from((0, 1000, 10_000, 41_000, 2**31 - 1, -(2**31))),
).map(Feet)
facilities = st.integers(-1, 8)
visual_ranges = st.one_of(
    st.integers(-2, 1200),
    st.sampled_from((0, 1, 40, 10_799, 10_800, 10_801, 2**31 - 1, -(2**31))),
).map(NauticalMiles)


def make_somebody(
    kind: ClientKind, altitude: Feet, facility: int, visual_range: NauticalMiles
) -> Client:
    """Return a client with ranges, who is nowhere yet."""
    client = make_client(kind=kind)
    client.altitude = altitude
    client.facility = facility
    client.visual_range = visual_range
    return client


clients = st.builds(make_somebody, kinds, altitudes, facilities, visual_ranges)


def limit_of(channel: Channel, sender: Client, receiver: Client) -> int:
    """Return the limit between two clients, in miles."""
    return reach(
        RULES[channel, sender.kind, receiver.kind],
        sender.radio_range,
        receiver.radio_range,
        receiver.visual_range,
    )


class Sky:
    """An airspace, and the clients that were put into it."""

    def __init__(self) -> None:
        self.airspace: Airspace[Client, Feed] = Airspace(list)
        self.spots: dict[Client, Spot[Client, Feed]] = {}

    def add(self, client: Client) -> Client:
        """Take a client up, and place him if he is somewhere."""
        self.spots[client] = self.airspace.add(client, client.kind)
        if client.position is not None:
            self.place(client)
        return client

    def place(self, client: Client) -> None:
        """Take over where a client says he is."""
        position = client.position
        assert position is not None, "only who is somewhere is placed"
        self.airspace.place(
            self.spots[client], position, client.radio_range, client.visual_range
        )

    def remove(self, client: Client) -> None:
        """Forget a client."""
        self.airspace.remove(self.spots.pop(client))

    def receivers(self, sender: Client, channel: Channel) -> list[Client]:
        """Return who receives what ``sender`` sends, nobody twice."""
        spot = self.spots[sender]
        cells, spots = self.airspace.within(spot, channel)
        assert spot not in spots, "nobody hears himself"
        found = [member for cell in cells for member in cell.members] + spots
        assert len({id(one) for one in found}) == len(found), "somebody is found twice"
        return [one.owner for one in found if one is not spot]

    def check_receivers(self, sender: Client, channel: Channel) -> None:
        """Compare with the plain formula, one by one."""
        found = set(self.receivers(sender, channel))
        assert found <= set(self.spots)
        here = sender.position
        assert here is not None, "only who is somewhere reports"
        for receiver in self.spots:
            there = receiver.position
            if there is None or receiver is sender:
                assert receiver not in found
                continue
            limit = limit_of(channel, sender, receiver)
            miles = distance(here, there)
            # At a limit of 0 equal places count; below it nobody does.
            if limit < 0 or miles > limit + ROUNDING:
                assert receiver not in found, (receiver, miles, limit)
            elif miles < limit - ROUNDING:
                assert receiver in found, (receiver, miles, limit)

    def check_order(self) -> None:
        """Check what `Airspace`, `Band` and `Cell` promise of themselves."""
        cells = list(self.airspace.cells())
        members = [member for cell in cells for member in cell.members]
        assert len(members) == len(self.spots)
        assert {id(one) for one in members} == {id(s) for s in self.spots.values()}
        for cell in cells:
            check_cell(cell)
        placed = [cell for cell in cells if cell.band is not None]
        bands = {id(cell.band): cell.band for cell in placed}
        for band in bands.values():
            assert band is not None
            check_band(band, [cell for cell in placed if cell.band is band])
        # What it says of itself would tell of bands and cells left behind.
        counts = f"<Airspace of {len(bands)} bands, {len(placed)} cells>"
        assert repr(self.airspace) == counts, repr(self.airspace)


def check_cell(cell: Cell[Client, Feed]) -> None:
    """Check that a cell's members know it, and are of one kind."""
    assert cell.members or cell.band is None, "an empty cell was left behind"
    assert len({member.kind for member in cell.members}) <= 1
    for number, member in enumerate(cell.members):
        assert member.cell is cell
        assert member.index == number
        assert member.kind is member.owner.kind
        assert (member.owner.position is None) == (cell.band is None)


def check_band(band: Band[Client, Feed], cells: list[Cell[Client, Feed]]) -> None:
    """Check that a band indexes exactly its cells, each of them once."""
    assert {id(cell) for cell in band.cells.values()} == {id(cell) for cell in cells}
    filed = [cell for block in band.blocks.values() for cell in block.values()]
    assert len(filed) == len(cells)
    assert {id(cell) for cell in filed} == {id(cell) for cell in cells}
    assert all(band.blocks.values()), "an empty block was left behind"
    for cell in cells:
        assert band.cells[cell.key] is cell
        for member in cell.members:
            assert member.kind is band.kind
            assert band.key_of(member.x, member.y, member.z) == cell.key
            assert band.radio[0] <= member.radio <= band.radio[1]
            if band.kind is ClientKind.CONTROLLER:
                sight = max(member.sight, -1)
                assert band.sight[0] <= sight <= band.sight[1]


class Traffic(RuleBasedStateMachine):
    """Clients who come, report from anywhere, and go, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.sky = Sky()
        self.clients: list[Client] = []

    @initialize(kind=kinds, position=positions)
    def begin(self, kind: ClientKind, position: Position) -> None:
        """Start with somebody."""
        self.log_on(kind)
        self.report(0, position, Feet(0), 4, NauticalMiles(40))

    @rule(kind=kinds)
    def log_on(self, kind: ClientKind) -> None:
        """Somebody comes, and has not said where he is."""
        client = make_client(f"C{len(self.clients)}", kind=kind)
        self.clients.append(self.sky.add(client))

    @precondition(lambda self: self.clients)
    @rule(
        which=st.integers(0),
        position=positions,
        altitude=altitudes,
        facility=facilities,
        visual_range=visual_ranges,
    )
    def report(
        self,
        which: int,
        position: Position,
        altitude: Feet,
        facility: int,
        visual_range: NauticalMiles,
    ) -> None:
        """Somebody moves, near or far, and may change his ranges."""
        client = self.clients[which % len(self.clients)]
        client.position = position
        client.altitude = altitude
        client.facility = facility
        client.visual_range = visual_range
        self.sky.place(client)

    @precondition(lambda self: len(self.clients) > 1)
    @rule(which=st.integers(0), neighbor=st.integers(0))
    def meet(self, which: int, neighbor: int) -> None:
        """Somebody goes to the very place of somebody else."""
        client = self.clients[which % len(self.clients)]
        target = self.clients[neighbor % len(self.clients)].position
        if target is not None:
            client.position = target
            self.sky.place(client)

    @precondition(lambda self: self.clients)
    @rule(which=st.integers(0))
    def leave(self, which: int) -> None:
        """Somebody goes."""
        self.sky.remove(self.clients.pop(which % len(self.clients)))

    @invariant()
    def everything_is_in_its_place(self) -> None:
        """After every step each spot is in one cell, and nothing empty is left."""
        self.sky.check_order()

    @invariant()
    def everybody_hears_whom_he_should(self) -> None:
        """After every step the answers are those of the plain formula."""
        for sender in self.clients:
            if sender.position is not None:
                for channel in Channel:
                    self.sky.check_receivers(sender, channel)


class AirspaceTests(SynchronousTestCase):
    """Traffic, and what comes of it."""

    def test_answers_are_those_of_the_formula_whatever_happens(self) -> None:
        """Clients come, move all over the world, and go: nobody is missed."""
        run_state_machine_as_test(
            Traffic,
            settings=settings(max_examples=60, stateful_step_count=30, deadline=None),
        )

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.builds(put, clients, positions), min_size=60, max_size=120))
    def test_crowds_are_answered_as_single_clients_are(
        self, crowd: list[Client]
    ) -> None:
        """Where many stand in many cells, each gets what he should."""
        sky = Sky()
        for client in crowd:
            sky.add(client)
        sky.check_order()
        for sender in crowd[:10]:
            for channel in Channel:
                sky.check_receivers(sender, channel)

    def test_dense_traffic_is_answered_as_single_clients_are(self) -> None:
        """Around busy airports, limits run through many cells: none is misjudged."""
        random = Random(6809)  # noqa: S311  # a seed, so that it is always the same sky
        sky = Sky()
        for number in range(700):
            client = put(
                make_somebody(
                    PILOT if number % 2 else CONTROLLER,
                    Feet(random.choice((0, 400, 1500, 2000, 9000, 30_000))),
                    random.choice((0, 2, 4, 5, 6)),
                    NauticalMiles(random.choice((12, 15, 45, 63, 64, 89, 128, 180))),
                ),
                place(random.uniform(48.0, 56.0), random.uniform(0.0, 12.0)),
            )
            sky.add(client)
        sky.check_order()
        for sender in list(sky.spots)[:80]:
            for channel in Channel:
                sky.check_receivers(sender, channel)

    @settings(deadline=None)
    @given(st.sampled_from(Channel), clients, clients, positions, st.floats(0, 360))
    def test_limits_are_met_to_the_foot(
        self,
        channel: Channel,
        sender: Client,
        receiver: Client,
        start: Position,
        bearing: float,
    ) -> None:
        """Six feet inside the limit one is in range, six feet outside one is not."""
        limit = limit_of(channel, sender, receiver)
        assume(0 < limit < HALF_CIRCLE)
        sky = Sky()
        sky.add(put(sender, start))
        sky.add(put(receiver, away(start, limit - A_LITTLE, bearing)))
        self.assertEqual(sky.receivers(sender, channel), [receiver])
        sky.place(put(receiver, away(start, limit + A_LITTLE, bearing)))
        self.assertEqual(sky.receivers(sender, channel), [])

    def test_limit_itself_is_in_range(self) -> None:
        """At exactly the limit rounding is settled in favor of being in range."""
        sky = Sky()
        controller = sky.add(put(make_controller(), NULL_ISLAND))
        pilot = sky.add(put(make_pilot(), NULL_ISLAND))
        for miles in range(1, HALF_CIRCLE, 7):
            controller.visual_range = NauticalMiles(miles)
            sky.place(controller)
            for longitude in (miles / 60.0, -miles / 60.0):
                sky.place(put(pilot, place(0.0, longitude)))
                found = sky.receivers(pilot, Channel.POSITION)
                self.assertEqual(found, [controller], miles)

    def test_same_place_is_in_range_of_nothing_but_zero(self) -> None:
        """Who sees 0 miles sees who stands where he stands; below 0 nobody."""
        for latitude in (0.0, 33.33, 52.308, -89.99, 90.0):
            for sight, sees in ((0, True), (-1, False), (-(2**31), False)):
                sky = Sky()
                controller = put(make_controller(), place(latitude, 4.764))
                controller.visual_range = NauticalMiles(sight)
                sky.add(controller)
                pilot = sky.add(put(make_pilot(), place(latitude, 4.764)))
                found = sky.receivers(pilot, Channel.POSITION)
                self.assertEqual(found, [controller] if sees else [])

    def test_huge_ranges_hold_the_whole_world(self) -> None:
        """Who sees farther than the antipode sees everybody."""
        for sight in (10_800, 10_801, 2**31 - 1):
            sky = Sky()
            controller = put(make_controller(), place(52.3, 4.8))
            controller.visual_range = NauticalMiles(sight)
            sky.add(controller)
            for position in (place(-52.3, -175.2), place(90.0, 0.0), NULL_ISLAND):
                pilot = sky.add(put(make_pilot(), position))
                found = sky.receivers(pilot, Channel.POSITION)
                self.assertEqual(found, [controller])
                sky.remove(pilot)

    def test_values_off_the_earth_are_no_trouble(self) -> None:
        """Clients may report any number; they are somewhere, and nothing breaks."""
        sky = Sky()
        for latitude, longitude in ((95.0, 200.0), (1e300, -1e300), (-1e18, 1e18)):
            pilot = sky.add(put(make_pilot(), place(latitude, longitude)))
            sky.check_order()
            for channel in Channel:
                sky.receivers(pilot, channel)

    def test_nobody_is_in_range_before_he_reports(self) -> None:
        """Who has just come is in the airspace and in nobody's range."""
        sky = Sky()
        newcomers = [sky.add(make_pilot()), sky.add(make_controller())]
        pilot = sky.add(put(make_pilot("KLM2"), NULL_ISLAND))
        for channel in Channel:
            self.assertEqual(sky.receivers(pilot, channel), [])
        members = [spot.owner for cell in sky.airspace.cells() for spot in cell.members]
        self.assertEqual(set(members), {*newcomers, pilot})

    def test_each_cell_has_a_feed_of_its_own(self) -> None:
        """What one cell is told does not reach another, nor those who are nowhere."""
        sky = Sky()
        for longitude in (0.0, 10.0, 20.0):
            sky.add(put(make_pilot(), place(0.0, longitude)))
        for kind in ClientKind:
            sky.add(make_client("KLM1", kind=kind))
        cells = list(sky.airspace.cells())
        self.assertEqual(len(cells), 3 + len(ClientKind))
        self.assertEqual(len({id(cell.feed) for cell in cells}), len(cells))

    def test_many_who_are_nowhere(self) -> None:
        """They stand in several cells, and an empty one is forgotten."""
        sky = Sky()
        pilots = [sky.add(make_pilot(f"KLM{number}")) for number in range(150)]
        sizes = [len(cell.members) for cell in sky.airspace.cells()]
        self.assertEqual(sum(sizes), 150)
        self.assertLess(max(sizes), 100)
        for pilot in pilots:
            sky.remove(pilot)
        self.assertEqual(list(sky.airspace.cells()), [])

    def test_small_moves_keep_the_cell(self) -> None:
        """An aircraft on its stand costs no change of the index."""
        sky = Sky()
        pilot = sky.add(put(make_pilot(), place(52.308, 4.764)))
        cell = sky.spots[pilot].cell
        sky.place(put(pilot, place(52.3080001, 4.7640001)))
        self.assertIs(sky.spots[pilot].cell, cell)

    def test_climb_changes_the_band(self) -> None:
        """Who climbs is heard farther, and is judged with others like him."""
        sky = Sky()
        pilot = sky.add(put(make_pilot(), NULL_ISLAND))
        on_the_ground = sky.spots[pilot].cell
        pilot.altitude = Feet(35_000)
        sky.place(pilot)
        self.assertIsNot(sky.spots[pilot].cell, on_the_ground)
        self.assertEqual(on_the_ground.members, [])
        sky.check_order()

    def test_report_looks_at_near_cells_only(self) -> None:
        """Traffic elsewhere costs a report nothing, however much there is."""
        name = (ClientKind.PILOT, 9, 0)
        band: Band[Client, Feed] = Band(name, ClientKind.PILOT, (128, 180), (0, 0))
        steps = range(-36, 37, 6)  # cubes, from one side of the earth to the other
        keys = list(product(steps, steps, steps))
        for key in keys:
            band.add(Cell(band, key, []))
        near = [cell.key for cell in band.near(0.0, 0.0, 0.0, band.edge)]
        self.assertIn((0, 0, 0), near)
        self.assertLess(len(near), len(keys) / 20)

    def test_it_tells_what_it_holds(self) -> None:
        """Whoever looks at the living server reads how much there is."""
        sky = Sky()
        self.assertEqual(repr(sky.airspace), "<Airspace of 0 bands, 0 cells>")
        pilot = sky.add(put(make_pilot(), NULL_ISLAND))
        self.assertEqual(repr(sky.airspace), "<Airspace of 1 bands, 1 cells>")
        band = sky.spots[pilot].cell.band
        self.assertRegex(repr(band), r"<Band pilot radio=.* sight=.*: 1 cells>")

    def test_shrinking(self) -> None:
        """The limits that are remembered go, and answers are the same."""
        sky = Sky()
        first, second = (sky.add(put(make_pilot(), NULL_ISLAND)) for _ in range(2))
        spot = sky.spots[first]
        before = sky.airspace.within(spot, Channel.POSITION)
        size = sky.airspace.measure().bytes
        freed = sky.airspace.shrink()
        self.assertGreater(freed, 0)
        self.assertLess(sky.airspace.measure().bytes, size)
        self.assertEqual(sky.airspace.shrink(), 0)
        self.assertEqual(sky.airspace.within(spot, Channel.POSITION), before)
        self.assertIs(sky.spots[second].cell, spot.cell)
