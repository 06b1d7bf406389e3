"""The classic account file, ``cert.txt``: read at start, and again when it changes.

An operator edits it with any editor while the server runs. So a slip in one line
costs that line only, and a file that is gone for a moment costs nobody his account.
Hashed passwords are not known to this format.

Source: docs/protocol.md, "Account file".
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.accounts.certificate import Certificate, prove
from rum_twisted.session.certificates import (
    MOST_LISTED,
    CertificateExists,
    CertificateRow,
    NoSuchCertificate,
    Operator,
    UnfitCertificate,
)
from rum_twisted.session.interfaces import (
    Account,
    IAccounts,
    ICertificates,
    InvalidCredentials,
)
from rum_twisted.terms.identity import Rating, fold
from rum_twisted.terms.units import Seconds

__all__ = ["CertFileAccounts", "FlawedLine", "read_certificates"]

_RATINGS: Final = {b"%d" % rating: rating for rating in Rating}
_RATING: Final = re.compile(rb"([+-]?)0*([0-9]+)")
_COMMENT_SIGNS: Final = (b";", b"#")
_COMMENTS: Final = (";", "#")  # the same, of text
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"  # some editors put it before the first CID
FLAWS_LOGGED: Final = 20  # a file that is no account file must not flood the log


@dataclass(frozen=True, slots=True)
class FlawedLine:
    """A line of the account file that its author surely meant otherwise."""

    number: int  # the first line is 1
    flaw: str  # what is wrong and what comes of it; never quotes the line


def _read_rating(word: bytes) -> tuple[Rating, bool]:
    """Read a rating as the original does, and tell whether it is nothing but one.

    Leading digits count; a word without any is 0, which suspends the account: of
    two readings of a slip, the one that lets nobody in. Numbers of any size are
    understood; above 12 counts as 12, below 0 as 0.
    """
    if word in _RATINGS:
        return _RATINGS[word], True
    match = _RATING.match(word)
    if match is None:
        return Rating.SUSPENDED, False
    sign, digits = match.groups()
    # Three digits, the first not 0, are above 12 already; more could be millions.
    number = 0 if sign == b"-" else int(digits[:3])
    return Rating(min(number, Rating.ADMINISTRATOR)), match.end() == len(word)


def read_certificates(
    text: bytes,
) -> tuple[dict[str, Certificate], tuple[FlawedLine, ...]]:
    """Read the text of an account file.

    One account a line: CID, password and rating, between blanks or tabs. Words after
    the third are ignored; so are empty lines, and lines whose first word begins with
    ``;`` or ``#``. Of two lines for one CID the later counts.

    Returns:
        the accounts by folded CID, and the lines that are skipped or doubtful.
    """
    certificates: dict[str, Certificate] = {}
    flaws: list[FlawedLine] = []
    # Lower case of bytes is `fold`: A to Z and no others. A quarter of the cost.
    lines = text.removeprefix(_BYTE_ORDER_MARK).lower().splitlines()
    for number, line in enumerate(lines, start=1):
        # Bytes split at ASCII blanks only: one of Latin-1 may be half a GBK letter.
        match line.split(None, 3):
            case []:
                pass
            case [cid, *_] if cid.startswith(_COMMENT_SIGNS):
                pass
            case _ if b"\0" in line:  # a file saved as UTF-16, as a rule
                flaws.append(FlawedLine(number, "a NUL byte; skipped"))
            case [cid, password, rating_word, *_]:
                key = cid.decode("latin-1")
                rating, is_number = _read_rating(rating_word)
                if not is_number:
                    flaw = f"the rating is no number; counts as {rating:d}"
                    flaws.append(FlawedLine(number, flaw))
                if key in certificates:
                    flaw = "its CID stands above already; this line counts"
                    flaws.append(FlawedLine(number, flaw))
                certificates[key] = Certificate(password.decode("latin-1"), rating)
            case _:
                flaws.append(FlawedLine(number, "fewer than three words; skipped"))
    return certificates, tuple(flaws)


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    """Return what differs when a file was written anew or put in another's place."""
    return status.st_mtime_ns, status.st_size, status.st_ino


@implementer(IAccounts, ICertificates)
class CertFileAccounts(Service):
    """The accounts of a ``cert.txt``.

    Invariant: the accounts are those of the last reading that succeeded, with what an
    operator has changed since; none before the first. Clients who are online are not
    touched by a change. The file is never written.

    Args:
        path: the account file; it need not exist yet.
        clock: tells when to look.
        check_interval: how often to look whether the file has changed, in seconds.
    """

    log = Logger()
    name = "accounts"
    is_permanent = False  # the file is read again when somebody edits it

    def __init__(
        self, path: Path, clock: IReactorTime, check_interval: Seconds
    ) -> None:
        self._path = path
        self._clock = clock
        self._check_interval = check_interval
        self._certificates: dict[str, Certificate] = {}
        self._stamp: tuple[int, int, int] | None = None  # of the last reading
        self._trouble = ""  # why the file cannot be read now, as logged
        self._checks: LoopingCall | None = None

    @override
    def __repr__(self) -> str:
        count = len(self._certificates)
        return f"<CertFileAccounts {self._path}: {count} accounts>"

    @override
    def startService(self) -> None:
        """Read the file, and look at it from now on."""
        super().startService()
        self._checks = LoopingCall(self._check)
        self._checks.clock = self._clock
        finished = self._checks.start(self._check_interval)
        finished.addErrback(
            lambda reason: self.log.failure("account file: checks ended", reason)
        )

    @override
    def stopService(self) -> None:
        """Look no more; the accounts stay known."""
        super().stopService()
        if self._checks is not None:
            self._checks.stop()
            self._checks = None

    def authenticate(
        self, cid: str, password: str, address: str = ""
    ) -> Deferred[Account]:
        """Check a password; see `IAccounts`. The answer comes at once."""
        try:
            return succeed(prove(self._certificates, cid, password))
        except InvalidCredentials as error:
            return fail(error)

    # What an operator may do.

    def count(self) -> Deferred[int]:
        """Tell how many accounts there are; see `ICertificates`."""
        return succeed(len(self._certificates))

    def matching(self, text: str) -> Deferred[Sequence[CertificateRow]]:
        """List accounts; see `ICertificates`. Their CIDs are kept in lower case."""
        wanted = fold(text)
        rows = (
            CertificateRow(cid=cid, rating=self._certificates[cid].rating)
            for cid in sorted(self._certificates)
            if wanted in cid
        )
        return succeed(tuple(islice(rows, MOST_LISTED)))

    def add(
        self, cid: str, password: str, rating: Rating, operator: Operator
    ) -> Deferred[None]:
        """Make an account, until the file is read again; see `ICertificates`."""
        # Loaded by an operator who does this, and for nobody else.
        from rum_twisted.accounts.member import is_possible_cid  # noqa: PLC0415

        if not is_possible_cid(cid):
            return fail(UnfitCertificate("a CID is one word without a colon"))
        if cid.startswith(_COMMENTS):
            # It could not be written into the file.
            return fail(UnfitCertificate("a CID begins with neither ; nor #"))
        if fold(cid) in self._certificates:
            return fail(CertificateExists(cid))
        self._certificates[fold(cid)] = Certificate.of(password, rating)
        return succeed(None)

    def modify(self, cid: str, rating: Rating, operator: Operator) -> Deferred[None]:
        """Change a rating, until the file is read again; see `ICertificates`."""
        certificate = self._certificates.get(fold(cid))
        if certificate is None:
            return fail(NoSuchCertificate(cid))
        self._certificates[fold(cid)] = replace(certificate, rating=rating)
        return succeed(None)

    def delete(self, cid: str, operator: Operator) -> Deferred[None]:
        """Take an account away, until the file is read again; see `ICertificates`."""
        if self._certificates.pop(fold(cid), None) is None:
            return fail(NoSuchCertificate(cid))
        return succeed(None)

    def _check(self) -> None:
        """Read the file if it has changed; whatever happens, checks go on."""
        try:
            text = self._changed_text()
            self._end_trouble()
            if text is not None:
                self._take_up(text)
        except OSError as error:
            self._log_trouble(error)
        except Exception:  # noqa: BLE001 - one bad check must not end all later ones
            self.log.failure("account file {path}: not read", path=self._path)

    def _changed_text(self) -> bytes | None:
        """Return the text of the file, or ``None`` while it is the one last read."""
        if _stamp(self._path.stat()) == self._stamp:
            return None
        with self._path.open("rb") as file:
            # Taken before reading: a change that comes meanwhile is seen next time.
            stamp = _stamp(os.fstat(file.fileno()))
            text = file.read()
        self._stamp = stamp
        return text

    def _take_up(self, text: bytes) -> None:
        self._certificates, flaws = read_certificates(text)
        for flawed in flaws[:FLAWS_LOGGED]:
            self.log.warn(
                "account file {path}, line {line}: {flaw}",
                path=self._path,
                line=flawed.number,
                flaw=flawed.flaw,
            )
        if len(flaws) > FLAWS_LOGGED:
            self.log.warn(
                "account file {path}: {count} more lines with flaws",
                path=self._path,
                count=len(flaws) - FLAWS_LOGGED,
            )
        self.log.info(
            "account file {path}: {accounts} accounts",
            path=self._path,
            accounts=len(self._certificates),
        )

    def _log_trouble(self, error: OSError) -> None:
        """Tell the operator once, however often the same trouble is met."""
        trouble = error.strerror or str(error)
        if trouble == self._trouble:
            return
        self._trouble = trouble
        self.log.warn(
            "account file {path} cannot be read: {trouble}; {accounts} accounts"
            " read earlier stay valid",
            path=self._path,
            trouble=trouble,
            accounts=len(self._certificates),
        )

    def _end_trouble(self) -> None:
        if self._trouble:
            self._trouble = ""
            self.log.info("account file {path} can be read again", path=self._path)
