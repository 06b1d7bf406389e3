"""Libraries that some settings need and others do not."""

import configparser
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.config import load
from rum_twisted.config.extras import EXTRAS, can_be_imported, missing_extras

CERT = 'accounts.store = "cert"'
POSTGRESQL = 'accounts.database = "postgresql://rum:secret@localhost/rum"'
HTTP = 'weather.source = "http"'
PLAIN = 'weather.sources = ["raw http://localhost/{station}"]'


class MissingExtrasTests(SynchronousTestCase):
    """What an operator reads who has installed less than he has configured."""

    def missing(self, *overrides: str, installed: bool = False) -> list[str]:
        """Return the lines for a server with all extras, or with none."""
        folder = f'data_dir = "{Path(self.mktemp()).absolute()}"'
        config = load(overrides=(folder, *overrides))
        return [str(mistake) for mistake in missing_extras(config, lambda _: installed)]

    def test_an_account_file_needs_nothing(self) -> None:
        """The classic server's files are read without any library."""
        self.assertEqual(self.missing(CERT), [])
        self.assertEqual(self.missing(CERT, POSTGRESQL), [])  # it is not used

    def test_a_role_needs_what_it_uses(self) -> None:
        """A front alone needs gRPC, and nothing for the roles of others."""
        (line,) = self.missing('services.roles = ["pergola"]', HTTP)
        self.assertIn("rum-twisted[rpc]", line)

    def test_the_database_needs_its_extra(self) -> None:
        """The line names what is missing, how to get it, and the other way."""
        (line,) = self.missing()
        self.assertEqual(
            line,
            'accounts.store: the database (accounts.store = "cert" does without) needs'
            " sqlalchemy, aiosqlite, alembic, argon2, bcrypt: install"
            " 'rum-twisted[database]'",
        )

    def test_postgresql_needs_one_more(self) -> None:
        """And its line holds no password."""
        _, line = self.missing(POSTGRESQL)
        self.assertIn("asyncpg", line)
        self.assertNotIn("secret", line)

    def test_weather_over_http_needs_its_extra(self) -> None:
        """OpenSSL is needed only where a source is asked over TLS."""
        self.assertEqual(len(self.missing(CERT, HTTP)), 2)
        self.assertEqual(len(self.missing(CERT, HTTP, PLAIN)), 1)

    def test_what_is_installed_is_not_missed(self) -> None:
        """With all extras there is nothing to say."""
        self.assertEqual(self.missing(POSTGRESQL, HTTP, installed=True), [])

    def test_a_module_of_a_missing_package_is_missing(self) -> None:
        """Who has no gRPC reads that, and no traceback about its protocol buffers."""
        self.assertFalse(can_be_imported("rum_has_no_such_package.module"))
        self.assertFalse(can_be_imported("rum_twisted.no_such_module"))
        self.assertTrue(can_be_imported("rum_twisted.config"))

    def test_every_extra_is_one_of_the_package(self) -> None:
        """The names are those that pip knows."""
        setup = configparser.ConfigParser()
        setup.read(Path(__file__).parents[3] / "setup.cfg")
        self.assertLessEqual(set(EXTRAS), set(setup["options.extras_require"]))
