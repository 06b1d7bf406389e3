"""What every registry promises, wherever its instances are listed."""

from functools import partial
from random import Random
from typing import Any

from twisted.trial.unittest import SkipTest
from typing_extensions import override
from zope.interface.verify import verifyObject

from rum_twisted.discovery.errors import RulesUnknown
from rum_twisted.discovery.etcd import EtcdRegistry
from rum_twisted.discovery.interfaces import IEtcd, IRegistry, RegistryState
from rum_twisted.discovery.memory import MemoryRegistry
from rum_twisted.discovery.static import static_registry
from rum_twisted.terms.instance import InstanceState
from rum_twisted.terms.rule import Posted
from rum_twisted.terms.units import Seconds
from rum_twisted.terms.wish import Wish, WishKind
from tests.support.etcd_case import (
    CLOCK,
    REQUEST_TIMEOUT,
    EtcdTestCase,
    shared_etcd,
    until,
)
from tests.support.instances import Told, make_instance
from tests.support.memory_etcd import MemoryEtcd, MemoryStore
from tests.support.rules import make_rule
from tests.support.wishes import make_wish

TTL = Seconds(20.0)  # a lease outlives a machine that stands still for a while


class Contract:
    """Keeps the suites themselves out of the test loader's sight."""

    class RegistryTests(EtcdTestCase):
        """The promises of `IRegistry` to one process."""

        given: tuple[str, ...] = ()  # names that are always there
        keeps_rules = True
        hears_wishes = False

        def make_registry(self) -> IRegistry:
            """Return a registry that is not started."""
            raise NotImplementedError

        @override
        def setUp(self) -> None:
            """Make a registry."""
            super().setUp()
            self.registry: Any = self.make_registry()
            self.told = Told()
            self.addCleanup(self.registry.stop)

        def start(self) -> None:
            """Open it, and read from it."""
            self.registry.start(self.told)
            self.registry.follow()

        async def names_are(self, *names: str) -> None:
            """Wait until exactly these are told, besides those that were given."""
            due = sorted([*names, *self.given])
            await until(lambda: self.told.names == due, f"{due}, {self.told.names}")

        def test_interface_is_whole(self) -> None:
            """A registry has every method of the interface."""
            self.assertTrue(verifyObject(IRegistry, self.registry))

        async def test_nobody_is_there_at_first(self) -> None:
            """An empty registry says so, once it is known to be empty."""
            self.start()
            await self.names_are()
            await until(
                lambda: self.registry.health().state is RegistryState.LIVE,
                "it hears of changes, too",
            )

        async def test_who_registers_is_told(self) -> None:
            """Everything that an instance says of itself arrives."""
            instance = make_instance(
                weight=7,
                version="4.1",
                group="trial",
                zone="east",
                state=InstanceState.INACTIVE,
            )
            self.start()
            self.registry.register(instance)
            await self.names_are("a-1")
            assert self.told.last is not None
            self.assertIn(instance, self.told.last)

        async def test_registering_comes_before_the_start(self) -> None:
            """What was registered before the start is listed after it."""
            self.registry.register(make_instance())
            self.start()
            await self.names_are("a-1")

        async def test_several_roles_of_one_process(self) -> None:
            """A process that plays two services is listed with both."""
            self.start()
            self.registry.register(make_instance("a-1"))
            self.registry.register(make_instance("a-2", service="weather"))
            await self.names_are("a-1", "a-2")
            await until(lambda: self.registry.health().is_registered, "both stand")

        async def test_change_is_told(self) -> None:
            """An instance that drains says so, and stays one instance."""
            self.start()
            self.registry.register(make_instance())
            await self.names_are("a-1")
            self.registry.register(make_instance(state=InstanceState.DRAINING))
            await until(
                lambda: (
                    InstanceState.DRAINING
                    in {each.state for each in self.told.last or ()}
                ),
                "draining",
            )
            await self.names_are("a-1")

        async def test_same_value_is_not_written_again(self) -> None:
            """Registering what is listed already costs no write."""
            self.start()
            self.registry.register(make_instance())
            await until(lambda: self.registry.health().is_registered, "it stands")
            writes = self.registry.health().writes
            for _ in range(100):
                self.registry.register(make_instance())
            await self.names_are("a-1")
            self.assertEqual(self.registry.health().writes, writes)

        async def test_deregistering_takes_all_away(self) -> None:
            """Who leaves is not told any more; the process may register again."""
            self.start()
            self.registry.register(make_instance("a-1"))
            self.registry.register(make_instance("a-2"))
            await self.names_are("a-1", "a-2")
            await self.registry.deregister()
            await self.names_are()
            self.assertEqual(self.registry.health().leases, 0)
            self.registry.register(make_instance("a-3"))
            await self.names_are("a-3")

        async def test_deregistering_and_registering_at_once(self) -> None:
            """Whatever comes last is what counts."""
            self.start()
            self.registry.register(make_instance("a-1"))
            await self.names_are("a-1")
            leaving = self.registry.deregister()
            self.registry.register(make_instance("a-2"))
            await leaving
            await self.names_are("a-2")

        async def test_stopping_leaves_nothing(self) -> None:
            """Afterwards there is no lease and no watch; stopping twice is fine."""
            self.start()
            self.registry.register(make_instance())
            await self.names_are("a-1")
            await self.registry.stop()
            health = self.registry.health()
            self.assertEqual((health.leases, health.watches), (0, 0))
            self.assertIs(health.state, RegistryState.STOPPED)
            self.assertFalse(health.is_registered)
            await self.registry.stop()

        async def test_stopping_before_anything_was_answered(self) -> None:
            """A process that ends as it begins leaves nothing either."""
            self.registry.register(make_instance())
            self.start()
            await self.registry.stop()
            self.assertEqual(self.registry.health().leases, 0)

        async def test_starts_again(self) -> None:
            """After a stop it can be started again, and knows nothing of before."""
            self.start()
            self.registry.register(make_instance("a-1"))
            await self.names_are("a-1")
            await self.registry.stop()
            self.told = Told()
            self.start()
            await self.names_are()
            self.registry.register(make_instance("a-2"))
            await self.names_are("a-2")

        async def test_rules(self) -> None:
            """A rule is written, told, replaced by who has read it, and deleted."""
            if not self.keeps_rules:
                refused = self.registry.post("passport", make_rule(), 0)
                await self.assertFailure(refused, RulesUnknown)
                return
            told: list[tuple[Posted, ...]] = []
            self.registry.start(self.told, told.append)
            self.registry.follow()
            await self.names_are()
            rule = make_rule(service="passport")
            self.assertTrue(await self.registry.post("passport", rule, 0))
            self.assertFalse(await self.registry.post("passport", rule, 0))
            (posted,) = (await self.registry.look()).rules
            self.assertEqual(posted.rule, rule)
            await until(lambda: told and told[-1] == (posted,), "it is told")
            other = make_rule(20.0, service="passport")
            is_late = posted.revision - 1
            self.assertFalse(await self.registry.post("passport", other, is_late))
            self.assertTrue(
                await self.registry.post("passport", other, posted.revision)
            )
            (posted,) = (await self.registry.look()).rules
            self.assertEqual(posted.rule.share, 20.0)
            self.assertTrue(await self.registry.post("passport", None, posted.revision))
            await until(lambda: told[-1] == (), "its end is told")
            self.assertEqual((await self.registry.look()).rules, ())

        async def test_wishes(self) -> None:
            """A wish is told until it is taken up; where nobody would hear, why."""
            self.assertEqual(not self.registry.refuses_wishes, self.hears_wishes)
            if not self.hears_wishes:
                self.assertIn("data folder", self.registry.refuses_wishes)
                await self.registry.wish(make_wish("a-1"))
                await self.registry.take_up("a-1")
                return
            told: list[tuple[Wish, ...]] = []
            self.registry.start(self.told, wished=told.append)
            self.registry.follow()
            self.registry.register(make_instance())
            await self.names_are("a-1")
            for kind in (WishKind.STAY, WishKind.END):  # the last one counts
                wish = make_wish("a-1", kind)
                await self.registry.wish(wish)
                await until(partial(self.is_last, told, (wish,)), "it is told")
                self.assertEqual((await self.registry.look()).wishes, (wish,))
            await self.registry.take_up("a-1")
            await until(lambda: told[-1] == (), "its end is told")
            self.assertEqual((await self.registry.look()).wishes, ())
            await self.registry.take_up("a-1")  # twice does no harm
            await self.names_are("a-1")

        def is_last(self, told: list[tuple[Wish, ...]], due: tuple[Wish, ...]) -> bool:
            """Tell whether these wishes were told last."""
            return bool(told) and told[-1] == due

        async def test_looking(self) -> None:
            """Who is there is told at once."""
            self.start()
            self.registry.register(make_instance())
            await self.names_are("a-1")
            names = {each.name for each in (await self.registry.look()).instances}
            self.assertEqual(names, {"a-1", *self.given})

    class SharedRegistryTests(RegistryTests):
        """The promises of one that several processes share."""

        base_path = "/rum"
        hears_wishes = True

        def make_etcd_connection(self) -> IEtcd:
            """Return another process's connection."""
            raise NotImplementedError

        @override
        def make_registry(self) -> IRegistry:
            """Return another process's registry."""
            return EtcdRegistry(
                self.make_etcd_connection(),
                CLOCK,
                Random(1),  # noqa: S311 - the same each time
                base_path=self.base_path,
                ttl=TTL,
            )

        def another(self) -> Any:
            """Return the registry of another process, started."""
            registry: Any = self.make_registry()
            registry.start(Told())
            self.addCleanup(registry.stop)
            return registry

        async def test_processes_see_each_other(self) -> None:
            """What one registers, the other is told, and that he leaves as well."""
            self.start()
            other = self.another()
            other.register(make_instance("b-1"))
            await self.names_are("b-1")
            self.registry.register(make_instance("a-1"))
            await self.names_are("a-1", "b-1")
            await other.stop()
            await self.names_are("a-1")

        async def test_networks_do_not_see_each_other(self) -> None:
            """Another base path is another network."""
            self.start()
            self.base_path += "-other"
            other = self.another()
            other.register(make_instance("b-1"))
            await until(lambda: other.health().is_registered, "it stands")
            self.registry.register(make_instance("a-1"))
            await self.names_are("a-1")

        async def test_who_only_reads_takes_no_lease(self) -> None:
            """A reader costs etcd one watch, and no lease."""
            self.start()
            await self.names_are()
            health = self.registry.health()
            self.assertEqual((health.leases, health.watches), (0, 1))

        async def test_who_only_registers_opens_no_watch(self) -> None:
            """A process that asks nobody costs etcd one lease, and no watch."""
            self.registry.start(self.told)
            self.registry.register(make_instance())
            await until(lambda: self.registry.health().is_registered, "it stands")
            health = self.registry.health()
            self.assertEqual((health.leases, health.watches), (1, 0))

    class RealEtcdRegistryTests(SharedRegistryTests):
        """The same on a real etcd."""

        @override
        def setUp(self) -> None:
            """See that etcd is there."""
            self.access: dict[str, Any] = {
                "endpoints": (shared_etcd().endpoint,),
                "request_timeout": REQUEST_TIMEOUT,
            }
            self.base_path = f"/{type(self).__name__}/{self.id().rpartition('.')[2]}"
            super().setUp()


class MemoryRegistryTests(Contract.RegistryTests):
    """Instances of this process alone."""

    @override
    def make_registry(self) -> IRegistry:
        """Return an empty one."""
        return MemoryRegistry()


class StaticRegistryTests(Contract.RegistryTests):
    """Instances from a list, besides those of this process."""

    given = ("static-1", "static-2")
    keeps_rules = False

    @override
    def make_registry(self) -> IRegistry:
        """Return one with two given instances."""
        return static_registry(("passport=10.0.0.1:7001", "weather=10.0.0.2:7001"))


class EtcdRegistryInMemoryTests(Contract.SharedRegistryTests):
    """Instances in an etcd in memory."""

    @override
    def setUp(self) -> None:
        """Make the store."""
        self.store = MemoryStore(CLOCK)
        super().setUp()

    @override
    def make_etcd_connection(self) -> IEtcd:
        """Return a connection to the store."""
        return MemoryEtcd(CLOCK, self.store)


class LeanEtcdRegistryTests(Contract.RealEtcdRegistryTests):
    """Instances in etcd, over the lean connection."""

    @override
    def make_etcd_connection(self) -> IEtcd:
        """Return a lean connection."""
        from rum_twisted.discovery.access import EtcdAccess  # noqa: PLC0415
        from rum_twisted.discovery.etcd_lean import LeanEtcd  # noqa: PLC0415

        return LeanEtcd(EtcdAccess(**self.access))


class Aioetcd3EtcdRegistryTests(Contract.RealEtcdRegistryTests):
    """Instances in etcd, by way of aioetcd3."""

    @override
    def make_etcd_connection(self) -> IEtcd:
        """Return a connection that uses aioetcd3."""
        from rum_twisted.discovery.access import EtcdAccess  # noqa: PLC0415

        try:
            from rum_twisted.discovery.etcd_aioetcd3 import (  # noqa: PLC0415
                Aioetcd3Etcd,
            )
        except ImportError as error:
            raise SkipTest(str(error)) from error
        return Aioetcd3Etcd(EtcdAccess(**self.access))
