"""METARs as the world's stations write them, with everything that is odd in them.

The generator knows the habits of regions (meters per second in China and Russia,
statute miles in North America, remarks with pressures there) and the mistakes of
people and machines: words torn apart or run together, letters for digits, groups
twice, groups missing, garbage.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Final

__all__ = ["metars"]

_EUROPE: Final = ("EHAM", "EGLL", "LFPG", "EDDF", "LSZH", "ESSA", "LEMD", "BIKF")
_AMERICA: Final = ("KJFK", "KORD", "PANC", "CYYZ", "CYFB", "KDEN", "PHNL", "MMMX")
_RUSSIA: Final = ("UUEE", "ULLI", "UNNT", "UHPP", "UEEE", "UAAA", "UKBB", "UWWW")
_CHINA: Final = ("ZBAA", "ZSPD", "ZGGG", "ZUUU", "ZWWW", "ZPPP", "ZULS", "ZYTX")
_OTHERS: Final = ("RJTT", "YSSY", "NZSP", "FACT", "SAEZ", "VABB", "OMDB", "VHHH")

_PHENOMENA: Final = (
    "-RA", "RA", "+RA", "-SN", "+SN", "SHRA", "-SHSN", "TSRA", "+TSRAGR", "VCTS", "TS",
    "FZRA", "-FZDZ", "FZFG", "FG", "BCFG", "MIFG", "VCFG", "PRFG", "BR", "HZ", "FU",
    "SA", "DU", "BLSN", "DRSN", "BLDU", "+SS", "DS", "PO", "SQ", "+FC", "VA", "IC",
    "PL", "GS", "SG", "UP", "//", "RERA", "RETS", "NSW", "-SNRA", "+SHRASNGS", "VCBLSN",
)  # fmt: skip
_CLOUDS: Final = ("FEW", "SCT", "BKN", "OVC")
_REMARKS: Final = (
    "RMK AO2 SLP132 T00670022", "RMK AO1", "RMK QFE750/1000", "RMK QBB200 QFE745",
    "RMK SC8 SLP998", "RMK CB DSNT NW", "RMK PK WND 28045/1955 WSHFT 1925",
    "RMK AO2 PRESFR SLPNO $", "RMK A2990", "RMK QFF1013", "RMK OBST OBSC MT OBSC",
    "RMK SF5NS3 SLP134 DENSITY ALT 1200FT", "RMK 1CU4AC8 FU SPOT", "RMK R01/32019KT",
)  # fmt: skip
_TRENDS: Final = (
    "NOSIG", "TEMPO 1500 TSRA BKN008CB", "BECMG FM1230 TL1400 9999 NSW",
    "TEMPO FM1400 25020G35KT", "BECMG AT1500 CAVOK", "INTER 3000 SHRA",
    "TEMPO 0400 FZFG VV/// BECMG 9999 NSC", "PROB30 TEMPO 0800 FG",
)  # fmt: skip
_ENDS: Final = (
    "", "=", " =", "$", " $", " WHT", " BLU BLACKRED", " 8849//91", " R24L/290050",
    " R/SNOCLO", " WS R18", " WS ALL RWY", " W15/S3", " 23950592", " RWY24/CLRD70",
)  # fmt: skip


def metars(count: int, seed: int) -> Iterator[str]:
    """Yield ``count`` reports, the same ones for the same ``seed``."""
    random = Random(seed)  # noqa: S311 - tests want the same each time
    for _ in range(count):
        report = _report(random)
        if random.random() < 0.25:
            report = random.choice(_DAMAGES)(random, report)
        yield report


def _report(random: Random) -> str:
    """Return a report without damage."""
    region = random.choice((_EUROPE, _AMERICA, _RUSSIA, _CHINA, _OTHERS))
    words = [
        random.choice(("", "", "", "METAR", "SPECI", "METAR COR")),
        random.choice(region),
        _time(random),
        random.choice(("", "", "", "AUTO", "COR", "CCA", "NIL", "TEST", "COR AUTO")),
        _wind(random, region),
        *_sight(random, region),
        _temperature(random),
        *_pressure(random, region),
        random.choice(("", "", "", *_TRENDS)),
        random.choice(("", "", "", *_REMARKS)),
    ]
    return " ".join(filter(None, words)) + random.choice(_ENDS)


def _time(random: Random) -> str:
    stamp = f"{random.randint(1, 31):02}{random.randint(0, 23):02}"
    return (
        stamp + f"{random.randint(0, 59):02}" + random.choice(("Z", "Z", "Z", "", "z"))
    )


def _wind(random: Random, region: tuple[str, ...]) -> str:
    """Return the wind, in the unit of the region, now and then in another."""
    unit = "MPS" if region in (_RUSSIA, _CHINA) else "KT"
    unit = random.choice((unit, unit, unit, "KMH", "KTS", "MPS", "KT"))
    direction = random.choice(
        (f"{random.randint(0, 36):02}0", "VRB", "000", "///", "360", "999")
    )
    speed = random.choice(
        (f"{random.randint(0, 40):02}", "00", "//", "100", "P99", "P49", "5", "120")
    )
    gust = random.choice(("", "", f"G{random.randint(15, 80)}", "G//", "GP99"))
    bounds = random.choice(("", "", "", " 240V300", " 350V040", " VRB"))
    return f"{direction}{speed}{gust}{unit}{bounds}"


def _sight(random: Random, region: tuple[str, ...]) -> list[str]:
    """Return visibility, runways' ranges, phenomena and clouds."""
    if random.random() < 0.1:
        return ["CAVOK"]
    if region is _AMERICA:
        far = random.choice(
            ("10SM", "P6SM", "M1/4SM", "1/2SM", "1 1/2SM", "2 3/4SM", "15SM", "M1/8SM",
             "1/16SM", "0SM", "3SM", "10 SM", "10U", "5/8SM")
        )  # fmt: skip
    else:
        far = random.choice(
            ("9999", "0000", "0050", "0300", "1500", "4000", "4000NE", "9999NDV",
             "////", "10KM", "8000 1500SW", "0150N 6000S", "5000M", "P6000",
             "M0050", "6 KM")
        )  # fmt: skip
    ranges = random.sample(
        ("R06/0600", "R18L/P2000N", "R24/M0050V0300D", "R09R/1000FT", "R36C/////",
         "R27/1200VP1500U", "RVRNO", "R14///// R32/////"),
        random.randint(0, 2),
    )  # fmt: skip
    phenomena = random.sample(_PHENOMENA, random.choice((0, 0, 1, 1, 2, 3)))
    return [far, *ranges, *phenomena, *_clouds(random)]


def _clouds(random: Random) -> list[str]:
    clear = random.choice(("SKC", "CLR", "NSC", "NCD", "//////", "", "CLR BLO 120"))
    if random.random() < 0.3:
        return [clear]
    layers = []
    for _ in range(random.randint(1, 4)):
        height = random.choice((f"{random.randint(0, 250):03}", "///", "12", "0", ""))
        kind = random.choice(("", "", "", "CB", "TCU", "///", "CU", "AC"))
        amount = random.choice((*_CLOUDS, *_CLOUDS, "VV", "///", "0VC"))
        layers.append(f"{amount}{height}{kind}")
    return layers


def _temperature(random: Random) -> str:
    def degrees() -> str:
        value = random.randint(-60, 50)
        return f"M{-value:02}" if value < 0 else f"{value:02}"

    return random.choice(
        (f"{degrees()}/{degrees()}", f"{degrees()}/{degrees()}", f"{degrees()}/",
         f"{degrees()}///", "/////", "//////", "XX/XX", "M00/M00", "MM/MM", "-5/-10",
         "")
    )  # fmt: skip


def _pressure(random: Random, region: tuple[str, ...]) -> list[str]:
    hectopascals = f"Q{random.randint(930, 1060):04}"
    inches = f"A{random.randint(2750, 3130)}"
    usual = inches if region is _AMERICA else hectopascals
    return random.choice(
        ([usual], [usual], [usual], [hectopascals, inches], ["Q////"], ["A////"], [],
         [f"QNH{inches[1:]}INS"], ["QNH1013"], [f"{hectopascals}.2"], ["Q0000"],
         [f"{hectopascals}/{random.randint(690, 790)}"])
    )  # fmt: skip


def _tear(random: Random, report: str) -> str:
    """Put a blank somewhere."""
    place = random.randint(0, len(report))
    return report[:place] + " " + report[place:]


def _join(random: Random, report: str) -> str:
    """Take a blank out."""
    words = report.split(" ")
    place = random.randrange(len(words))
    return " ".join(words[:place]) + " ".join(words[place:])


def _cut(random: Random, report: str) -> str:
    """Lose the end."""
    return report[: random.randint(0, len(report))]


def _repeat(random: Random, report: str) -> str:
    """Send a word twice."""
    words = report.split(" ")
    place = random.randrange(len(words))
    return " ".join([*words[:place], words[place], *words[place:]])


def _shuffle(random: Random, report: str) -> str:
    """Mix the words."""
    words = report.split(" ")
    random.shuffle(words)
    return " ".join(words)


def _mistype(random: Random, report: str) -> str:
    """Hit some wrong keys."""
    signs = list(report)
    for _ in range(random.randint(1, 6)):
        if signs:
            signs[random.randrange(len(signs))] = random.choice("O0I1/MZ$\xe9 .+-\x00Q")
    return "".join(signs)


def _garbage(random: Random, report: str) -> str:
    """Lose the report in noise."""
    noise = "".join(chr(random.randrange(1, 256)) for _ in range(random.randint(1, 80)))
    return random.choice((noise, report + noise, noise + report, report * 5))


_DAMAGES: Final[tuple[Callable[[Random, str], str], ...]] = (
    _tear, _join, _cut, _repeat, _shuffle, _mistype, _garbage,
)  # fmt: skip
