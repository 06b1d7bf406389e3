"""Where METARs are fetched from, as an operator writes it: one text for each source.

A text is a form, which tells what the answer looks like, and a URL template::

    raw https://tgftp.nws.noaa.gov/data/observations/metar/stations/{station}.TXT
    json:0.rawOb https://aviationweather.gov/api/data/metar?ids={station}&format=json
    cycle https://tgftp.nws.noaa.gov/data/observations/metar/cycles/{hour}Z.TXT

``raw`` is text that holds the station's report on a line of its own. ``json:PATH``
is JSON with the report at PATH: keys and places of a list, joined by dots. ``cycle``
is one file with the reports of all stations. ``{station}`` stands for the station's
four letters, and ``{hour}`` for an hour of the day (UTC), 00 to 23.

This module only reads and checks; `rum_twisted.weather` fetches.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

__all__ = ["Form", "MetarSource", "UnfitSource", "parse"]

_STATION: Final = "{station}"
_HOUR: Final = "{hour}"
_PLACEHOLDER: Final = re.compile(r"\{[^{}]*\}")
_PRINTABLE: Final = re.compile(r"[!-~]+\Z")  # a URL has no blanks, no other letters
_SCHEMES: Final = frozenset({"http", "https"})
_LONGEST_URL: Final = 1000


class Form(Enum):
    """What a source answers with."""

    RAW = "raw"
    JSON = "json"
    CYCLE = "cycle"


class UnfitSource(ValueError):
    """A text describes no source; the message says what was due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetarSource:
    """One source of METARs."""

    form: Form
    url: str  # with its placeholders
    path: tuple[str, ...] = ()  # in a JSON answer

    @property
    def name(self) -> str:
        """What the log calls it: never a query or a password, which may be secret."""
        parts = urlsplit(self.url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"

    @property
    def needs_tls(self) -> bool:
        """Whether it is asked over TLS."""
        return urlsplit(self.url).scheme == "https"

    def url_for(self, *, station: str = "", hour: int = 0) -> str:
        """Return the address of a station's report, or of an hour's file.

        Args:
            station: four letters or digits.
            hour: of the day, UTC, 0 to 23.
        """
        return self.url.replace(_STATION, station).replace(_HOUR, f"{hour:02}")


def parse(description: str) -> MetarSource:
    """Read a source as an operator writes it.

    Raises:
        UnfitSource: the form is unknown, or the URL is none that can be asked.
    """
    word, _, url = description.strip().partition(" ")
    name, _, path = word.partition(":")
    try:
        form = Form(name)
    except ValueError:
        raise UnfitSource('"raw URL", "json:PATH URL" or "cycle URL"') from None
    keys = tuple(path.split(".")) if path else ()
    if (form is Form.JSON) != bool(keys) or "" in keys:
        raise UnfitSource('a path such as "json:0.rawOb" with json, and only there')
    url = url.strip()
    _check_url(url)
    _check_placeholders(url, form)
    return MetarSource(form=form, url=url, path=keys)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:  # no such port, or half an IPv6 address
        is_whole = False
    if not is_whole or parts.scheme not in _SCHEMES or not _PRINTABLE.match(url):
        raise UnfitSource("a URL that begins with http:// or https://")
    if parts.username is not None:
        raise UnfitSource("a URL without a user name and password")
    if _PLACEHOLDER.search(parts.netloc):
        raise UnfitSource("a URL with placeholders in its path or query only")
    if parts.fragment:
        raise UnfitSource("a URL without a part behind #")
    if len(url) > _LONGEST_URL:
        raise UnfitSource(f"a URL of at most {_LONGEST_URL} letters")


def _check_placeholders(url: str, form: Form) -> None:
    unknown = set(_PLACEHOLDER.findall(url)) - {_STATION, _HOUR}
    if unknown:
        raise UnfitSource(f"no placeholders but {_STATION} and {_HOUR}")
    if form is Form.CYCLE and _STATION in url:
        raise UnfitSource(f"a URL without {_STATION}: a cycle file has all stations")
    if form is not Form.CYCLE and _STATION not in url:
        raise UnfitSource(f"a URL with {_STATION} in it")
