"""Processes that play some of the roles: what is refused, and what is theirs."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.config import Config, load
from rum_twisted.config.roles import mistakes_of_roles

PERGOLA = 'services.roles=["pergola"]'
PASSPORT = 'services.roles=["passport"]'
STATIC = 'discovery.backend="static"'
ETCD = 'discovery.backend="etcd"'
LISTED = 'discovery.endpoints=["passport=a:7001", "weather=a:7002"]'
PORT = 'services.listen="127.0.0.1:7001"'
EVERYWHERE = 'services.listen="0.0.0.0:7001"'
TLS_PORT = 'pergola.listen=["ssl:6809:privateKey=key.pem"]'
HTTP = 'weather.source="http"'


def configuration(*settings: str) -> Config:
    """Return the settings of a process."""
    return load(overrides=settings)


class MistakeTests(SynchronousTestCase):
    """Settings that would leave a role alone."""

    def assert_mistakes(self, expected: list[str], *settings: str) -> None:
        """Assert which settings are complained about."""
        mistakes = mistakes_of_roles(configuration(*settings))
        self.assertEqual([mistake.source for mistake in mistakes], expected)

    def test_everything_in_one_process_needs_nobody(self) -> None:
        """Without a word about roles nothing is due."""
        self.assert_mistakes([])

    def test_front_that_can_find_nobody(self) -> None:
        """Discovery within one process finds no other."""
        self.assert_mistakes(["discovery.backend"], PERGOLA)
        self.assert_mistakes([], PERGOLA, ETCD)

    def test_list_that_lacks_a_role(self) -> None:
        """Each role that nobody plays is named."""
        only = 'discovery.endpoints=["passport=a:7001"]'
        (mistake,) = mistakes_of_roles(configuration(PERGOLA, STATIC, only))
        self.assertIn('"weather=host:port"', str(mistake))
        self.assert_mistakes([], PERGOLA, STATIC, LISTED)

    def test_port_that_nobody_knows(self) -> None:
        """Only etcd can tell others which port was opened."""
        self.assert_mistakes(["services.listen"], PASSPORT)
        self.assert_mistakes(["services.listen"], PASSPORT, STATIC, LISTED)
        self.assert_mistakes([], PASSPORT, STATIC, LISTED, PORT)
        self.assert_mistakes([], PASSPORT, ETCD)

    def test_address_that_is_none(self) -> None:
        """Whoever listens everywhere has to say how he is reached."""
        self.assert_mistakes(["services.advertise"], PASSPORT, ETCD, EVERYWHERE)
        said = 'services.advertise="10.0.0.2:7001"'
        self.assert_mistakes([], PASSPORT, ETCD, EVERYWHERE, said)


class RoleTests(SynchronousTestCase):
    """What follows from the roles of a process."""

    def test_who_needs_and_offers_what(self) -> None:
        """A front needs what is not with it; nobody calls a front."""
        services = configuration(PERGOLA).services
        self.assertEqual(services.missing, ("passport", "weather"))
        self.assertEqual(services.offered, ())
        services = configuration(PASSPORT).services
        self.assertEqual(services.missing, ())
        self.assertEqual(services.offered, ("passport",))
        self.assertEqual(configuration().services.missing, ())

    def test_nobody_needs_plugins(self) -> None:
        """Who plays the three other roles is whole; a role of plugins can be found."""
        three = configuration('services.roles=["pergola", "passport", "weather"]')
        self.assertTrue(three.services.is_whole)
        self.assertFalse(three.uses_fabric)
        plugin = configuration('services.roles=["plugin"]')
        self.assertEqual(plugin.services.offered, ("plugin",))
        self.assertEqual(plugin.services.missing, ())
        self.assertTrue(plugin.uses_fabric)

    def test_who_loads_grpc(self) -> None:
        """Everything in one process does without, until others shall call it."""
        self.assertFalse(configuration().uses_fabric)
        for word in (PERGOLA, PASSPORT, STATIC, ETCD, PORT):
            self.assertTrue(configuration(word).uses_fabric, word)

    def test_openssl_only_for_the_role_that_needs_it(self) -> None:
        """A front without an encrypted port does without, whatever weather needs."""
        self.assertTrue(configuration(HTTP).needs_openssl)
        self.assertFalse(configuration(HTTP, PERGOLA).needs_openssl)
        self.assertTrue(configuration(TLS_PORT, PERGOLA).needs_openssl)
        self.assertFalse(configuration(TLS_PORT, PASSPORT).needs_openssl)

    def test_each_process_has_its_own_control_socket(self) -> None:
        """In one data folder they are not in each other's way."""
        folder = 'data_dir="/srv"'
        self.assertEqual(
            configuration(folder).control_socket, Path("/srv/control.sock")
        )
        self.assertEqual(
            configuration(folder, PASSPORT).control_socket,
            Path("/srv/control-passport.sock"),
        )
        named = 'control.socket="/run/rum.sock"'
        self.assertEqual(
            configuration(folder, PASSPORT, named).control_socket,
            Path("/run/rum.sock"),
        )
        off = 'control.socket=""'
        self.assertIsNone(configuration(folder, PASSPORT, off).control_socket)

    def test_each_process_has_its_own_pages(self) -> None:
        """The front's are on by default, those of others are not."""
        pages = 'services.http="tcp:6811"'
        self.assertEqual(
            configuration(pages, PERGOLA).http, configuration().pergola.http
        )
        self.assertEqual(configuration(PASSPORT).http, "")
        self.assertEqual(configuration(pages, PASSPORT).http, "tcp:6811")
