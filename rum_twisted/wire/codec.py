"""A line becomes a message, and a message becomes a line.

FSD is a line protocol of the 1990s. A packet is a prefix (one sign for position
reports, three for all else), then fields separated by colons, then the end of the
line. There is no quoting: only a packet's last field may hold colons, because it
takes all fields that follow.

What a newcomer should know:

- **Bytes, not characters.** Clients send GBK, UTF-8 and Latin-1 side by side. Lines
  are decoded as Latin-1, which maps every byte to one character and back, so that
  whatever came goes out again unchanged. `ENCODING` is named here and only here.
- **Reading has two steps.** `recognize` finds the packet by its prefix; `decode`
  reads its fields. A session stands between them: it ignores what may not be said
  in its phase, short or not.
- **Printing again is part of the protocol.** Numbers are not passed on as typed:
  see `rum_twisted.wire.fields`.
- **A line for many is encoded once**, its end included; who gets it is decided
  elsewhere.

Source: docs/protocol.md, "Packets".
"""

from typing import Any, Final

from rum_twisted.wire.errors import ServerOnlyPacket, TooFewFields, UnknownPacket
from rum_twisted.wire.packets import FROM_CLIENT, FROM_SERVER, Packet

__all__ = [
    "ENCODING",
    "LINE_END",
    "MAX_FIELDS",
    "Message",
    "decode",
    "encode",
    "recognize",
]

ENCODING: Final = "latin-1"
LINE_END: Final = b"\r\n"
MAX_FIELDS: Final = 100  # of one packet; the classic server drops later ones

Message = Any
"""One of the classes of `rum_twisted.wire.messages`."""


def recognize(line: bytes) -> Packet:
    """Find the row of the packet that ``line`` (without its end) holds.

    Raises:
        UnknownPacket: the line begins with no prefix that a client may send.
    """
    prefix = line[:3].decode(ENCODING)
    packet = FROM_CLIENT.get(prefix) or FROM_CLIENT.get(prefix[:1])
    if packet is None:
        raise UnknownPacket
    return packet


def decode(line: bytes, packet: Packet | None = None) -> Message:
    """Read ``line`` (without its end) as a message.

    Args:
        line: one line as it came.
        packet: what `recognize` made of it, where the caller knows already.

    Raises:
        UnknownPacket: see `recognize`.
        ServerOnlyPacket: only servers may send this.
        TooFewFields: fewer fields than the packet needs.
    """
    packet = packet or recognize(line)
    if packet.message is None:
        raise ServerOnlyPacket
    body = line[len(packet.prefix) :].decode(ENCODING)
    fields = body.split(":", MAX_FIELDS)[:MAX_FIELDS]
    if len(fields) < packet.minimum:
        raise TooFewFields
    return packet.read(fields)


def encode(message: Message) -> bytes:
    """Print ``message`` as one line, its end included."""
    line = FROM_SERVER[type(message)].write(message)
    return line.encode(ENCODING) + LINE_END
