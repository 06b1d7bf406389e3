"""How passwords are kept, and what a check of one finds."""

import hashlib

import bcrypt
from argon2 import PasswordHasher, Type
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.passwords import (
    LONGEST_PASSWORD,
    Argon2Parameters,
    Hasher,
    Scheme,
    UnfitPassword,
    UnknownScheme,
    Verdict,
    scheme_of,
)

CHEAP = Argon2Parameters(memory=8, passes=1)  # a test needs no strength
RIGHT = Verdict(ok=True)
OLD = Verdict(ok=True, needs_upgrade=True)
WRONG = Verdict(ok=False)
GREEK_IN_GBK = b"\xa6\xc1\xa6\xe1".decode("latin-1")


def sha256(password: str) -> str:
    """Return a password as pyfsd's members bring it."""
    return "sha256$" + hashlib.sha256(password.encode("latin-1")).hexdigest()


def bcrypted(password: bytes, cost: int = 4) -> str:
    """Return a password as members of most web sites bring it."""
    return bcrypt.hashpw(password[:72], bcrypt.gensalt(cost)).decode()


class CountingHasher(Hasher):
    """Counts how often a refusal is given the length of a whole hash."""

    def __init__(self) -> None:
        super().__init__(CHEAP)
        self.refusals = 0

    @override
    def _refuse(self) -> Verdict:
        self.refusals += 1
        return super()._refuse()


class ParametersTests(SynchronousTestCase):
    """What a hash may cost."""

    def test_defaults_are_those_of_a_small_server(self) -> None:
        """Nine MiB and four passes: an equal of OWASP's other choices."""
        self.assertEqual(
            Argon2Parameters(), Argon2Parameters(memory=9216, passes=4, lanes=1)
        )

    def test_bounds(self) -> None:
        """At each bound parameters are taken; one past it they are refused."""
        Argon2Parameters(memory=131072, passes=32, lanes=16)
        Argon2Parameters(memory=8, passes=1, lanes=1)
        for numbers in (
            (131073, 4, 1),
            (7, 4, 1),
            (9216, 33, 1),
            (9216, 0, 1),
            (9216, 4, 17),
            (9216, 4, 0),
            (15, 4, 2),  # RFC 9106: 8 KiB for each lane
        ):
            memory, passes, lanes = numbers
            with self.assertRaises(ValueError):
                Argon2Parameters(memory=memory, passes=passes, lanes=lanes)


class HashTests(SynchronousTestCase):
    """Making a hash."""

    @override
    def setUp(self) -> None:
        """Make a cheap hasher."""
        self.hasher = Hasher(CHEAP)

    def test_hash_tells_its_scheme_and_cost(self) -> None:
        """A new hash is argon2id with the parameters that were asked for."""
        made = Hasher(Argon2Parameters(memory=16, passes=2)).hash("pw01")
        self.assertTrue(made.startswith("$argon2id$v=19$m=16,t=2,p=1$"), made)
        self.assertIs(scheme_of(made), Scheme.ARGON2ID)

    def test_two_members_with_one_password_have_two_hashes(self) -> None:
        """A stolen table does not tell who shares a password."""
        self.assertNotEqual(self.hasher.hash("pw01"), self.hasher.hash("pw01"))

    def test_password_that_nobody_can_send_is_refused(self) -> None:
        """Empty, with a colon or control code, beyond a byte: nobody could log on."""
        for password, reason in (
            ("", "empty"),
            ("a:b", "colon"),
            ("a\r", "control"),
            ("\0", "control"),
            ("a\x7f", "control"),
            ("密码", "Latin-1"),
        ):
            with self.assertRaisesRegex(UnfitPassword, reason):
                self.hasher.hash(password)

    def test_length_has_a_bound(self) -> None:
        """A password of 256 bytes is taken, one of 257 is not."""
        longest = "é" * LONGEST_PASSWORD
        self.assertEqual(self.hasher.verify(self.hasher.hash(longest), longest), RIGHT)
        with self.assertRaisesRegex(UnfitPassword, "257 bytes: at most 256"):
            self.hasher.hash(longest + "é")


class VerifyTests(SynchronousTestCase):
    """Checking a password against each kind of hash."""

    @override
    def setUp(self) -> None:
        """Make a cheap hasher that counts."""
        self.hasher = CountingHasher()

    def test_hash_of_today_is_right_and_stays(self) -> None:
        """The right password proves itself, and its hash needs no other."""
        stored = self.hasher.hash("pw01")
        self.assertEqual(self.hasher.verify(stored, "pw01"), RIGHT)
        for wrong in ("pw02", "PW01", "pw0", "pw011", " pw01", ""):
            self.assertEqual(self.hasher.verify(stored, wrong), WRONG)

    def test_older_kinds_are_right_and_renewed(self) -> None:
        """Members of other servers bring their passwords, in whatever form."""
        for stored in (
            "plain$pw01",
            sha256("pw01"),
            sha256("pw01").upper().replace("SHA", "sha"),
            bcrypted(b"pw01"),
            bcrypted(b"pw01").replace("$2b$", "$2a$"),
            bcrypted(b"pw01").replace("$2b$", "$2y$"),
            Hasher(Argon2Parameters(memory=16, passes=1)).hash("pw01"),
            PasswordHasher(1, 8, 1, hash_len=16).hash("pw01"),
        ):
            self.assertEqual(self.hasher.verify(stored, "pw01"), OLD, stored)
            for wrong in ("pw02", "PW01", "pw0", "pw011", ""):
                self.assertEqual(self.hasher.verify(stored, wrong), WRONG, stored)

    def test_bytes_beyond_ascii_count_as_they_came(self) -> None:
        """A password in GBK is proved by its bytes, in every form."""
        raw = GREEK_IN_GBK.encode("latin-1")
        for stored in (
            self.hasher.hash(GREEK_IN_GBK),
            "plain$" + GREEK_IN_GBK,
            sha256(GREEK_IN_GBK),
            bcrypted(raw),
        ):
            self.assertTrue(self.hasher.verify(stored, GREEK_IN_GBK).ok)
            other = GREEK_IN_GBK.replace("á", "Á")
            self.assertEqual(self.hasher.verify(stored, other), WRONG)

    def test_bcrypt_looks_at_72_bytes(self) -> None:
        """What stands behind them never counted where the hash comes from."""
        stored = bcrypted(b"x" * 80)
        self.assertEqual(self.hasher.verify(stored, "x" * 80), OLD)
        self.assertEqual(self.hasher.verify(stored, "x" * 72 + "yyyyyyyy"), OLD)
        self.assertEqual(self.hasher.verify(stored, "x" * 71), WRONG)

    def test_known_hashes_of_others(self) -> None:
        """Hashes that were made elsewhere, long ago, are understood."""
        for stored, password in (
            # The first vector of crypt_blowfish, which PHP and Linux took over.
            ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
            # FIPS 180-4, appendix B.1 of its predecessor.
            (
                "sha256$ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "abc",
            ),
        ):
            self.assertEqual(self.hasher.verify(stored, password), OLD)

    def test_unknown_cid_is_refused(self) -> None:
        """For a CID that nobody has, no password is right."""
        for password in ("pw01", "", "\0", "密码", "x" * 5000):
            self.assertEqual(self.hasher.verify(None, password), WRONG)

    def test_what_is_no_hash_is_right_for_nobody(self) -> None:
        """A damaged hash, or none, lets no one in, and raises nothing."""
        ours = self.hasher.hash("pw01")
        theirs = bcrypted(b"pw01")
        for stored in (
            "",
            "pw01",
            "plain$",
            "sha256$",
            "sha256$" + "g" * 64,
            sha256("pw01")[:-1],
            "$argon2id$",
            ours[:-30],
            ours.replace("m=8", "m=9999999"),
            ours.replace("t=1", "t=99999"),
            ours.replace("$argon2id$", "$argon2i$"),
            ours[:-1] + "!",
            ours[:-1] + "B",
            theirs[:-1],
            theirs[:-1] + "!",
            theirs.replace("$04$", "$03$"),
            theirs.replace("$04$", "$31$"),
            theirs.replace("$2b$", "$2x$"),
            "$1$salt$hash",
            "\0",
            "é" * 60,
        ):
            self.assertEqual(self.hasher.verify(stored, "pw01"), WRONG, stored)

    def test_cheap_refusals_cost_a_whole_hash(self) -> None:
        """Neither an unknown CID nor an old hash is told by a quick refusal."""
        for stored in (None, "", "nonsense", "plain$pw01", sha256("pw01")):
            before = self.hasher.refusals
            self.hasher.verify(stored, "wrong")
            self.assertEqual(self.hasher.refusals, before + 1, stored)
        before = self.hasher.refusals
        self.hasher.verify(bcrypted(b"pw01", 4), "wrong")
        self.hasher.verify(self.hasher.hash("pw01"), "x" * 5000)
        self.assertEqual(self.hasher.refusals, before + 2)

    def test_costly_refusals_are_not_made_longer(self) -> None:
        """A check that costs as much as ours stands for itself."""
        self.hasher.verify(self.hasher.hash("pw01"), "wrong")
        self.hasher.verify(bcrypted(b"pw01", 9), "wrong")
        self.assertEqual(self.hasher.refusals, 0)

    def test_right_password_costs_its_own_check_only(self) -> None:
        """Who is let in has no reason to wait."""
        for stored in ("plain$pw01", sha256("pw01"), self.hasher.hash("pw01")):
            self.assertTrue(self.hasher.verify(stored, "pw01").ok)
        self.assertEqual(self.hasher.refusals, 0)

    @settings(max_examples=200)
    @given(st.text(max_size=300), st.text(max_size=300))
    def test_nothing_that_is_typed_or_stored_breaks_a_check(
        self, stored: str, password: str
    ) -> None:
        """Whatever stands in the table, and whatever came: right or wrong."""
        found = self.hasher.verify(stored, password)
        is_right = stored == f"plain${password}" and bool(password)
        self.assertTrue(found == WRONG or is_right)

    @settings(max_examples=50)
    @given(
        st.text(
            st.characters(
                min_codepoint=33, max_codepoint=255, exclude_characters=":\x7f"
            ),
            min_size=1,
            max_size=80,
        )
    )
    def test_every_password_that_can_be_sent_proves_itself(self, password: str) -> None:
        """In every form that it may be kept in."""
        for stored in (
            self.hasher.hash(password),
            "plain$" + password,
            sha256(password),
            bcrypted(password.encode("latin-1")),
        ):
            self.assertTrue(self.hasher.verify(stored, password).ok)


class SchemeTests(SynchronousTestCase):
    """What an import may take."""

    def test_schemes_are_told_by_their_beginning(self) -> None:
        """Each form is known by its first signs."""
        for stored, scheme in (
            (Hasher(CHEAP).hash("pw01"), Scheme.ARGON2ID),
            (bcrypted(b"pw01"), Scheme.BCRYPT),
            (sha256("pw01"), Scheme.SHA256),
            ("plain$pw01", Scheme.PLAIN),
        ):
            self.assertIs(scheme_of(stored), scheme)

    def test_what_cannot_be_checked_is_told_and_not_quoted(self) -> None:
        """An operator reads what is wrong; the hash itself stays out of his log."""
        ours = Hasher(CHEAP).hash("pw01")
        for stored, reason in (
            ("secret", "no hash of argon2id, bcrypt"),
            ("plain$se:cret", "colon"),
            ("plain$", "empty"),
            ("sha256$secret", "64 hexadecimal"),
            (bcrypted(b"secret").replace("$04$", "$16$"), "cost 16: 4 to 15"),
            ("$2b$secret", "damaged hash of bcrypt"),
            (ours.replace("m=8,", "m=200000,"), "memory 200000: due are 8 to 131072"),
            ("$argon2id$secret", "damaged hash of argon2id"),
            (
                PasswordHasher(1, 8, 1, type=Type.I).hash("secret"),
                "no hash of argon2id",
            ),
        ):
            with self.assertRaisesRegex(UnknownScheme, reason) as caught:
                scheme_of(stored)
            self.assertNotIn("secret", str(caught.exception))
