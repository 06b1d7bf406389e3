"""The classic account file: how a line is read, and when the file is."""

import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.application.service import MultiService
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.certfile import CertFileAccounts, read_certificates
from rum_twisted.session.interfaces import InvalidCredentials
from rum_twisted.terms.identity import Rating, fold
from rum_twisted.terms.units import Seconds

INTERVAL = Seconds(120.0)
NO_NUMBER = "the rating is no number; counts as"
MISSING = "cannot be read: No such file or directory;"
STAY = "read earlier stay valid"


def ratings(text: bytes) -> dict[str, int]:
    """Return the rating of each CID in the text of an account file."""
    certificates, _ = read_certificates(text)
    return {cid: int(kept.rating) for cid, kept in certificates.items()}


def flaws(text: bytes) -> list[tuple[int, str]]:
    """Return the numbers of flawed lines, and what is said of them."""
    _, flawed_lines = read_certificates(text)
    return [(flawed.number, flawed.flaw) for flawed in flawed_lines]


class ReadCertificatesTests(SynchronousTestCase):
    """Each line is one account, or is told by its number."""

    def test_words_stand_between_blanks_and_tabs(self) -> None:
        """Any number of blanks and tabs part words, and may begin a line."""
        text = b"1000001 pw01 1\n  1000002\tpw02  \t2  \n"
        self.assertEqual(ratings(text), {"1000001": 1, "1000002": 2})
        self.assertEqual(flaws(text), [])

    def test_every_line_end_is_understood(self) -> None:
        """The file may come from any system, and its last line lack an end."""
        self.assertEqual(
            ratings(b"a p 1\r\nb p 2\rc p 3\nd p 4"), {"a": 1, "b": 2, "c": 3, "d": 4}
        )

    def test_words_after_the_third_are_ignored(self) -> None:
        """What an operator notes behind an account is his own affair."""
        text = b"1000097   pw97   4   ignored words"
        self.assertEqual(ratings(text), {"1000097": 4})
        self.assertEqual(flaws(text), [])

    def test_comments_and_empty_lines_are_no_flaws(self) -> None:
        """Lines that begin with ; or #, indented or not, say nothing."""
        text = b"\n; 1 2 3\n#4 5 6\n  \t\n  ; 7 8 9\n;\n#"
        self.assertEqual(ratings(text), {})
        self.assertEqual(flaws(text), [])

    def test_line_with_too_few_words_is_skipped_and_told(self) -> None:
        """One or two words are no account; the others are read."""
        text = b"1000001 pw01 1\n1000098 pw98\nalone\n1000002 pw02 2\n"
        self.assertEqual(ratings(text), {"1000001": 1, "1000002": 2})
        skipped = "fewer than three words; skipped"
        self.assertEqual(flaws(text), [(2, skipped), (3, skipped)])

    def test_rating_out_of_range_counts_as_the_nearest(self) -> None:
        """Above 12 is 12, below 0 is 0, however many digits; neither is a flaw."""
        text = b"\n".join(
            b"cid%d pw %s" % (number, rating)
            for number, rating in enumerate(
                (
                    b"12",
                    b"13",
                    b"99",
                    b"4294967297",
                    b"9" * 5000,
                    b"-1",
                    b"-" + b"9" * 99,
                )
            )
        )
        self.assertEqual(list(ratings(text).values()), [12, 12, 12, 12, 12, 0, 0])
        self.assertEqual(flaws(text), [])

    def test_rating_is_read_as_the_original_reads_numbers(self) -> None:
        """A sign and leading zeros are understood."""
        text = b"a p +5\nb p 007\nc p 000\nd p -0\ne p " + b"0" * 5000 + b"8"
        self.assertEqual(ratings(text), {"a": 5, "b": 7, "c": 0, "d": 0, "e": 8})
        self.assertEqual(flaws(text), [])

    def test_rating_that_is_no_number_suspends_and_is_told(self) -> None:
        """A slip in the rating lets nobody in by mistake, and is not silent."""
        for word in (b"S1", b"x5", b"-", b"+-3", b"\xb2", b".5"):
            text = b"1000001 pw01 " + word
            self.assertEqual(ratings(text), {"1000001": 0})
            self.assertEqual(flaws(text), [(1, f"{NO_NUMBER} 0")])

    def test_rating_with_more_behind_it_is_read_and_told(self) -> None:
        """Leading digits count as in the original; the rest is told."""
        text = b"1000001 pw01 5x\n1000002 pw02 1O"
        self.assertEqual(ratings(text), {"1000001": 5, "1000002": 1})
        self.assertEqual(
            flaws(text),
            [
                (1, f"{NO_NUMBER} 5"),
                (2, f"{NO_NUMBER} 1"),
            ],
        )

    def test_later_line_of_a_cid_counts_and_is_told(self) -> None:
        """Of two lines for one CID, in whatever case, the later is the account."""
        text = b"Ann old 1\nBob pw 2\naNN new 3\n"
        certificates, _ = read_certificates(text)
        self.assertEqual(certificates["ann"].password, "new")
        self.assertEqual(certificates["ann"].rating, Rating.STUDENT2)
        self.assertEqual(
            flaws(text), [(3, "its CID stands above already; this line counts")]
        )

    def test_byte_order_mark_is_no_part_of_the_first_cid(self) -> None:
        """A file saved by a Windows editor keeps its first account."""
        self.assertEqual(ratings(b"\xef\xbb\xbf1000001 pw01 1\r\n"), {"1000001": 1})

    def test_utf_16_file_is_no_account_file(self) -> None:
        """Lines with NUL bytes are told, not taken for strange CIDs."""
        text = "1000001 pw01 1\r\n1000002 pw02 2".encode("utf-16")
        self.assertEqual(ratings(text), {})
        self.assertEqual(flaws(text)[0], (1, "a NUL byte; skipped"))

    def test_bytes_beyond_ascii_part_no_words_and_no_lines(self) -> None:
        """Letters of GBK hold bytes that are blanks or line ends elsewhere."""
        word = b"\x85\xa0\x1c\xb2\xff"
        certificates, _ = read_certificates(word + b" " + word + b" 3")
        kept = certificates[word.decode("latin-1")]
        self.assertEqual(kept.password, word.decode("latin-1"))
        self.assertEqual(kept.rating, Rating.STUDENT2)

    def test_words_are_folded_as_names_are(self) -> None:
        """What the reader keeps is what a logon will look for, for every byte."""
        for code in set(range(1, 256)) - set(b"\t\n\v\f\r ;#"):
            sign = bytes([code])
            certificates, _ = read_certificates(sign + b" " + sign + b" 1")
            folded = fold(sign.decode("latin-1"))
            self.assertEqual(certificates[folded].password, folded)

    def test_flaws_never_quote_a_line(self) -> None:
        """No password reaches the log by way of a slip."""
        text = b"1000001 geheim\n1000002 geheim x\n1000002 geheim 1\ngeheim"
        _, flawed_lines = read_certificates(text)
        self.assertEqual(len(flawed_lines), 4)
        self.assertNotIn("geheim", repr(flawed_lines))

    @given(st.binary(max_size=200))
    @settings(derandomize=True, deadline=None, database=None)
    def test_any_bytes_are_read(self, text: bytes) -> None:
        """Whatever is in the file, each line is an account, a flaw or nothing."""
        certificates, flawed_lines = read_certificates(text)
        self.assertLessEqual(len(certificates), len(text.splitlines()))
        for flawed in flawed_lines:
            self.assertIn(flawed.number, range(1, len(text.splitlines()) + 1))
        for cid in certificates:
            self.assertEqual(cid, fold(cid))


class CertFileAccountsTests(SynchronousTestCase):
    """The file is read at start, and again when it changes."""

    @override
    def setUp(self) -> None:
        """Make a service for a file that does not exist yet."""
        self.path = Path(self.mktemp())
        self.clock = Clock()
        self.accounts = CertFileAccounts(self.path, self.clock, INTERVAL)

    def start(self) -> list[str]:
        """Start the service; return what it logs as warnings."""
        self.addCleanup(self.stop)
        with capturedLogs() as events:
            self.accounts.startService()
        return [formatEvent(e) for e in events if e["log_level"] is LogLevel.warn]

    def stop(self) -> None:
        """Stop the service, if it runs."""
        if self.accounts.running:
            self.accounts.stopService()

    def check(self) -> list[str]:
        """Let the next check come; return what it logs, passwords or not."""
        with capturedLogs() as events:
            self.clock.advance(INTERVAL)
        return [formatEvent(event) for event in events]

    def assert_known(self, cid: str, password: str) -> None:
        """Check that a CID and a password are valid."""
        self.successResultOf(self.accounts.authenticate(cid, password))

    def assert_unknown(self, cid: str, password: str) -> None:
        """Check that a CID and a password are not valid."""
        deferred = self.accounts.authenticate(cid, password)
        self.failureResultOf(deferred, InvalidCredentials)

    def test_file_is_read_at_start(self) -> None:
        """Members can log on as soon as the service has started."""
        self.path.write_bytes(b"1 pw 1")
        self.assert_unknown("1", "pw")
        self.start()
        self.assert_known("1", "pw")

    def test_change_is_seen_at_the_next_check(self) -> None:
        """New accounts come, changed ones change, vanished ones go."""
        self.path.write_bytes(b"1 pw 1\n2 pw 1")
        self.start()
        self.path.write_bytes(b"2 changed 1\n3 pw 1\n")
        self.assert_known("1", "pw")
        log = self.check()
        self.assertEqual(log, [f"account file {self.path}: 2 accounts"])
        self.assert_unknown("1", "pw")
        self.assert_unknown("2", "pw")
        self.assert_known("2", "changed")
        self.assert_known("3", "pw")

    def test_another_file_in_its_place_is_seen(self) -> None:
        """A file of the same size and time, put in its place, is a change."""
        self.path.write_bytes(b"1 pw 1")
        os.utime(self.path, (1e9, 1e9))
        self.start()
        other = self.path.with_name(f"{self.path.name}.new")
        other.write_bytes(b"2 pw 1")
        os.utime(other, (1e9, 1e9))
        other.replace(self.path)
        self.check()
        self.assert_known("2", "pw")

    def test_unchanged_file_is_not_read_again(self) -> None:
        """Checks of a file that stays as it is leave no trace."""
        self.path.write_bytes(b"1 pw 1\nbad line")
        self.assertEqual(len(self.start()), 1)
        self.assertEqual(self.check(), [])
        self.assert_known("1", "pw")

    def test_flawed_line_is_told_by_its_number(self) -> None:
        """An operator reads which line to mend, and no password."""
        self.path.write_bytes(b"1 pw 1\n2 geheim\n3 geheim xy")
        self.assertEqual(
            self.start(),
            [
                f"account file {self.path}, line 2: fewer than three words; skipped",
                f"account file {self.path}, line 3: {NO_NUMBER} 0",
            ],
        )

    def test_many_flaws_do_not_flood_the_log(self) -> None:
        """A wrong file costs twenty-one lines of log, not thousands."""
        self.path.write_bytes(b"bad\n" * 5000)
        warnings = self.start()
        self.assertEqual(len(warnings), 21)
        self.assertEqual(
            warnings[-1], f"account file {self.path}: 4980 more lines with flaws"
        )

    def test_missing_file_is_told_once(self) -> None:
        """Without a file nobody is known; its coming is seen without a restart."""
        self.assertEqual(
            self.start(),
            [f"account file {self.path} {MISSING} 0 accounts {STAY}"],
        )
        self.assert_unknown("1", "pw")
        self.assertEqual(self.check(), [])
        self.path.write_bytes(b"1 pw 1")
        self.assertEqual(
            self.check(),
            [
                f"account file {self.path} can be read again",
                f"account file {self.path}: 1 accounts",
            ],
        )
        self.assert_known("1", "pw")

    def test_vanished_file_costs_nobody_his_account(self) -> None:
        """The last good accounts stay; that is told once, and its end too."""
        self.path.write_bytes(b"1 pw 1")
        self.start()
        away = self.path.rename(f"{self.path}.away")
        self.assertEqual(
            self.check(),
            [f"account file {self.path} {MISSING} 1 accounts {STAY}"],
        )
        self.assertEqual(self.check(), [])
        self.assert_known("1", "pw")
        away.rename(self.path)
        self.assertEqual(self.check(), [f"account file {self.path} can be read again"])

    def test_other_trouble_is_told_anew(self) -> None:
        """A folder where the file was missing is news to the operator."""
        self.start()
        self.path.mkdir()
        (line,) = self.check()
        self.assertIn("Is a directory", line)
        self.assertEqual(self.check(), [])

    def test_unforeseen_failure_ends_no_later_check(self) -> None:
        """A fault in one check is logged with its traceback; checks go on."""
        self.accounts = CertFileAccounts(Path("no\0path"), self.clock, INTERVAL)
        self.start()
        self.check()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_no_checks_after_stop(self) -> None:
        """A stopped service leaves no timer, and can be started again."""
        self.path.write_bytes(b"1 pw 1")
        for _ in range(2):
            self.start()
            self.accounts.stopService()
            self.assertEqual(self.clock.getDelayedCalls(), [])
        self.accounts.stopService()

    def test_name_finds_it_in_the_service_tree(self) -> None:
        """The manhole reaches it as ``accounts``."""
        root = MultiService()
        self.accounts.setServiceParent(root)
        self.assertIs(root.getServiceNamed("accounts"), self.accounts)

    def test_repr_tells_file_and_number(self) -> None:
        """One line for the manhole."""
        self.path.write_bytes(b"1 pw 1")
        self.start()
        self.assertEqual(
            repr(self.accounts), f"<CertFileAccounts {self.path}: 1 accounts>"
        )
