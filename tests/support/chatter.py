"""Generated talk: what clients might send, right, wrong and absurd.

Most of it is right, or nothing would ever reach anybody; the rest has fields that are
missing, empty, too long, no numbers, or other bytes than anybody expects, and sources
that are lies. The examples are the same in every run.
"""

from dataclasses import dataclass
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from rum_twisted.wire.packets import FROM_CLIENT, Packet
from tests.support.server import controller_logon, pilot_logon

__all__ = [
    "CALLSIGNS",
    "FIRST_LOGONS",
    "LOWER_ME",
    "ME",
    "PROFILE",
    "Burst",
    "bursts",
]

PROFILE: Final = settings(
    max_examples=200,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""How many examples are tried, and that they are always the same."""

ME: Final = "<ME>"  # stands for the callsign of whoever will say the line
LOWER_ME: Final = "<me>"  # and in small letters
CALLSIGNS: Final = ("KLM1", "klm1", "AFR2", "EHAM_TWR", "EHAM_SUP", "\xe4\xff_1")
FIRST_LOGONS: Final = (
    pilot_logon("KLM1"),
    controller_logon("EHAM_TWR"),
    pilot_logon("AFR2"),
    controller_logon("EHAM_SUP", rating=11),
)
DESTINATIONS: Final = (*CALLSIGNS, "*", "*A", "*P", "*S", "*x", "@18100", "SERVER")
NUMBERS: Final = (
    *("0", "1", "-1", "7", "40", "1500", "-12", "18100", "2147483647", "9" * 20),
    *("50.0", "50.1", "-50", "5", "5.25", "180", "-180", "90", "-90", "1e300"),
    *("nan", "inf", "-inf", "1e999", "-", "+", ".", "", " ", "9" * 400, "x7"),
)
WORDS: Final = (
    *("METAR", "FP", "EHAM", "KJFK", "ZZZZ", "RN", "hello", "", " ", "\0", "\x85"),
    *("\xe9\xff\xa0", "\x1c\x0b\x0c", ":", ":" * 120, "x" * 600, "y" * 2100),
)

liars = st.sampled_from((*CALLSIGNS, "", "server", "\0"))
names = st.sampled_from((ME,) * 9 + (LOWER_ME,) * 2 + (None,)).flatmap(
    lambda name: liars if name is None else st.just(name)
)
destinations = st.sampled_from(DESTINATIONS * 4 + WORDS)
words = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from(WORDS),
    st.sampled_from(DESTINATIONS),
    st.text(st.characters(max_codepoint=255), max_size=8),
)


def _text_of(packet: Packet, name: str) -> st.SearchStrategy[str]:
    """Return what may stand in one field of a packet, commonly what should."""
    if name in ("source", "callsign"):
        return names
    if name == "destination":
        return destinations
    if packet.prefix in ("@", "%"):
        return st.sampled_from(NUMBERS)
    return words


def _packets_like(packet: Packet) -> st.SearchStrategy[str]:
    """Return packets of one row, right, too short or too long."""
    fields = [_text_of(packet, one.name) for one in packet.fields]
    whole = st.tuples(*fields).map(list)
    cut = st.sampled_from((99,) * 20 + tuple(range(len(fields) + 2)))
    rest: st.SearchStrategy[list[str]] = st.lists(words, max_size=3)
    return st.builds(
        lambda body, length, more: packet.prefix + ":".join([*body, *more][:length]),
        whole,
        cut,
        rest,
    )


packets = st.one_of([_packets_like(packet) for packet in FROM_CLIENT.values()])
places = st.sampled_from(("50.0", "50.1", "50.5", "55.0", "-89.9", "90.0"))
reports = st.builds(
    "@N:{0}:2200:1:{1}:{2}:{3}:0:0:0".format,
    names,
    places,
    places,
    st.sampled_from(("0", "1000", "40000", "-5")),
) | st.builds(
    "%{0}:18100:{3}:{4}:5:{1}:{2}:0".format,
    names,
    places,
    places,
    st.integers(0, 8),
    st.sampled_from(("0", "40", "600", "20000", "-1")),
)
logons = st.builds(
    lambda make, callsign, rating: make(callsign, rating=rating),
    st.sampled_from((pilot_logon, controller_logon)),
    st.sampled_from(CALLSIGNS),
    st.sampled_from((0, 1, 5, 11, 12)),
)
kills = st.builds("$!!{0}:{1}:bye".format, names, st.sampled_from(CALLSIGNS))
logoffs = st.builds("#D{1}{0}".format, names, st.sampled_from("AP"))
garbage = st.binary(max_size=30).map(lambda data: data.decode("latin-1"))
often = st.one_of(packets, packets, packets, reports, reports)
seldom = st.one_of(packets, logons, kills, logoffs, garbage)
lines = st.integers(0, 9).flatmap(lambda dice: often if dice else seldom)
ends = st.sampled_from(("\r\n",) * 20 + ("\n", "\r", "\r\r\n\n", ""))


@dataclass(frozen=True, slots=True)
class Burst:
    """What one client does before everything is looked at."""

    seat: int
    logon: str | None  # said first, in a whole line
    said: list[tuple[str, str]]  # lines and their ends
    cuts: list[int]
    hangs_up: bool


bursts = st.builds(
    Burst,
    seat=st.integers(0, 3),
    logon=st.sampled_from((None, None, None, logons)).flatmap(
        lambda choice: st.none() if choice is None else choice
    ),
    said=st.lists(st.tuples(lines, ends), min_size=2, max_size=8),
    cuts=st.lists(st.integers(0, 400), max_size=6),
    hangs_up=st.sampled_from((False,) * 9 + (True,)),
)
