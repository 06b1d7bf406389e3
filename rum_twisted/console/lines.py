"""Bytes of a terminal become lines: cut at any line end, freed of telnet's own words.

Operators come with telnet, netcat and scripts. A line ends with CR, LF, both, or
telnet's CR NUL. Telnet's commands (IAC, 0xFF, and what belongs to it) are dropped, and
never answered: whoever offers an option and hears nothing does without. A byte 0xFF
that begins no command is a letter of some alphabet, and stays.

Source: RFC 854, "The Telnet protocol"; docs/console.md, "Connecting".
"""

import re
from typing import Final

__all__ = ["ENCODING", "LONGEST_LINE", "LineCutter", "words_of"]

LONGEST_LINE: Final = 1024  # bytes; a text for a packet is shorter
ENCODING: Final = "latin-1"  # each byte is one letter, as in all of Rum

# Each is told by its first bytes, and bounded: a search of any input is quick.
_TELNET: Final = re.compile(
    rb"\xff(?:[\xfb-\xfe][\x00-\xff]|\xfa[^\xff]{0,64}\xff\xf0|[\xf0-\xf9])"
)
_BEGUN: Final = re.compile(rb"\xff(?:[\xfb-\xfe]|\xfa[^\xff]{0,64}\xff?)?\Z")
_LONGEST_BEGUN: Final = 67  # bytes of what `_BEGUN` finds
_LINE_END: Final = re.compile(rb"[\r\n]")
_RUBOUT: Final = "\x08\x7f"  # takes the letter before it away
# The upper half stays: in UTF-8 and GBK it is parts of letters.
_CONTROL: Final = re.compile(r"[\x00-\x07\x0a-\x1f]")
_EDITED: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_BLANKS: Final = re.compile(r"[ \t]+")


class LineCutter:
    """Cuts lines out of segments that are cut in any way.

    Invariant: what is kept between two segments is shorter than a longest line and
    a telnet command together.
    """

    __slots__ = ("_is_overlong", "_rest", "overlong")

    def __init__(self) -> None:
        self._rest = b""
        self._is_overlong = False  # the line that comes in is dropped up to its end
        self.overlong = 0  # lines that were dropped so far

    @property
    def is_begun(self) -> bool:
        """Tell whether a line has begun and has not ended."""
        return bool(self._rest) or self._is_overlong

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that end in ``data``, but for empty ones.

        One that is too long is counted, and stands in the list as an empty text.
        """
        if self._is_overlong:
            ended = _LINE_END.search(data)
            if ended is None:
                return []
            self._is_overlong = False
            data = data[ended.end() :]
        data, rest = _parted(_TELNET.sub(b"", self._rest + data))
        *ends, begun = _LINE_END.split(data)
        lines = [self._read(line) for line in ends if line.strip(b"\0")]
        self._rest = begun + rest
        if len(begun) > LONGEST_LINE:
            self._rest = b""
            self._is_overlong = True
            self.overlong += 1
            lines.append("")
        return lines

    def _read(self, line: bytes) -> str:
        if len(line) <= LONGEST_LINE:
            return _edited(line.decode(ENCODING)) or " "
        self.overlong += 1
        return ""


def words_of(line: str) -> list[str]:
    """Return the words of a line: what stands between blanks and tabs."""
    return [word for word in _BLANKS.split(line) if word]


def _parted(data: bytes) -> tuple[bytes, bytes]:
    """Part ``data`` before a telnet command that has only begun at its end."""
    begun = _BEGUN.search(data, max(0, len(data) - _LONGEST_BEGUN))
    if begun is None:
        return data, b""
    return data[: begun.start()], data[begun.start() :]


def _edited(text: str) -> str:
    """Return a line as somebody meant it who typed it letter by letter."""
    if _EDITED.search(text) is None:
        return text
    letters: list[str] = []
    for letter in _CONTROL.sub("", text):
        if letter in _RUBOUT:
            del letters[-1:]
        else:
            letters.append(letter)
    return "".join(letters)
