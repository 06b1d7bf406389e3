"""The discovery client that the settings ask for.

What is not asked for is not imported: without etcd there is no grpc in memory.
"""

from random import Random

from twisted.internet.interfaces import IReactorTime

from rum_twisted.config import DiscoverySettings
from rum_twisted.discovery.interfaces import IEtcd, IRegistry
from rum_twisted.discovery.memory import MemoryRegistry
from rum_twisted.discovery.service import DiscoveryClient
from rum_twisted.discovery.static import static_registry
from rum_twisted.terms.instance import InvalidInstance
from rum_twisted.terms.units import Seconds

__all__ = ["CannotDiscover", "make_discovery"]


class CannotDiscover(Exception):
    """The settings do not fit together; the message is for the operator."""


def make_discovery(
    settings: DiscoverySettings, clock: IReactorTime, random: Random
) -> DiscoveryClient:
    """Build the client; nothing is opened before it is started.

    Args:
        settings: the table ``[discovery]``.
        clock: the reactor.
        random: spreads trials, and processes over the members of an etcd.

    Raises:
        CannotDiscover: the settings do not fit together, or a library is missing.
    """
    return DiscoveryClient(_registry(settings, clock, random))


def _registry(
    settings: DiscoverySettings, clock: IReactorTime, random: Random
) -> IRegistry:
    if settings.backend == "memory":
        return MemoryRegistry()
    if settings.backend == "static":
        try:
            return static_registry(settings.endpoints)
        except InvalidInstance as error:
            raise CannotDiscover(
                f'discovery.endpoints, for backend "static": {error}'
            ) from error
    return _etcd_registry(settings, clock, random)


def _etcd_registry(
    settings: DiscoverySettings, clock: IReactorTime, random: Random
) -> IRegistry:
    from rum_twisted.discovery.etcd import EtcdRegistry  # noqa: PLC0415 - see above

    return EtcdRegistry(
        _connection(settings, random),
        clock,
        random,
        base_path=settings.base_path,
        ttl=Seconds(float(settings.lease_ttl)),
    )


def _connection(settings: DiscoverySettings, random: Random) -> IEtcd:
    from rum_twisted.discovery.access import EtcdAccess  # noqa: PLC0415 - see above

    for endpoint in settings.endpoints:
        if "=" in endpoint:
            raise CannotDiscover(
                f'discovery.endpoints, for backend "etcd": {endpoint!r}: due host:port'
            )
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise CannotDiscover("discovery.tls_cert and discovery.tls_key: due both")
    access = EtcdAccess(
        # Each process begins with another member.
        endpoints=tuple(random.sample(settings.endpoints, len(settings.endpoints))),
        user=settings.user,
        password=settings.password,
        uses_tls=settings.tls_ca is not None or settings.tls_cert is not None,
        tls_ca=settings.tls_ca,
        tls_cert=settings.tls_cert,
        tls_key=settings.tls_key,
    )
    try:
        if settings.client == "aioetcd3":
            from rum_twisted.discovery.etcd_aioetcd3 import (  # noqa: PLC0415
                Aioetcd3Etcd,
            )

            return Aioetcd3Etcd(access)
        from rum_twisted.discovery.etcd_lean import LeanEtcd  # noqa: PLC0415
    except ImportError as error:
        raise CannotDiscover(
            f'discovery.backend "etcd", client "{settings.client}": {error}; '
            'due pip install "rum-twisted[etcd]"'
        ) from error
    return LeanEtcd(access)
