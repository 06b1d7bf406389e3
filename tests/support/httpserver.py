"""A web server that misbehaves as a test says, on a real socket, in threads."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typing_extensions import override

__all__ = ["Authority", "Exchange", "HttpServer", "serve_http"]

_HOST: Final = "127.0.0.1"
_CHUNK: Final = b"X" * 65_536
_VALID: Final = timedelta(days=2)


class Exchange:
    """One request, and the ways to answer it."""

    def __init__(self, handler: "_Handler") -> None:
        self._handler = handler
        self.path = handler.path
        self.headers = dict(handler.headers)
        length = int(self.headers.get("Content-Length", "0"))
        self.body = handler.rfile.read(length) if length else b""
        self.port = int(handler.client_address[1])  # of the client

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer with a body; header names have ``_`` for ``-``."""
        self._head(status, {"content_length": str(len(body)), **headers})
        self._handler.wfile.write(body)

    def hang(self) -> None:
        """Answer nothing until the server is closed."""
        self._handler.server.closing.wait()

    def begin_and_hang(self, body: bytes) -> None:
        """Answer with the beginning of a long body, and no more."""
        self._head(200, {"content_length": "1000"})
        self._handler.wfile.write(body)
        self._handler.wfile.flush()
        self.hang()

    def pour(self, size: int) -> None:
        """Answer with ``size`` bytes, and do not say how many there will be."""
        self._head(200, {"connection": "close"})
        with suppress(OSError):
            for _ in range(size // len(_CHUNK)):
                self._handler.wfile.write(_CHUNK)
                self._handler.server.poured += len(_CHUNK)

    def pour_headers(self, size: int) -> None:
        """Answer with ``size`` bytes of headers."""
        header = b"X-Filler: " + b"x" * 1000 + b"\r\n"
        with suppress(OSError):
            self._handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for _ in range(size // len(header)):
                self._handler.wfile.write(header)
                self._handler.server.poured += len(header)

    def drop(self) -> None:
        """Close the connection without a word."""
        self._handler.close_connection = True

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self._handler.send_response(status)
        for name, value in headers.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()


class _Handler(BaseHTTPRequestHandler):
    """Gives each request to the test's function."""

    protocol_version = "HTTP/1.1"
    server: "HttpServer"

    def do_GET(self) -> None:
        """Answer a request."""
        self.server.requests.append(self.path)
        with suppress(OSError):  # the client has gone
            self.server.respond(Exchange(self))

    do_POST = do_GET  # noqa: N815 - the library looks it up

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


class HttpServer(ThreadingHTTPServer):
    """The server.

    Args:
        respond: answers a request, in a thread of its own.
        context: makes it a TLS server.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        respond: Callable[[Exchange], None],
        context: ssl.SSLContext | None,
    ) -> None:
        super().__init__((_HOST, 0), _Handler)
        self.respond = respond
        self.closing = threading.Event()
        self.requests: list[str] = []
        self.poured = 0  # bytes
        self._scheme = "http" if context is None else "https"
        if context is not None:
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing where a client does not like what it sees."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"{self._scheme}://{_HOST}:{self.port}"


@contextmanager
def serve_http(
    respond: Callable[[Exchange], None], context: ssl.SSLContext | None = None
) -> Iterator[HttpServer]:
    """Serve until the block ends."""
    server = HttpServer(respond, context)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Authority:
    """Certifies hosts, for those who trust it.

    Args:
        folder: where its certificate and those of hosts are written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, "Authority of a test")]
        )
        certificate = (
            self._builder(self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def certify(self, host: str = _HOST, *, days_ago: int = 0) -> ssl.SSLContext:
        """Return the TLS side of a server with a certificate for ``host``.

        Args:
            host: a name or an address.
            days_ago: when the certificate has become invalid; 0: it is valid.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A source")])
        is_address = host[0].isdigit()
        alternative = (
            x509.IPAddress(ip_address(host)) if is_address else x509.DNSName(host)
        )
        certificate = (
            self._builder(name, key, days_ago)
            .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        path = self._folder / "host.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _builder(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, days_ago: int = 0
    ) -> x509.CertificateBuilder:
        end = datetime.now(UTC) - timedelta(days=days_ago)
        if not days_ago:
            end += _VALID
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - 2 * _VALID)
            .not_valid_after(end)
        )
