"""What a server imports, and above all what not: memory is spent at the import."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import rum_twisted

# Builds the services as twistd does and tells every module, but those of the
# standard library.
PROGRAM = """
import json, sys
IGNORED = ("__editable__", "_cython_", "cython_runtime", "_sysconfigdata_")  # of tools
from rum_twisted.tap import Options, makeService
options = Options({})
options.parseOptions(sys.argv[1:])
makeService(options)
names = {
    name.partition(".")[0] for name, module in sys.modules.items() if module is not None
}
names -= {"__main__"} | {name for name in names if name.startswith(IGNORED)}
print(json.dumps(sorted(names - set(sys.stdlib_module_names))))
"""

# The same through twistd's own options, which load every plugin; all modules are told.
TWISTD = """
import json, sys
from twisted.scripts._twistd_unix import ServerOptions
from rum_twisted.tap import makeService
options = ServerOptions()
options.parseOptions(["rum", *sys.argv[1:]])
makeService(options.subOptions)
print(json.dumps([name for name, module in sys.modules.items() if module is not None]))
"""

AFTERWARDS = """
assert not {"pdb", "shutil", "unittest", "zipfile"} & sys.modules.keys()
import io
import twisted.python.compat
from twisted.application import app
from twisted.python import zippath
assert twisted.python.compat.cookielib.CookieJar().make_cookies
assert twisted.python.compat.escape("<") == "&lt;"
app.fixPdb()
import http.cookiejar, pdb
assert twisted.python.compat.cookielib.CookieJar is http.cookiejar.CookieJar
assert app.pdb.Pdb is pdb.Pdb and pdb.Pdb.do_stop
assert zippath.ZipFile(io.BytesIO(), "w").namelist() == []
import unittest, urllib.request, email.message
assert urllib.request.Request("http://localhost").host == "localhost"
print(json.dumps(sorted(sys.modules)))
"""

# One line of this list is megabytes: think before it grows.
EXPECTED = {
    "_distutils_hack",  # of setuptools, in some environments
    "attr",
    "attrs",
    "constantly",
    "incremental",
    "rum_twisted",
    "twisted",
    "typing_extensions",
    "zope",
}
DATABASE = {
    "_argon2_cffi_bindings",
    "_cffi_backend",
    "aiosqlite",
    "argon2",
    "bcrypt",
    "greenlet",
    "sqlalchemy",
}
HEAVY = {"sqlite3", "xml", "multiprocessing", "unittest", "distutils", "tkinter"}


def imported(*arguments: str, heavy: bool = False) -> set[str]:
    """Return the packages that a server with these options imports.

    Args:
        arguments: behind ``twistd rum``.
        heavy: tell those of the standard library's heavy ones instead.
    """
    program = PROGRAM
    if heavy:
        program = program.replace("- set(sys.stdlib_module_names)", f"& {HEAVY!r}")
    return told(program, arguments)


def told(program: str, arguments: Sequence[str]) -> set[str]:
    """Return the names that a program prints."""
    done = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(rum_twisted.__file__).parents[1])},
        text=True,
        timeout=180,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def modules(*arguments: str) -> set[str]:
    """Return the modules of Rum that a server with these options imports."""
    program = PROGRAM.replace('name.partition(".")[0] for name', "name for name")
    done = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(rum_twisted.__file__).parents[1])},
        text=True,
        timeout=180,
    )
    return {name for name in json.loads(done.stdout) if name.startswith("rum_twisted")}


CERT = ("--set", 'accounts.store="cert"')
POSTGRESQL = (
    *("--set", 'accounts.store="database"'),
    *("--set", 'accounts.database="postgresql+asyncpg://rum@localhost/rum"'),
)
HTTP = ("--set", 'weather.source="http"')
STATIC = (
    *("--set", 'discovery.backend="static"'),
    *("--set", 'discovery.endpoints=["passport=[::1]:7001", "weather=[::1]:7002"]'),
    *("--set", 'services.listen="[::1]:7003"'),
)
FABRIC = {
    "google",
    "grpc",
    "grpc_health",
    "grpc_reflection",
    "grpc_tools",  # of developers; grpc imports it where it is installed
}
PLAIN_HTTP = ("--set", 'weather.sources=["raw http://localhost/{station}"]')


class ImportTests(SynchronousTestCase):
    """What a server imports, by what it was told to do."""

    def test_with_an_account_file_nothing_but_what_is_needed(self) -> None:
        """No OpenSSL, no database, no HTTP client: what is not used is not there."""
        self.assertLessEqual(imported(*CERT), EXPECTED)

    def test_a_database_in_a_setting_that_does_not_count(self) -> None:
        """With an account file, the address of a database loads nothing."""
        unused = ("--set", 'accounts.database="postgresql://rum@localhost/rum"')
        self.assertLessEqual(imported(*CERT, *unused), EXPECTED)

    def test_no_console_where_none_is_wanted(self) -> None:
        """Not a byte of it; and with one, a password in a file needs no library."""
        self.assertNotIn("rum_twisted.console", modules(*CERT))
        console = (
            *("--set", 'console.listen="tcp:0:interface=127.0.0.1"'),
            *("--set", 'console.password_file="password.txt"'),
        )
        self.assertIn("rum_twisted.console.service", modules(*CERT, *console))
        self.assertLessEqual(imported(*CERT, *console), EXPECTED)

    def test_nothing_heavy_of_the_standard_library(self) -> None:
        """The standard library has expensive parts as well."""
        self.assertEqual(imported(*CERT, heavy=True), set())

    def test_the_embedded_database(self) -> None:
        """It brings its own libraries and no others: Alembic is for a moment only."""
        names = imported("--set", 'accounts.store="database"')
        self.assertLessEqual(names, EXPECTED | DATABASE)
        self.assertLessEqual({"sqlalchemy", "aiosqlite", "argon2"}, names)

    def test_postgresql(self) -> None:
        """Its driver, in place of SQLite's; OpenSSL is not needed for it."""
        names = imported(*POSTGRESQL)
        self.assertLessEqual(names, (EXPECTED | DATABASE | {"asyncpg"}))
        self.assertIn("asyncpg", names)

    def test_weather_over_http(self) -> None:
        """The HTTP client is there where it is used, OpenSSL where TLS is."""
        plain = imported(*CERT, *HTTP, *PLAIN_HTTP)
        self.assertIn("treq", plain)
        self.assertNotIn("OpenSSL", plain)
        self.assertNotIn("sqlalchemy", plain)
        self.assertIn("OpenSSL", imported(*CERT, *HTTP))

    def test_front_alone(self) -> None:
        """A front has gRPC, but neither the database nor what fetches weather."""
        names = imported(*STATIC, *HTTP, "--role", "pergola")
        self.assertLessEqual(names, EXPECTED | FABRIC)
        self.assertIn("grpc", names)

    def test_front_alone_as_twistd_starts_it(self) -> None:
        """What is loaded on demand, or not needed by this role, is not there."""
        names = told(TWISTD, (*STATIC, *HTTP, "--role", "pergola"))
        unwanted = {
            "argparse",
            "difflib",
            "google.protobuf.descriptor_pb2",
            "google.protobuf.internal.python_message",
            "google.protobuf.text_format",
            "grpc_health.v1",
            "grpc_reflection.v1alpha",
            "email",
            "html",
            "http",
            "http.client",
            "pdb",
            "tempfile",
            "urllib.request",
            "rum_twisted.rpc.generated.plugin_pb2",
            "rum_twisted.rpc.plugins",
            "importlib.metadata",
            "rum_twisted.plugins.host",
            "rum_twisted.accounts.certfile",
            "rum_twisted.accounts.guarded",
            "rum_twisted.assembly.database",
            "rum_twisted.discovery.etcd",
            "rum_twisted.weather.source",
            "twisted.trial.itrial",
            "unittest",
        }
        self.assertEqual(names & unwanted, set())
        self.assertIn("rum_twisted.weather.remote", names)

    def test_nothing_that_images_leave_out(self) -> None:
        """They hold neither the tests of libraries nor what installs these."""
        names = told(TWISTD, (*STATIC, *HTTP, "--set", 'accounts.store="database"'))
        self.assertLessEqual({"sqlalchemy", "treq", "grpc"}, names)
        left_out = {"test", "tests", "setuptools", "pkg_resources", "pip"}
        for name in names:
            self.assertFalse(left_out.intersection(name.split(".")), name)

    def test_tracing(self) -> None:
        """OpenTelemetry is there where traces are wanted, and only there."""
        self.assertNotIn("opentelemetry", imported(*STATIC, "--role", "pergola"))
        wanted = ("--set", 'telemetry.otlp_endpoint="http://127.0.0.1:4318"')
        self.assertIn("opentelemetry", imported(*STATIC, *wanted, "--role", "pergola"))

    def test_what_was_let_go_comes_back_when_it_is_used(self) -> None:
        """Twisted's own names for it still lead to the whole of it."""
        names = told(TWISTD + AFTERWARDS, (*STATIC, "--role", "pergola"))
        self.assertIn("http.cookiejar", names)
        self.assertIn("email", names)
        self.assertIn("html", names)
        self.assertIn("pdb", names)
        self.assertIn("zipfile", names)

    def test_passport_alone(self) -> None:
        """It has the database, but nothing of weather."""
        names = imported(*STATIC, *HTTP, "--role", "passport")
        self.assertLessEqual(names, EXPECTED | FABRIC | DATABASE)
        self.assertIn("sqlalchemy", names)

    def test_weather_alone(self) -> None:
        """It has no database."""
        names = imported(*STATIC, "--role", "weather")
        self.assertLessEqual(names, EXPECTED | FABRIC)

    def test_weather_from_a_file(self) -> None:
        """The libraries for weather from the web are not loaded for it."""
        names = imported(*CERT, "--set", 'weather.source="file"')
        self.assertEqual(names & {"treq", "metar", "airportsdata", "OpenSSL"}, set())
