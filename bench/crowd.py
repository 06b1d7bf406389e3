"""Many clients of one server, driven from here: to measure what one of each kind costs.

Unlike fsdload it does as it is told and nothing else, one step after the other. It is
no load: its own time does not matter.
"""

import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from bench.servers import CID, PASSWORD

__all__ = ["Crowd", "Member"]

_PATIENCE: Final = 20.0  # seconds
_QUIET: Final = 0.5  # seconds without a byte: the server has said all it had to
_CHUNK: Final = 1 << 16
_AT_ONCE: Final = 50  # logons that wait for their answer
_SMALL: Final = 8192  # bytes that the kernel takes for a member who does not read


@dataclass(slots=True)
class Member:
    """One client."""

    callsign: str
    socket: socket.socket
    heard: bytes = b""  # only until he is on

    def say(self, line: str) -> None:
        """Send a line."""
        self.socket.sendall(f"{line}\r\n".encode("ascii"))


class Crowd:
    """Clients who have connected.

    Args:
        port: of the server.
        count: how many.
        prefix: of their callsigns.
        is_deaf: they will not be read from, so let the kernel keep little for them.
    """

    def __init__(
        self, port: int, count: int, prefix: str = "CRW", *, is_deaf: bool = False
    ) -> None:
        self.members = [
            Member(f"{prefix}{number:04d}", _connect(port, is_deaf=is_deaf))
            for number in range(count)
        ]
        self._by_number = {one.socket.fileno(): one for one in self.members}
        self._poll = select.poll()
        for one in self.members:
            self._poll.register(one.socket, select.POLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def log_on(self) -> None:
        """Log everybody on as a pilot, a few at a time."""
        for begin in range(0, len(self.members), _AT_ONCE):
            some = self.members[begin : begin + _AT_ONCE]
            for one in some:
                one.say(f"#AP{one.callsign}:SERVER:{CID}:{PASSWORD}:1:9:2:Crowd")
            self._let_in(some)
        self.hear_out()

    def do(self, line_of: Callable[[int, Member], str]) -> None:
        """Have everybody say a line, and hear what comes of it."""
        for number, one in enumerate(self.members):
            one.say(line_of(number, one))
        self.hear_out()

    def hear_out(self) -> None:
        """Read until nothing more comes."""
        while self._read(_QUIET):
            pass

    def listen(self, seconds: float) -> None:
        """Read what has come, and wait a moment if nothing has."""
        self._read(seconds)

    def leave(self) -> None:
        """Have everybody hang up."""
        for one in self.members:
            one.socket.close()
        self.members = []

    def _let_in(self, some: Sequence[Member]) -> None:
        """Read until each of them was greeted."""
        deadline = time.monotonic() + _PATIENCE
        while any(b"#TM" not in one.heard for one in some):
            if time.monotonic() > deadline:
                raise TimeoutError("the server does not let everybody in")
            self._read(_QUIET)

    def _read(self, seconds: float) -> bool:
        """Read from whoever has something; return whether anybody had."""
        events: Sequence[tuple[int, int]] = self._poll.poll(seconds * 1000)
        for number, _ in events:
            one = self._by_number[number]
            with suppress(BlockingIOError):
                data = one.socket.recv(_CHUNK, socket.MSG_DONTWAIT)
                if not data:
                    raise ConnectionError(f"{one.callsign} was disconnected")
                one.heard = (one.heard + data)[-_CHUNK:]
        return bool(events)


def _connect(port: int, *, is_deaf: bool) -> socket.socket:
    client = socket.socket()
    if is_deaf:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
    client.settimeout(_PATIENCE)
    client.connect(("127.0.0.1", port))
    return client
