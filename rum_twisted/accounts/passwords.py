"""How passwords are kept: as hashes that say by which scheme they were made.

A new hash is argon2id. Hashes and passwords that other servers kept are understood as
they come, so that members move without a new password; the first logon with the right
one tells that a new hash is due.

A hash is one text. Its beginning names the scheme:

===============  =========================================================
``$argon2id$``   argon2id, as every argon2 library writes it
``$2a$``         bcrypt; so are ``$2b$`` and ``$2y$``
``sha256$``      SHA-256 of the password, 64 hexadecimal digits, no salt
``plain$``       the password itself
===============  =========================================================

A password is what came over the wire, decoded as Latin-1; its bytes are what is
hashed. Nothing is folded: upper and lower case count, whatever the scheme.

Whether a CID exists shall not be told by the time that a refusal takes. So a wrong
password costs one argon2id hash at least: for a CID that nobody has, and on top of the
check where the scheme is cheaper. What costs more than that (bcrypt of a high cost) is
hidden by `rum_twisted.accounts.guarded`, which lets refusals leave in steps.

Everything here takes its time and blocks: see `rum_twisted.accounts.hashing`.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from enum import Enum
from hmac import compare_digest
from threading import Lock
from typing import Final

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import HashingError, VerificationError, VerifyMismatchError
from argon2.low_level import ARGON2_VERSION, error_to_str
from typing_extensions import override

__all__ = [
    "LONGEST_PASSWORD",
    "Argon2Parameters",
    "Hasher",
    "Scheme",
    "UnfitPassword",
    "UnknownScheme",
    "Verdict",
    "scheme_of",
]

LONGEST_PASSWORD: Final = 256  # bytes; a logon line has room for not many more

_BCRYPT_LENGTH: Final = 72  # bytes that bcrypt looks at, here as where it came from
# What one password may cost, whatever a stored hash asks for: 2 s, 128 MiB.
_BCRYPT_COSTS: Final = range(4, 16)
_ARGON2_MEMORY: Final = range(8, (128 << 10) + 1)  # KiB
_ARGON2_PASSES: Final = range(1, 33)
_ARGON2_LANES: Final = range(1, 17)
_BCRYPT_CHEAP: Final = 9  # costs below take less than one hash of argon2id
_SALT_LENGTH: Final = 16  # bytes; RFC 9106, section 4
_HASH_LENGTH: Final = 32

_NO_MEMORY: Final = error_to_str(-22)  # ARGON2_MEMORY_ALLOCATION_ERROR in argon2.h

_ARGON2: Final = re.compile(
    r"\$argon2id\$v=(?:16|19)\$m=([0-9]{1,10}),t=([0-9]{1,10}),p=([0-9]{1,8})"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}"  # 8 to 64 and 16 to 64 bytes
)
_BCRYPT: Final = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_SHA256: Final = re.compile(r"[0-9A-Fa-f]{64}")
_UNSENDABLE: Final = re.compile(r"[\x00-\x1f:\x7f]")  # ends a field or a line


class Scheme(Enum):
    """A way to keep a password; the value is how its hashes begin."""

    ARGON2ID = "$argon2id$"
    BCRYPT = "$2"
    SHA256 = "sha256$"
    PLAIN = "plain$"


class UnknownScheme(ValueError):
    """A text is no hash that can be checked here; the message says why not."""


class UnfitPassword(ValueError):
    """Nobody could log on with such a password; the message says why not."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check has shown."""

    ok: bool  # the password is right
    needs_upgrade: bool = False  # and it should be hashed anew


_WRONG: Final = Verdict(ok=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Argon2Parameters:
    """What one argon2id hash costs.

    The defaults are one of OWASP's equal choices, that which fits a small server: some
    20 ms, and 9 MiB of its 64.

    Source: OWASP Password Storage Cheat Sheet, "Argon2id"; RFC 9106, section 3.1.
    """

    memory: int = 9216  # KiB
    passes: int = 4
    lanes: int = 1

    def __post_init__(self) -> None:
        """Check that the library takes them, and that we would check such a hash.

        Raises:
            ValueError: a number is out of its range.
        """
        for name, allowed in (
            ("memory", _ARGON2_MEMORY),
            ("passes", _ARGON2_PASSES),
            ("lanes", _ARGON2_LANES),
        ):
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(
                    f"argon2id {name} {value}: due are {allowed[0]} to {allowed[-1]}"
                )
        if self.memory < 8 * self.lanes:
            raise ValueError(
                f"argon2id memory {self.memory}: due are 8 KiB for each lane"
            )

    @property
    def work(self) -> int:
        """How much a hash computes, in KiB filled; comparable between parameters."""
        return self.memory * self.passes


def scheme_of(stored: str) -> Scheme:
    """Tell by which scheme a hash was made, and that it can be checked.

    Args:
        stored: the whole hash.

    Raises:
        UnknownScheme: it is of another scheme, damaged, or so costly that checking
            it would hold the server up. The message does not quote it.
    """
    for scheme, check in _CHECKS.items():
        if stored.startswith(scheme.value):
            check(stored)
            return scheme
    raise UnknownScheme("no hash of argon2id, bcrypt, sha256$ or plain$")


class Hasher:
    """Makes hashes and checks passwords; for any thread, as many as there are.

    Args:
        parameters: of new hashes. Older ones with others are checked, and renewed.

    Invariant: of hashes that fill more memory than ``parameters`` say, one is checked
    at a time, however many threads there are.
    """

    def __init__(self, parameters: Argon2Parameters | None = None) -> None:
        self.parameters = parameters or Argon2Parameters()
        self._argon2 = PasswordHasher(
            time_cost=self.parameters.passes,
            memory_cost=self.parameters.memory,
            parallelism=self.parameters.lanes,
            hash_len=_HASH_LENGTH,
            salt_len=_SALT_LENGTH,
        )
        self._decoy = _decoy(self.parameters)
        self._large = Lock()

    @override
    def __repr__(self) -> str:
        return f"<Hasher: {self.parameters}>"

    def hash(self, password: str) -> str:
        """Return a new hash of a password, as its owner will send it.

        Raises:
            UnfitPassword: nobody could log on with it: it is empty, too long, or has
                signs that FSD cannot carry.
            MemoryError: there is not enough memory for a hash.
        """
        sent = _sendable(password)
        try:
            return self._argon2.hash(sent)
        except HashingError as error:
            _tell_want_of_memory(error)
            raise

    def verify(self, stored: str | None, password: str) -> Verdict:
        """Check a password, whatever is stored and typed.

        Args:
            stored: the hash; ``None`` where nobody has the CID. What is no hash, and
                the empty text of a member without a password, is right for no one.
            password: as it came over the wire.

        Raises:
            MemoryError: there is not enough memory for a hash.
        """
        try:
            typed = _sendable(password)
        except UnfitPassword:
            return self._refuse()
        try:
            scheme = scheme_of(stored or "")
        except UnknownScheme:
            return self._refuse()
        assert stored is not None
        match scheme:
            case Scheme.ARGON2ID:
                return self._verify_argon2(stored, typed)
            case Scheme.BCRYPT:
                matches = _matches_bcrypt(stored, typed)
                cheap = int(stored[4:6]) < _BCRYPT_CHEAP
            case Scheme.SHA256:
                digest = hashlib.sha256(typed).hexdigest()
                matches = compare_digest(digest, _rest(stored, scheme).lower())
                cheap = True
            case Scheme.PLAIN:
                kept = _rest(stored, scheme).encode("latin-1", "replace")
                matches = compare_digest(typed, kept)
                cheap = True
        if matches:
            return Verdict(ok=True, needs_upgrade=True)
        return self._refuse() if cheap else _WRONG

    def _verify_argon2(self, stored: str, typed: bytes) -> Verdict:
        """Check a password against a hash of argon2id, ours or another's."""
        found = _argon2_parameters(stored)
        is_large = found.memory > self.parameters.memory
        turn: AbstractContextManager[object] = (
            self._large if is_large else nullcontext()
        )
        try:
            with turn:
                self._argon2.verify(stored, typed)
        except VerifyMismatchError:
            return self._refuse() if found.work * 2 < self.parameters.work else _WRONG
        except VerificationError as error:
            _tell_want_of_memory(error)
            return self._refuse()  # a letter of it is wrong in a way no rule above sees
        return Verdict(ok=True, needs_upgrade=self._argon2.check_needs_rehash(stored))

    def _refuse(self) -> Verdict:
        """Take as long as the check of a hash of ours takes."""
        try:
            self._argon2.verify(self._decoy, b"")
        except VerificationError as error:
            _tell_want_of_memory(error)
        return _WRONG


def _sendable(password: str) -> bytes:
    """Return the bytes that a password has on the wire.

    Raises:
        UnfitPassword: it cannot be there.
    """
    try:
        typed = password.encode("latin-1")
    except UnicodeEncodeError:
        raise UnfitPassword(
            "a password is given as its bytes on the wire, decoded as Latin-1"
        ) from None
    if not typed:
        raise UnfitPassword("the password is empty")
    if len(typed) > LONGEST_PASSWORD:
        raise UnfitPassword(
            f"the password has {len(typed)} bytes: at most {LONGEST_PASSWORD} are due"
        )
    if _UNSENDABLE.search(password):
        raise UnfitPassword("FSD cannot carry a colon or a control code")
    return typed


def _decoy(parameters: Argon2Parameters) -> str:
    """Return the hash of no password, which costs what a hash of ours costs."""
    salt, digest = (
        b64encode(bytes(length)).rstrip(b"=").decode()
        for length in (_SALT_LENGTH, _HASH_LENGTH)
    )
    cost = f"m={parameters.memory},t={parameters.passes},p={parameters.lanes}"
    return f"{Scheme.ARGON2ID.value}v={ARGON2_VERSION}${cost}${salt}${digest}"


def _rest(stored: str, scheme: Scheme) -> str:
    return stored.removeprefix(scheme.value)


def _tell_want_of_memory(error: Exception) -> None:
    """Tell a machine without memory from a password that is wrong.

    Raises:
        MemoryError: that is what ``error`` says.
    """
    if str(error) == _NO_MEMORY:
        raise MemoryError("no memory for a hash of argon2id") from error


def _matches_bcrypt(stored: str, typed: bytes) -> bool:
    """Compare as bcrypt's users do: what stands after 72 bytes does not count."""
    with suppress(ValueError):  # a letter that the pattern allows and bcrypt does not
        return bcrypt.checkpw(typed[:_BCRYPT_LENGTH], stored.encode())
    return False


def _argon2_parameters(stored: str) -> Argon2Parameters:
    """Read what a hash costs.

    Raises:
        UnknownScheme: it is damaged, or it costs too much.
    """
    match = _ARGON2.fullmatch(stored)
    if match is None:
        raise UnknownScheme("a damaged hash of argon2id")
    memory, passes, lanes = (int(word) for word in match.groups())
    try:
        return Argon2Parameters(memory=memory, passes=passes, lanes=lanes)
    except ValueError as error:
        raise UnknownScheme(str(error)) from None


def _check_argon2(stored: str) -> None:
    _argon2_parameters(stored)


def _check_bcrypt(stored: str) -> None:
    match = _BCRYPT.fullmatch(stored)
    if match is None:
        raise UnknownScheme("a damaged hash of bcrypt")
    if int(match[1]) not in _BCRYPT_COSTS:
        raise UnknownScheme(
            f"bcrypt of cost {match[1]}: {_BCRYPT_COSTS[0]} to {_BCRYPT_COSTS[-1]} "
            "are due"
        )


def _check_sha256(stored: str) -> None:
    if not _SHA256.fullmatch(_rest(stored, Scheme.SHA256)):
        raise UnknownScheme("sha256$ without 64 hexadecimal digits")


def _check_plain(stored: str) -> None:
    try:
        _sendable(_rest(stored, Scheme.PLAIN))
    except UnfitPassword as error:
        raise UnknownScheme(f"plain$: {error}") from None


_CHECKS: Final[Mapping[Scheme, Callable[[str], None]]] = {
    Scheme.ARGON2ID: _check_argon2,
    Scheme.BCRYPT: _check_bcrypt,
    Scheme.SHA256: _check_sha256,
    Scheme.PLAIN: _check_plain,
}
