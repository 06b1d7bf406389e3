"""What reading and printing each kind of packet takes.

    python -m bench.decode

The lines are the examples of docs/protocol.md, the first of each kind.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from bench import machine
from bench.processes import ROOT
from bench.stopwatch import microseconds
from rum_twisted.wire.codec import ENCODING, Message, decode, encode, recognize
from rum_twisted.wire.packets import FROM_CLIENT, FROM_SERVER

__all__ = ["main"]

_PAGE: Final = ROOT / "docs" / "protocol.md"
_BLOCK: Final = re.compile(r"^```fsd\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Time every packet, and print a table."""
    print(machine.look(), "\n")
    lines = _examples()
    print(f"{'packet':<8}{'bytes':>6}{'read us':>9}{'print us':>10}")
    for prefix, line in lines.items():
        message = decode(line)
        read = microseconds(_reading(line))
        # A logon is never passed on as it came, so nothing prints it.
        is_printed = type(message) in FROM_SERVER
        printed = f"{microseconds(_printing(message)):.2f}" if is_printed else "-"
        print(f"{prefix:<8}{len(line):>6}{read:>9.2f}{printed:>10}")


def _reading(line: bytes) -> Callable[[], Message]:
    return lambda: decode(line, recognize(line))


def _printing(message: Message) -> Callable[[], bytes]:
    return lambda: encode(message)


def _examples() -> Mapping[str, bytes]:
    """Return the first line of each packet that clients may send."""
    found: dict[str, bytes] = {}
    for block in _BLOCK.finditer(_PAGE.read_text("utf-8")):
        for text in block[1].splitlines():
            speaker, line = text[:3], text[3:].encode(ENCODING)
            if speaker == "C: " and (prefix := _prefix_of(line)):
                found.setdefault(prefix, line)
    return dict(sorted(found.items()))


def _prefix_of(line: bytes) -> str:
    """Return the prefix of a well-formed line; empty: a client may not send it."""
    for length in (3, 1):
        packet = FROM_CLIENT.get(line[:length].decode(ENCODING))
        if packet is not None and packet.message is not None:
            return packet.prefix if line.count(b":") >= packet.minimum - 1 else ""
    return ""


if __name__ == "__main__":
    main()
