"""A small HTTP server in a thread of its own, which answers while the reactor stands.

An operator asks what is wrong just when nothing answers. So nothing here waits for the
reactor, or takes part in it: one thread, a few sockets, buffers that are there from the
start. It is for a handful of questions a minute from the same machine, and knows GET
and HEAD; whoever wants TLS, names or passwords puts a proxy before it.

Bounds: `MOST_CONNECTIONS` at a time, `LONGEST_REQUEST` bytes, `PATIENCE` seconds for
the whole of a connection, less for who has not asked while others wait. One request
each.
"""

import errno
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from twisted.application.service import Service
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.terms.units import Seconds

__all__ = ["Answer", "Asked", "AskedWrongly", "Page", "WatchServer", "json_answer"]

MOST_CONNECTIONS: Final = 8
LONGEST_REQUEST: Final = 8192  # bytes, up to the empty line
PATIENCE: Final = Seconds(2.0)
_GRACE: Final = Seconds(0.2)  # to ask, while others wait because of you
_WAITING: Final = 128  # connections that the kernel keeps for us
_STOP_WITHIN: Final = 5.0  # seconds
_SHORT: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_END: Final = b"\r\n\r\n"
_LONGEST_QUERY: Final = 1024  # signs
_MOST_FIELDS: Final = 16  # of a query
_JSON: Final = "application/json"
_PLAIN: Final = "text/plain; charset=utf-8"
_PHRASES: Final[Mapping[int, str]] = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
_REQUEST_BUG: Final = "a request over HTTP met a bug"
_BAD: Final = 400
_UNKNOWN: Final = 404
_METHOD: Final = 405
_TIMEOUT: Final = 408
_TOO_LARGE: Final = 431
_BUG: Final = 500
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to a request."""

    body: bytes
    content_type: str = _PLAIN
    status: int = _OK


class Asked(dict[str, str]):
    """A query, and what the asker takes.

    Args:
        fields: of the query.
        accept: the header of that name; empty: anything.
    """

    def __init__(
        self, fields: Iterable[tuple[str, str]] = (), accept: str = ""
    ) -> None:
        super().__init__(fields)
        self.accept = accept


Page = Callable[[Asked], Answer]
"""Answers a request, given its query; it runs in the server's thread.

Whatever it reads may change meanwhile. It raises `AskedWrongly` to say what was due.
"""


class AskedWrongly(Exception):
    """The query cannot be used; the text says why."""


def json_answer(value: object, status: int = _OK) -> Answer:
    """Return an answer that holds ``value`` as JSON."""
    body = json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"
    return Answer(body, _JSON, status)


class _Visit:
    """One connection: first it is read, then it is written."""

    __slots__ = ("buffer", "ends", "received", "rest", "socket")

    def __init__(self) -> None:
        self.buffer = bytearray(LONGEST_REQUEST)
        self.socket: socket.socket | None = None
        self.received = 0
        self.rest = memoryview(b"")
        self.ends = 0.0

    def begin(self, connection: socket.socket, ends: float) -> None:
        self.socket = connection
        self.received = 0
        self.rest = memoryview(b"")
        self.ends = ends

    def end(self) -> None:
        if self.socket is not None:
            self.socket.close()
        self.socket = None
        self.rest = memoryview(b"")


class WatchServer(Service):
    """Answers questions about this process over HTTP.

    A server does its work without it: where the address is taken, the log says so.

    Args:
        host: where it listens; an IP address.
        port: 0 lets the system choose.
        pages: what may be asked, by path; more may come until it starts.
        log_later: calls its argument in the reactor's thread.
        monotonic: tells seconds.

    Invariant: a visit is under way exactly while it has a socket.
    """

    log = Logger()
    name = "http"

    def __init__(
        self,
        host: str,
        port: int,
        pages: Mapping[str, Page],
        log_later: Callable[..., Any],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._port = port
        self._pages = pages
        self._log_later = log_later
        self._monotonic = monotonic
        self._listener: socket.socket | None = None
        self._bell: tuple[socket.socket, socket.socket] | None = None
        self._thread: threading.Thread | None = None
        self._visits: tuple[_Visit, ...] = ()
        self._is_short = False  # of files: nobody can be accepted just now

    @override
    def __repr__(self) -> str:
        return f"<WatchServer at {self.address or 'no address'}>"

    @property
    def address(self) -> str:
        """Where it listens, as ``host:port``; empty while it does not."""
        if self._listener is None:
            return ""
        host, port = self._listener.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @override
    def startService(self) -> None:
        """Listen, from now on."""
        super().startService()
        if self._thread is not None:
            return
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setblocking(False)  # noqa: FBT003 - the library's own
            listener.bind((self._host, self._port))
            listener.listen(_WAITING)
        except OSError as error:
            listener.close()
            self.log.warn(
                "nobody can watch this server over HTTP: {host}:{port} cannot be"
                " listened on: {trouble}",
                host=self._host,
                port=self._port,
                trouble=error.strerror or str(error),
            )
            return
        self._listener = listener
        self._bell = socket.socketpair()
        self._visits = tuple(_Visit() for _ in range(MOST_CONNECTIONS))
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)
        self._thread.start()

    @override
    def stopService(self) -> None:
        """Hang up, and listen no more; the thread has ended when this returns."""
        super().stopService()
        thread, self._thread = self._thread, None
        if thread is None or self._bell is None or self._listener is None:
            return
        self._bell[1].close()
        thread.join(_STOP_WITHIN)
        self._bell[0].close()
        self._listener.close()
        self._listener = self._bell = None

    # What follows runs in the thread.

    def _serve(self) -> None:
        listener, bell = self._listener, self._bell
        assert listener is not None, "startService() has made it"
        assert bell is not None, "startService() has made it"
        while True:
            try:
                if not self._turn(listener, bell[0]):
                    break
            except Exception:  # noqa: BLE001 - the next question may be answered
                self._log_later(self.log.failure, _REQUEST_BUG, Failure())
        for visit in self._visits:
            visit.end()

    def _turn(self, listener: socket.socket, bell: socket.socket) -> bool:
        """Wait for something to do, and do it; ``False``: it is time to stop."""
        poll = select.poll()
        poll.register(bell, select.POLLIN)
        busy = {}
        for visit in self._visits:
            if visit.socket is not None:
                busy[visit.socket.fileno()] = visit
                wanted = select.POLLOUT if visit.rest else select.POLLIN
                poll.register(visit.socket, wanted)
        is_full = len(busy) == MOST_CONNECTIONS
        is_short, self._is_short = self._is_short, False
        if not (is_full or is_short):
            poll.register(listener, select.POLLIN)
        patience = _GRACE if is_full or is_short else PATIENCE
        wait = patience * 1000 if busy or is_short else None
        ready = {number for number, _ in poll.poll(wait)}
        if bell.fileno() in ready:
            return False
        for number, visit in busy.items():
            if number in ready:
                self._go_on(visit)
        self._end_overdue(_GRACE if is_full and _waits(listener) else PATIENCE)
        if listener.fileno() in ready:
            self._accept(listener)
        return True

    def _accept(self, listener: socket.socket) -> None:
        free = next((each for each in self._visits if each.socket is None), None)
        if free is None:
            return
        try:
            connection, _ = listener.accept()
        except OSError as error:  # he has hung up already, mostly
            # Whoever cannot be let in stays there, and would wake us at once.
            self._is_short = error.errno in _SHORT
            return
        connection.setblocking(False)  # noqa: FBT003 - the library's own
        free.begin(connection, self._monotonic() + PATIENCE)

    def _end_overdue(self, patience: Seconds) -> None:
        """Hang up on those who take too long: sooner on who has not asked yet."""
        now = self._monotonic()
        for visit in self._visits:
            if visit.socket is None:
                continue
            ends = visit.ends if visit.rest else visit.ends - PATIENCE + patience
            if now >= ends:
                if not visit.rest:
                    with suppress(OSError):
                        self._reply(visit, _plainly(_TIMEOUT), is_head=False)
                visit.end()

    def _go_on(self, visit: _Visit) -> None:
        try:
            if visit.rest:
                self._write(visit)
            else:
                self._read(visit)
        except BlockingIOError:
            return
        except OSError:
            visit.end()
        except Exception:
            visit.end()
            raise

    def _read(self, visit: _Visit) -> None:
        assert visit.socket is not None, "only a visit under way is gone on with"
        room = memoryview(visit.buffer)[visit.received :]
        count = visit.socket.recv_into(room)
        if count == 0:
            visit.end()
            return
        visit.received += count
        end = visit.buffer.find(_END, 0, visit.received)
        if end >= 0:
            self._answer(visit, bytes(visit.buffer[:end]))
        elif visit.received == LONGEST_REQUEST:
            self._reply(visit, _plainly(_TOO_LARGE), is_head=False)

    def _answer(self, visit: _Visit, request: bytes) -> None:
        first, *headers = request.decode("latin-1").split("\r\n")
        words = first.split(" ")
        if len(words) != len(("GET", "/", "HTTP/1.1")):
            self._reply(visit, _plainly(_BAD), is_head=False)
            return
        method, target, _ = words
        if method in ("GET", "HEAD"):
            answer = self._page(target, _accept(headers))
            self._reply(visit, answer, is_head=method == "HEAD")
        else:
            self._reply(visit, _plainly(_METHOD), is_head=False)

    def _page(self, target: str, accept: str) -> Answer:
        try:
            parts = urlsplit(target)
            page = self._pages.get(parts.path)
            if page is None:
                known = "\n".join(sorted(self._pages))
                return _plainly(_UNKNOWN, f"known are:\n{known}")
            query = parts.query[:_LONGEST_QUERY]
            fields = parse_qsl(query, max_num_fields=_MOST_FIELDS)
            return page(Asked(fields, accept))
        except (AskedWrongly, ValueError) as error:
            return _plainly(_BAD, str(error))
        except Exception:  # noqa: BLE001 - a bug in one page is told, and logged
            # The other thread has no exception to look at.
            self._log_later(self.log.failure, "a page over HTTP met a bug", Failure())
            return _plainly(_BUG, "the server's log says why")

    def _reply(self, visit: _Visit, answer: Answer, *, is_head: bool) -> None:
        head = (
            f"HTTP/1.1 {answer.status} {_PHRASES.get(answer.status, 'Answer')}\r\n"
            f"Content-Type: {answer.content_type}\r\n"
            f"Content-Length: {len(answer.body)}\r\n"
            "Cache-Control: no-store\r\n"
            "Connection: close\r\n\r\n"
        ).encode("ascii")
        visit.rest = memoryview(head if is_head else head + answer.body)
        with suppress(BlockingIOError):
            self._write(visit)

    def _write(self, visit: _Visit) -> None:
        assert visit.socket is not None, "only a visit under way is gone on with"
        sent = visit.socket.send(visit.rest)
        visit.rest = visit.rest[sent:]
        if not visit.rest:
            # What the peer still sends would make the kernel drop our last words.
            visit.socket.shutdown(socket.SHUT_WR)
            visit.end()


def _waits(listener: socket.socket) -> bool:
    """Tell whether somebody waits to be accepted."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))


def _accept(headers: Iterable[str]) -> str:
    """Return what stands in the header ``Accept``; empty without one."""
    for line in headers:
        name, _, value = line.partition(":")
        if name.strip().lower() == "accept":
            return value.strip().lower()
    return ""


def _plainly(status: int, text: str = "") -> Answer:
    words = text or _PHRASES[status]
    return Answer(f"{words}\n".encode("utf-8", "replace"), _PLAIN, status)
