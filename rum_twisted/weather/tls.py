"""Proves that a source is the host it claims to be.

The system's authorities count, and those of a file if an operator names one. What
OpenSSL needs for a host (140 authorities: 5 to 27 ms and a megabyte) is made at the
first connection and kept, not for each connection as Twisted's own policy does.
"""

from pathlib import Path
from typing import Any, Final, Self

from OpenSSL import SSL
from twisted.internet.ssl import optionsForClientTLS, platformTrust
from twisted.web.iweb import IPolicyForHTTPS
from typing_extensions import override
from zope.interface import implementer

__all__ = ["VerifyingPolicy"]

_HOSTS: Final = 8  # that are kept; redirects may lead to others


@implementer(IPolicyForHTTPS)
class VerifyingPolicy:
    """Verifies the certificate and the name of each host.

    Args:
        ca_file: a PEM file of more authorities, or ``None``.
    """

    def __init__(self, ca_file: Path | None) -> None:
        self._more = None if ca_file is None else _Authorities(ca_file)
        self._creators: dict[bytes, Any] = {}

    @override
    def __repr__(self) -> str:
        return f"<VerifyingPolicy of {len(self._creators)} hosts>"

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:  # noqa: N802
        """Return what makes the TLS side of a connection; see `IPolicyForHTTPS`.

        Raises:
            OSError: the file of authorities cannot be read.
        """
        creator = self._creators.get(hostname)
        if creator is None:
            root: Any = platformTrust()
            if self._more is not None:
                self._more.check()
                root = self._more
            creator = optionsForClientTLS(hostname.decode("ascii"), root)
            if len(self._creators) >= _HOSTS:
                del self._creators[next(iter(self._creators))]
            self._creators[hostname] = creator
        return creator


class _Authorities:
    """Trusts the system's authorities and those of a file.

    Twisted trusts either of them, and has no public way to trust both. It asks an
    object to become a trust root, which is this one; tests hold that to work.
    """

    def __init__(self, ca_file: Path) -> None:
        self._ca_file = ca_file

    def __conform__(self, interface: object) -> Self:
        """Be a trust root."""
        return self

    def _addCACertsToContext(self, context: SSL.Context) -> None:  # noqa: N802
        context.set_default_verify_paths()
        context.load_verify_locations(str(self._ca_file))

    def check(self) -> None:
        """Read the file once, while somebody is there who takes an error.

        Raises:
            OSError: that cannot be done.
        """
        try:
            SSL.Context(SSL.TLS_METHOD).load_verify_locations(str(self._ca_file))
        except SSL.Error as error:
            text = f"weather.ca_file: {self._ca_file} is no readable PEM file"
            raise OSError(text) from error
