"""Certificates: who we are to other services, and whom we believe.

gRPC brings its own TLS, so nothing here loads OpenSSL.
"""

from dataclasses import dataclass
from pathlib import Path

import grpc

__all__ = ["TlsError", "TlsFiles", "channel_credentials", "server_credentials"]


class TlsError(Exception):
    """A certificate or a key cannot be used; its text says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files of one process; all are read when a service starts."""

    cert: Path | None = None  # ours, with the chain above it
    key: Path | None = None  # of our certificate
    ca: Path | None = None  # of those whom we believe; a server then asks for theirs

    def __post_init__(self) -> None:
        """Refuse halves.

        Raises:
            TlsError: a certificate without its key, or a key alone.
        """
        if (self.cert is None) != (self.key is None):
            raise TlsError("tls_cert and tls_key: due both or neither")


def channel_credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    """Return what a client proves himself and others with.

    Without ``ca``, servers are checked against the system's own list.
    """
    return grpc.ssl_channel_credentials(
        root_certificates=_read("tls_ca", files.ca),
        private_key=_read("tls_key", files.key),
        certificate_chain=_read("tls_cert", files.cert),
    )


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Return what a server proves himself and others with.

    With ``ca``, clients without a certificate of it are refused.
    """
    cert, key = _read("tls_cert", files.cert), _read("tls_key", files.key)
    if cert is None or key is None:
        raise TlsError("tls_cert and tls_key: due for a server with TLS")
    ca = _read("tls_ca", files.ca)
    return grpc.ssl_server_credentials(
        [(key, cert)], root_certificates=ca, require_client_auth=ca is not None
    )


def _read(setting: str, path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise TlsError(f"{setting} {path}: cannot be read: {reason}") from error
