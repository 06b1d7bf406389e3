"""The account file of a brand-new server."""

import resource
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.certfile import read_certificates
from rum_twisted.accounts.certificate import prove
from rum_twisted.accounts.first import AccountFileError, create_first_account
from rum_twisted.session.interfaces import Account
from rum_twisted.terms.identity import Rating


class CreateFirstAccountTests(SynchronousTestCase):
    """A server without accounts gets one administrator."""

    @override
    def setUp(self) -> None:
        """Choose a path under folders that do not exist yet."""
        self.path = Path(self.mktemp()) / "data" / "cert.txt"

    def test_file_lets_the_administrator_in(self) -> None:
        """The account that is shown is the one in the file, and the only one."""
        first = create_first_account(self.path)
        assert first is not None
        certificates, flaws = read_certificates(self.path.read_bytes())
        self.assertEqual(flaws, ())
        self.assertEqual(list(certificates), ["1000000"])
        proved = prove(certificates, first.cid, first.password)
        self.assertEqual(proved, Account("1000000", Rating.ADMINISTRATOR))

    def test_only_the_owner_reads_it(self) -> None:
        """Passwords stand there in plain words, so the mode is 0600."""
        create_first_account(self.path)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_password_is_long_random_and_readable(self) -> None:
        """Nobody guesses it, and nobody mistypes a 1 for an l or an O for a 0."""
        passwords = set()
        for number in range(50):
            first = create_first_account(self.path.with_name(f"{number}.txt"))
            assert first is not None
            self.assertGreaterEqual(len(first.password), 16)
            self.assertRegex(first.password, "^[a-z2-9]+$")
            self.assertNotRegex(first.password, "[ilo]")
            passwords.add(first.password)
        self.assertEqual(len(passwords), 50)

    def test_repr_hides_the_password(self) -> None:
        """The account may be logged by mistake; its password is not."""
        first = create_first_account(self.path)
        assert first is not None
        self.assertNotIn(first.password, repr(first))
        self.assertIn("1000000", repr(first))

    def test_existing_file_is_never_touched(self) -> None:
        """A second start makes nothing, even if the file is empty."""
        self.path.parent.mkdir(parents=True)
        self.path.write_bytes(b"")
        self.assertIsNone(create_first_account(self.path))
        self.assertEqual(self.path.read_bytes(), b"")

    def test_dangling_link_is_not_written_through(self) -> None:
        """A link to nowhere counts as a file that is there."""
        self.path.parent.mkdir(parents=True)
        elsewhere = self.path.with_name("elsewhere.txt")
        self.path.symlink_to(elsewhere)
        self.assertIsNone(create_first_account(self.path))
        self.assertFalse(elsewhere.exists())

    def test_file_in_place_of_a_folder_is_told(self) -> None:
        """Where the folder cannot be made, the error says which file and why."""
        self.path.parent.parent.mkdir(parents=True)
        self.path.parent.write_bytes(b"")
        for path in (self.path, self.path / "deeper" / "cert.txt"):
            with self.assertRaises(AccountFileError) as caught:
                create_first_account(path)
            self.assertIn(str(path), str(caught.exception))
            self.assertRegex(str(caught.exception), "File exists|Not a directory")

    def test_name_too_long_is_told(self) -> None:
        """Where the file cannot be made, the error says so."""
        path = self.path.with_name("c" * 300)
        with self.assertRaisesRegex(AccountFileError, "name too long"):
            create_first_account(path)
        self.assertEqual(list(self.path.parent.iterdir()), [])

    def test_full_disk_leaves_no_half_file(self) -> None:
        """A file that cannot be filled is removed, so that the next start tries."""
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        try:
            with self.assertRaisesRegex(AccountFileError, "File too large"):
                create_first_account(self.path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        self.assertEqual(list(self.path.parent.iterdir()), [])
