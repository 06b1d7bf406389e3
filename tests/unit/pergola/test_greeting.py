"""What is said to everybody who logs on."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted import __version__
from rum_twisted.pergola.greeting import PRODUCT, Greeting

LONGEST = 65_536  # bytes


class GreetingTests(SynchronousTestCase):
    """The message of the day, as an operator writes it."""

    @override
    def setUp(self) -> None:
        """Choose a file that does not exist yet."""
        self.path = Path(self.mktemp())
        self.greeting = Greeting(self.path)

    def assert_lines(self, text: bytes, *lines: str) -> None:
        """Assert that a file with ``text`` is shown as ``lines``."""
        self.path.write_bytes(text)
        self.assertEqual(self.greeting(), (PRODUCT, *lines))

    def test_operator_is_named_first(self) -> None:
        """Members read how to reach the operator, if he says so."""
        greeting = Greeting(Path(self.mktemp()), "admin@example.org")
        self.assertEqual(greeting(), (f"{PRODUCT}, admin@example.org",))

    def test_the_product_comes_first(self) -> None:
        """With its version, so that a report of a fault can name it."""
        self.assertEqual(self.greeting(), (PRODUCT,))
        self.assertIn(__version__, PRODUCT)

    def test_a_missing_file(self) -> None:
        """No message is a usual thing."""
        self.assertEqual(self.greeting(), (PRODUCT,))

    def test_an_empty_file(self) -> None:
        """It has no lines."""
        self.assert_lines(b"")

    def test_lines(self) -> None:
        """Each is one; an empty one is one as well."""
        self.assert_lines(b"Welcome\n\nHave: fun\n", "Welcome", "", "Have: fun")

    def test_a_last_line_without_its_end(self) -> None:
        """It is shown whole."""
        self.assert_lines(b"one\nlast", "one", "last")

    def test_empty_lines_at_the_end(self) -> None:
        """The operator wanted them."""
        self.assert_lines(b"one\n\n", "one", "")

    def test_files_from_windows(self) -> None:
        """CR LF ends one line, and no CR is left that would break packets."""
        self.assert_lines(b"one\r\n\r\ntwo\r\n", "one", "", "two")

    def test_files_from_old_machines(self) -> None:
        """So does a CR alone."""
        self.assert_lines(b"one\rtwo", "one", "two")

    def test_any_encoding(self) -> None:
        """The bytes of GBK and UTF-8 text go to the clients as they are."""
        for encoding in ("gbk", "utf-8"):
            data = "欢迎".encode(encoding)
            self.assert_lines(data + b"\n", data.decode("latin-1"))

    def test_no_end(self) -> None:
        """Of a file that is no message of the day, 64 KiB are shown."""
        self.path.write_bytes(b"x" * LONGEST)
        self.assertEqual(len(self.greeting()[1]), LONGEST)
        self.path.write_bytes(b"x" * (LONGEST + 1))
        self.assertEqual(len(self.greeting()[1]), LONGEST)

    def test_it_is_read_again(self) -> None:
        """Who logs on after a change reads the new one."""
        self.assert_lines(b"one\n", "one")
        self.assert_lines(b"two words\n", "two words")

    def test_a_change_of_the_same_size(self) -> None:
        """It is told by the time of the change."""
        self.assert_lines(b"one\n", "one")
        self.path.write_bytes(b"two\n")
        os.utime(self.path, ns=(1, 1))
        self.assertEqual(self.greeting(), (PRODUCT, "two"))

    def test_a_file_in_its_place(self) -> None:
        """An editor that writes a new file and renames it is understood."""
        self.assert_lines(b"one\n", "one")
        status = self.path.stat()
        beside = self.path.with_name("beside")
        beside.write_bytes(b"two\n")
        os.utime(beside, ns=(status.st_atime_ns, status.st_mtime_ns))
        beside.replace(self.path)
        self.assertEqual(self.greeting(), (PRODUCT, "two"))

    def test_it_is_not_read_in_vain(self) -> None:
        """Of 300 logons, one reads the file."""
        self.assert_lines(b"one\n", "one")
        status = self.path.stat()
        self.path.write_bytes(b"two\n")
        os.utime(self.path, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.assertEqual(self.greeting(), (PRODUCT, "one"))

    def test_a_file_that_is_gone(self) -> None:
        """Its message is gone with it, and comes back with it."""
        self.assert_lines(b"one\n", "one")
        self.path.unlink()
        self.assertEqual(self.greeting(), (PRODUCT,))
        self.assert_lines(b"one\n", "one")

    def test_a_folder(self) -> None:
        """A slip in the settings keeps nobody out."""
        self.path.mkdir()
        self.assertEqual(self.greeting(), (PRODUCT,))
