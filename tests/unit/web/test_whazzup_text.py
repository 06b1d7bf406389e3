"""The status file, to the letter that maps have read for twenty years."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.terms.identity import Rating
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees, Feet
from rum_twisted.web.whazzup_text import client_line, render
from tests.unit.web.builders import SERVER, make_controller, make_pilot, make_plan

NOW = 1795405512.5  # 2026-11-23 03:45:12 UTC

GOLDEN = b"""\
![DateStamp]23/11/2026 03:45
!GENERAL
VERSION = 1
RELOAD = 1
UPDATE = 20261123034512
CONNECTED CLIENTS = 3
CONNECTED SERVERS = 1
!CLIENTS
KLM1:1000001:Joe Pilot:PILOT::50.500000:-5.250000:12000:250:B738/L:420:EHAM:FL350:\
EDDF:FSD:9:1:4521:0:40:0:I:1230:1235:1:30:3:15:EDDL:rmk:DCT ABC:::::::20261121041136
STCL_CTR:1000005:Ann Controller:ATC:132.125:51.250000:5.750000:0:0::::::FSD:9:5:0:6:\
300::::::::::::::::::20261121041136
KLM2:1000001:Joe Pilot:PILOT::50.500000:-5.250000:12000:250::::::FSD:9:1:4521:0:40\
::::::::::::::::::20261121041136
!SERVERS
FSD:fsd.example.org:Delft:Example FSD:1
"""

EMPTY = b"""\
![DateStamp]23/11/2026 03:45
!GENERAL
VERSION = 1
RELOAD = 1
UPDATE = 20261123034512
CONNECTED CLIENTS = 0
CONNECTED SERVERS = 1
!CLIENTS
!SERVERS
FSD:fsd.example.org:Delft:Example FSD:1
"""

latin1_text = st.text(st.characters(max_codepoint=255), max_size=40)


class RenderTests(SynchronousTestCase):
    """The whole file."""

    def test_file_is_the_classic_one(self) -> None:
        """A pilot with a plan, a controller and a pilot without one."""
        pilot = make_pilot()
        pilot.plan = make_plan()
        clients = (pilot, make_controller(), make_pilot("KLM2"))
        self.assertEqual(render(clients, SERVER, NOW), GOLDEN)

    def test_file_without_clients_has_all_sections(self) -> None:
        """An empty network is a valid file too."""
        self.assertEqual(render((), SERVER, NOW), EMPTY)

    def test_unlisted_server_is_left_out(self) -> None:
        """A server whose hostname is n/a is neither counted nor listed."""
        for hostname in ("n/a", "N/A"):
            text = render((), replace(SERVER, hostname=hostname), NOW)
            self.assertTrue(text.endswith(b"!CLIENTS\n!SERVERS\n"))
            self.assertIn(b"CONNECTED SERVERS = 0\n", text)

    def test_server_texts_cannot_break_their_line(self) -> None:
        """A colon or line end in a setting of the operator shifts no field."""
        server = replace(SERVER, hostname="::1", location="A\r\nB", name="C:\0D")
        text = render((), server, NOW)
        self.assertTrue(text.endswith(b"!SERVERS\nFSD:;;1:A  B:C; D:1\n"))

    def test_sign_outside_latin_1_does_not_stop_the_file(self) -> None:
        """Such a sign is a slip of the server's own, and shows as one."""
        text = render((), replace(SERVER, name="\N{AIRPLANE} Rum"), NOW)
        self.assertTrue(text.endswith(b":? Rum:1\n"))

    @given(st.lists(st.tuples(latin1_text, latin1_text, latin1_text), max_size=4))
    @settings(derandomize=True, deadline=None, database=None)
    def test_no_text_adds_a_line_or_a_field(
        self, texts: list[tuple[str, str, str]]
    ) -> None:
        """Whatever clients call themselves and file, a map reads 38 fields each."""
        clients = []
        for cid, name, route in texts:
            pilot = make_pilot(cid=cid, real_name=name, protocol_revision=route)
            pilot.plan = make_plan(aircraft=cid, remarks=name, route=route)
            clients.append(pilot)
        lines = render(clients, SERVER, NOW).splitlines()
        self.assertEqual(len(lines), 8 + len(texts) + 2)
        for line, (cid, name, route) in zip(lines[8:-2], texts, strict=True):
            fields = line.split(b":")
            self.assertEqual(len(fields), 38)
            for number, text in zip(
                (2, 10, 3, 30, 16, 31),
                (cid, cid, name, name, route, route),
                strict=True,
            ):
                shown = fields[number - 1].decode("latin-1")
                self.assertEqual(len(shown), len(text))
                for sign, was in zip(shown, text, strict=True):
                    if was == ":":
                        self.assertEqual(sign, ";")
                    elif was < " " or was == "\x7f":
                        self.assertEqual(sign, " ")
                    else:
                        self.assertEqual(sign, was)


class ClientLineTests(SynchronousTestCase):
    """One client's 38 fields, counted from 1 as the reference does."""

    @override
    def setUp(self) -> None:
        """Make a pilot with a plan."""
        self.pilot = make_pilot()
        self.pilot.plan = make_plan()

    def fields(self, first: int, last: int) -> list[str]:
        """Return some fields of the pilot's line; ``last`` is the last of them."""
        line = client_line(self.pilot, "FSD").decode("latin-1")
        self.assertTrue(line.endswith("\n"))
        fields = line[:-1].split(":")
        self.assertEqual(len(fields), 38)
        return fields[first - 1 : last]

    def test_frequency_is_megahertz(self) -> None:
        """Three digits, a point, three digits."""
        for frequency, shown in (
            (18900, "118.900"),
            (22800, "122.800"),
            (99999, "199.999"),
            (1, "100.001"),
            (5005, "105.005"),
        ):
            self.pilot.frequency = frequency
            self.assertEqual(self.fields(5, 5), [shown])

    def test_frequency_of_no_radio_is_empty(self) -> None:
        """None tuned, below the band or above it: the field is empty."""
        for frequency in (0, -1, -18900, 100_000, 2**31 - 1):
            self.pilot.frequency = frequency
            self.assertEqual(self.fields(5, 5), [""])

    def test_position_has_six_decimals(self) -> None:
        """South and west are negative; values off the earth pass."""
        self.pilot.position = Position(Degrees(-33.94614), Degrees(1234.5))
        self.assertEqual(
            self.fields(6, 9), ["-33.946140", "1234.500000", "12000", "250"]
        )

    def test_unknown_place_leaves_four_fields_empty(self) -> None:
        """No report yet, or a latitude or longitude of 0."""
        north, east = Degrees(50.5), Degrees(5.25)
        for position in (
            None,
            Position(Degrees(0.0), east),
            Position(north, Degrees(-0.0)),
        ):
            self.pilot.position = position
            self.assertEqual(self.fields(6, 9), ["", "", "", ""])

    def test_altitude_beyond_the_sky_leaves_four_fields_empty(self) -> None:
        """99,999 ft are shown; 100,000 ft are not."""
        self.pilot.altitude = Feet(99_999)
        self.assertEqual(self.fields(8, 8), ["99999"])
        self.pilot.altitude = Feet(100_000)
        self.assertEqual(self.fields(6, 9), ["", "", "", ""])

    def test_plan_refiled_shows_its_revision(self) -> None:
        """Field 21 counts up, so that maps see the change."""
        assert self.pilot.plan is not None
        self.pilot.plan = replace(self.pilot.plan, revision=2)
        self.assertEqual(self.fields(20, 22), ["40", "2", "I"])

    def test_revision_is_shown_as_typed(self) -> None:
        """The protocol field is the one of the logon, not the rating."""
        self.pilot = make_pilot(protocol_revision="9 beta")
        self.assertEqual(self.fields(15, 17), ["FSD", "9 beta", "1"])

    def test_rating_is_a_number(self) -> None:
        """Supervisors show as 11."""
        self.pilot.rating = Rating.SUPERVISOR
        self.assertEqual(self.fields(17, 17), ["11"])

    def test_bytes_beyond_ascii_pass_unchanged(self) -> None:
        """A name in UTF-8 or GBK leaves as the bytes that came."""
        for name in ("José 飞行".encode(), "飞行".encode("gbk")):
            self.pilot = make_pilot(real_name=name.decode("latin-1"))
            self.assertIn(b":" + name + b":", client_line(self.pilot, "FSD"))

    def test_colons_and_controls_are_replaced(self) -> None:
        """A colon shows as a semicolon, a control code as a blank."""
        self.pilot = make_pilot(real_name="A:B\r\nC\0D\x7f\t!CLIENTS")
        self.assertEqual(self.fields(3, 4), ["A;B  C D  !CLIENTS", "PILOT"])
