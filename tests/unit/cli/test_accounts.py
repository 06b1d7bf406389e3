"""``rumctl account``: one member at a time."""

import json

from typing_extensions import override

from rum_twisted.accounts.member import Restriction, RestrictionKind
from rum_twisted.accounts.passwords import Hasher
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.permissions import Permission
from tests.unit.cli.builders import NOW, CommandTestCase, member

PASSWORD = "hunter22"
CID = "1000001"


class AddTests(CommandTestCase):
    """Registering somebody."""

    def test_a_member_can_log_on_then(self) -> None:
        """With the password that stood on standard input, and no other."""
        self.assert_done(
            self.rumctl(
                *("account", "add", CID, "--rating", "student2", "--name", "Zoë"),
                *("--email", "zoe@example.org", "--notes", "x", "--pilot-rating", "3"),
                *("--permit", "kick", "--permit", "notices", "--password-stdin"),
                typed=f"{PASSWORD}\n",
            ),
            "1000001 is registered, rating 3 student2",
        )
        kept = self.kept()
        assert kept is not None
        self.assertTrue(Hasher().verify(kept.password_hash, PASSWORD).ok)
        self.assertFalse(Hasher().verify(kept.password_hash, "hunter2").ok)
        self.assertEqual((kept.name, kept.email), ("Zoë", "zoe@example.org"))
        self.assertEqual((kept.rating, kept.pilot_rating), (Rating.STUDENT2, 3))
        self.assertEqual(kept.permissions, {Permission.KICK, Permission.NOTICES})
        self.assertEqual((kept.notes, kept.created), ("x", NOW))

    def test_the_audit_log_has_it(self) -> None:
        """Who, what, whom, when and from where."""
        self.rumctl("account", "add", CID, "--generate")
        entry = self.noted()
        self.assertEqual((entry.act, entry.whom, entry.at), ("add", CID, NOW))
        self.assertTrue(entry.by.name)
        self.assertTrue(entry.by.address)

    def test_a_generated_password_is_shown_once(self) -> None:
        """And it is the one that is good."""
        answer = self.answer("account", "add", CID, "--generate")
        kept = self.kept()
        assert kept is not None
        password = answer["generated_password"]
        self.assertTrue(Hasher().verify(kept.password_hash, password).ok)
        self.assertNotIn(password, self.rumctl("account", "show", CID).output)

    def test_a_typed_password_is_never_shown(self) -> None:
        """Neither in text nor in JSON."""
        for cid, form in (("1", []), ("2", ["--json"])):
            result = self.rumctl(
                "account", "add", cid, "--password-stdin", *form, typed=PASSWORD
            )
            self.assertEqual(result.exit_code, 0)
            self.assertNotIn(PASSWORD, result.output)
            self.assertNotIn("$argon2", result.output)

    def test_a_cid_is_given_once(self) -> None:
        """In whatever case."""
        self.register(member("abc"))
        for dry_run in ([], ["--dry-run"]):
            self.assert_refused(
                self.rumctl("account", "add", "ABC", "--generate", *dry_run),
                "is registered already",
            )

    def test_a_dry_run_registers_nobody(self) -> None:
        """It tells what would be done."""
        self.assert_done(
            self.rumctl("account", "add", CID, "--generate", "--dry-run"),
            "dry run: 1000001 is registered",
        )
        self.assertIsNone(self.kept())

    def test_what_does_not_fit_is_a_mistake_of_the_command_line(self) -> None:
        """Exit code 2, and what was due."""
        for arguments, why in (
            (("a:b",), "without blanks, colons"),
            ((CID, "--rating", "13"), "12 administrator"),
            ((CID, "--permit", "fly"), "kick"),
            ((CID, "--name", "a\x1bb"), "control sign"),
            ((CID, "--name", "\udcff"), "is not UTF-8 text"),
            ((CID, "--notes", "a\n\udcff"), "is not UTF-8 text"),
            ((CID, "--name", "x" * 201), "at most 200"),
            ((CID, "--pilot-rating", "-1"), "pilot-rating"),
            ((CID, "--password-stdin"), "exclude each other"),
        ):
            result = self.rumctl("account", "add", *arguments, "--generate")
            self.assert_refused(result, why, code=2)

    def test_a_password_that_fsd_cannot_carry(self) -> None:
        """Better told now than at the logon."""
        for typed, why in (("a:b", "colon"), ("", "empty"), ("x" * 999, "256")):
            result = self.rumctl("account", "add", CID, "--password-stdin", typed=typed)
            self.assert_refused(result, "not taken", why)

    def test_a_password_that_is_no_text(self) -> None:
        """A sentence says so, in any locale; but of a long one, that it is long."""
        for typed, why in (
            ("M\u00fcller".encode("latin-1"), "is not UTF-8 text"),
            ("\u5bc6\u7801".encode("gbk") + b"\n", "is not UTF-8 text"),
            (b"\xff" * 256, "is not UTF-8 text"),
            ("\u5bc6".encode() * 99, "at most 256"),
        ):
            result = self.rumctl("account", "add", CID, "--password-stdin", typed=typed)
            self.assert_refused(result, why)
        self.assertIsNone(self.kept())

    def test_without_a_terminal_nothing_is_asked(self) -> None:
        """A script is told what it has to say."""
        self.assert_refused(self.rumctl("account", "add", CID), "--password-stdin")

    def test_a_password_in_another_script(self) -> None:
        """Its bytes are what a client that sends UTF-8 sends."""
        self.rumctl("account", "add", CID, "--password-stdin", typed="密码\r\n")
        kept = self.kept()
        assert kept is not None
        sent = "密码".encode().decode("latin-1")
        self.assertTrue(Hasher().verify(kept.password_hash, sent).ok)


class ChangeTests(CommandTestCase):
    """Changing somebody."""

    @override
    def setUp(self) -> None:
        """Register one."""
        super().setUp()
        self.register(member(name="Before"))

    def test_a_rating(self) -> None:
        """By number or by name; what it was is told."""
        self.assert_done(
            self.rumctl("account", "rating", CID, "SUPERVISOR"),
            "rating: 3 student2 -> 11 supervisor",
        )
        kept = self.kept()
        assert kept is not None
        self.assertEqual(kept.rating, Rating.SUPERVISOR)
        self.assertEqual(self.noted().detail, "rating 3 to 11")

    def test_what_is_so_already_is_no_act(self) -> None:
        """The audit log is not filled by it."""
        before = self.noted()
        self.assert_done(self.rumctl("account", "rating", CID, "3"), "is so already")
        self.assertEqual(self.noted(), before)

    def test_particulars(self) -> None:
        """Those that are named, and no others."""
        self.assert_done(
            self.rumctl("account", "edit", CID, "--email", "a@example.org")
        )
        kept = self.kept()
        assert kept is not None
        self.assertEqual((kept.name, kept.email), ("Before", "a@example.org"))
        self.assert_done(self.rumctl("account", "edit", CID, "--name", ""))
        kept = self.kept()
        assert kept is not None
        self.assertEqual(kept.name, "")
        self.assert_refused(self.rumctl("account", "edit", CID), "nothing", code=2)

    def test_permissions_are_added_and_withdrawn(self) -> None:
        """One leaves the others alone."""
        self.rumctl("account", "permit", CID, "kick", "notices")
        self.rumctl("account", "permit", CID, "accounts")
        self.rumctl("account", "permit", CID, "kick", "--withdraw")
        kept = self.kept()
        assert kept is not None
        self.assertEqual(kept.permissions, {Permission.NOTICES, Permission.ACCOUNTS})

    def test_a_password(self) -> None:
        """The new one is good, the old one no more."""
        self.assert_done(
            self.rumctl("account", "passwd", CID, "--password-stdin", typed=PASSWORD),
            "1000001 has a new password",
        )
        kept = self.kept()
        assert kept is not None
        self.assertTrue(Hasher().verify(kept.password_hash, PASSWORD).ok)
        self.assertFalse(Hasher().verify(kept.password_hash, "pw01").ok)
        generated = self.answer("account", "passwd", CID, "--generate")
        kept = self.kept()
        assert kept is not None
        password = generated["generated_password"]
        self.assertTrue(Hasher().verify(kept.password_hash, password).ok)

    def test_dry_runs_change_nothing(self) -> None:
        """Of none of the commands."""
        before = self.kept(), self.noted()
        for arguments in (
            ("rating", CID, "12"),
            ("edit", CID, "--name", "After"),
            ("permit", CID, "kick"),
            ("passwd", CID, "--generate"),
            ("delete", CID),
            ("suspend", CID, "--reason", "x"),
            ("ban", CID, "--reason", "x"),
        ):
            self.assert_done(self.rumctl("account", *arguments, "--dry-run"))
            self.assertEqual((self.kept(), self.noted()), before, arguments)

    def test_nobody_has_this_cid(self) -> None:
        """Told in one sentence, in a dry run as well."""
        for arguments in (
            ("rating", "7", "1"),
            ("edit", "7", "--name", "x"),
            ("permit", "7", "kick"),
            ("passwd", "7", "--generate"),
            ("delete", "7", "--yes"),
            ("suspend", "7", "--reason", "x"),
            ("lift", "7"),
            ("show", "7"),
        ):
            result = self.rumctl("account", *arguments)
            self.assert_refused(result, "Error: 7: no such member")


class DeleteTests(CommandTestCase):
    """Deleting somebody."""

    def test_it_is_done_when_it_is_meant(self) -> None:
        """The audit log keeps who did it."""
        self.register(member())
        self.assert_done(self.rumctl("account", "delete", CID, "--yes"), "is deleted")
        self.assertIsNone(self.kept())
        self.assertEqual((self.noted().act, self.noted().whom), ("delete", CID))

    def test_a_script_has_to_mean_it(self) -> None:
        """Without a terminal nobody can be asked."""
        self.register(member())
        self.assert_refused(self.rumctl("account", "delete", CID), "use --yes")
        self.assertIsNotNone(self.kept())


class ShowTests(CommandTestCase):
    """Looking somebody up."""

    def test_everything_but_the_password(self) -> None:
        """Of which the kind is told, and never the value."""
        restriction = Restriction(
            kind=RestrictionKind.BAN, reason="spam", since=NOW, by="1000012"
        )
        self.register(member(name="Zoë", restriction=restriction, notes="two\nlines"))
        result = self.rumctl("account", "show", CID)
        self.assert_done(
            result, "Zoë", "3 student2", "ban until lifted: spam, by 1000012", "lines"
        )
        self.assertNotIn("pw01", result.output)
        facts = self.answer("account", "show", CID)
        self.assertEqual(facts["password"], "plain")
        self.assertEqual(facts["restriction"]["holds"], True)
        self.assertNotIn("pw01", json.dumps(facts))

    def test_a_restriction_that_is_over(self) -> None:
        """It is told as such: he may log on."""
        over = Restriction(
            kind=RestrictionKind.SUSPENSION, reason="x", since=NOW, until=NOW
        )
        self.register(member(restriction=over))
        self.assert_done(self.rumctl("account", "show", CID), "(over)")


class ListTests(CommandTestCase):
    """Looking for somebody."""

    @override
    def setUp(self) -> None:
        """Register some."""
        super().setUp()
        ban = Restriction(kind=RestrictionKind.BAN, reason="x", since=NOW)
        self.register(
            member("1", name="Anna"),
            member("2", name="Ben", rating=Rating.SUPERVISOR, restriction=ban),
            member("3", name="Anja", permissions=frozenset({Permission.KICK})),
        )

    def cids(self, *arguments: str) -> list[str]:
        """Return the CIDs that are listed."""
        return [facts["cid"] for facts in self.answer("account", "list", *arguments)]

    def test_all(self) -> None:
        """In the order of CIDs."""
        self.assertEqual(self.cids(), ["1", "2", "3"])
        self.assert_done(self.rumctl("account", "list"), "Anna", "Ben", "members: 3")

    def test_some(self) -> None:
        """Each option narrows them down."""
        self.assertEqual(self.cids("AN"), ["1", "3"])
        self.assertEqual(self.cids("an", "--permission", "kick"), ["3"])
        self.assertEqual(self.cids("--restricted"), ["2"])
        self.assertEqual(self.cids("--free"), ["1", "3"])
        self.assertEqual(self.cids("--lowest", "supervisor"), ["2"])
        self.assertEqual(self.cids("--highest", "10"), ["1", "3"])

    def test_no_more_than_asked_for(self) -> None:
        """How many there are besides is told."""
        self.assertEqual(self.cids("--limit", "2"), ["1", "2"])
        self.assert_done(self.rumctl("account", "list", "--limit", "1"), "1 of 3")
        self.assertEqual(self.cids("--limit", "0"), ["1", "2", "3"])

    def test_nobody(self) -> None:
        """That is an answer too."""
        self.assertEqual(self.cids("nobody"), [])
