"""How a ``cert.txt`` is read for an import."""

from pathlib import Path

from rum_twisted.accounts.certfile import read_certificates
from rum_twisted.cli.imports.certfile import CertFile, read_source_file
from rum_twisted.cli.imports.rows import SourceError
from rum_twisted.terms.identity import Rating, fold
from tests.support.loop import run
from tests.unit.cli.builders import FolderTestCase, members_of, read, refusals_of

CONFORMANCE = """\
; a comment
1000000 pw00 0
AlphaCid MixedCase 5
1000099 pw99 99
1000098 -pw98 -1
   1000097   pw97   4   ignored words
"""


class CertFileTests(FolderTestCase):
    """Each line is one account, or is refused by its number."""

    def reader(self, text: bytes | str) -> CertFile:
        """Return a reader of a file with this text."""
        return CertFile(self.write("cert.txt", text))

    def test_accounts_mean_what_they_mean_to_a_server(self) -> None:
        """Nobody is rated higher or lower than the server that read the file did."""
        found = read(self.reader(CONFORMANCE))
        self.assertEqual(refusals_of(found), [])
        served, _ = read_certificates(CONFORMANCE.encode())
        self.assertEqual(
            {one.cid: one.rating for one in members_of(found)},
            {cid: certificate.rating for cid, certificate in served.items()},
        )

    def test_passwords_keep_their_case(self) -> None:
        """Only an account file compares them without regard to it."""
        (one,) = members_of(read(self.reader("AlphaCid MixedCase 5")))
        self.assertEqual(one.cid, "alphacid")
        self.assertEqual(one.password_hash, "plain$MixedCase")
        self.assertEqual(one.rating, Rating.CONTROLLER1)

    def test_lines_are_refused_by_their_number(self) -> None:
        """Comments and empty lines count in it, as an editor shows it."""
        text = "; x\n\n1000001 pw\n1000002 pw x\n10:03 pw 1\n1000004 p:w 1\n"
        self.assertEqual(
            [number for number, _ in refusals_of(read(self.reader(text)))], [3, 4, 5, 6]
        )

    def test_of_two_lines_the_later_counts(self) -> None:
        """As it does to a server; the earlier one is reported."""
        found = read(self.reader("A pw1 1\nB pw2 2\na pw3 3\nA pw4\n"))
        self.assertEqual(
            [(one.cid, one.password_hash) for one in members_of(found)],
            [("b", "plain$pw2"), ("a", "plain$pw3")],
        )
        (first, last) = refusals_of(found)
        self.assertEqual(first, (1, "its CID stands again in line 3, which counts"))
        self.assertIn("fewer than three words", last[1])

    def test_a_slip_in_the_later_line_lets_nobody_in(self) -> None:
        """The server reads 'x0' as suspended; the earlier line must not come back."""
        found = read(self.reader("A pw1 12\nA pw1 x0\n"))
        self.assertEqual(members_of(found), [])
        self.assertEqual([number for number, _ in refusals_of(found)], [1, 2])

    def test_any_encoding_is_taken(self) -> None:
        """Bytes stay bytes: what a client sends in GBK is what the file had."""
        password = "密码".encode("gbk")
        found = read(self.reader(b"\xef\xbb\xbf1000001 " + password + b" 1\r\n"))
        (one,) = members_of(found)
        self.assertEqual(one.cid, "1000001")
        self.assertEqual(one.password_hash, "plain$" + password.decode("latin-1"))

    def test_a_file_saved_as_utf_16_is_told(self) -> None:
        """Some editors do so, and each letter is two bytes then."""
        found = read(self.reader("1000001 pw 1\n".encode("utf-16")))
        self.assertEqual(members_of(found), [])
        self.assertTrue(any("UTF-16" in why for _, why in refusals_of(found)))

    def test_what_is_counted_is_what_comes(self) -> None:
        """A progress bar ends at its end."""
        reader = self.reader(CONFORMANCE + "x\n")
        self.assertEqual(run(reader.count()), len(read(reader)))

    def test_a_file_that_is_missing_is_named(self) -> None:
        """The operator reads which, and why."""
        with self.assertRaisesRegex(SourceError, "none.txt: cannot be read: No such"):
            read(CertFile(str(self.folder / "none.txt")))

    def test_a_file_without_an_end(self) -> None:
        """A pipe or a device that was named by mistake does not fill the memory."""
        with self.assertRaisesRegex(SourceError, "more than 1000 bytes"):
            read_source_file(Path("/dev/zero"), largest=1000)
        path = self.write("cert.txt", b"x" * 1000)
        self.assertEqual(len(read_source_file(Path(path), largest=1000)), 1000)

    def test_cids_are_folded_as_the_server_folds_them(self) -> None:
        """A to Z only; other letters are half of something else."""
        text = "ÄBC pw 1".encode("latin-1")
        (one,) = members_of(read(self.reader(text)))
        self.assertEqual(one.cid, fold("ÄBC"))
