"""``rumctl account suspend | ban | lift``."""

from typing_extensions import override

from rum_twisted.accounts.member import Restriction, RestrictionKind
from tests.unit.cli.builders import NOW, CommandTestCase, member

CID = "1000001"


class RestrictionTests(CommandTestCase):
    """Keeping somebody from logging on."""

    @override
    def setUp(self) -> None:
        """Register one."""
        super().setUp()
        self.register(member())

    def restriction(self) -> Restriction | None:
        """Return what keeps him from logging on."""
        kept = self.kept()
        assert kept is not None
        return kept.restriction

    def test_a_suspension_for_a_time(self) -> None:
        """It ends by itself."""
        self.assert_done(
            self.rumctl("account", "suspend", CID, "--for", "7d", "--reason", "spam"),
            "suspension until 2026-06-04 20:26 UTC: spam",
        )
        found = self.restriction()
        assert found is not None
        self.assertIs(found.kind, RestrictionKind.SUSPENSION)
        self.assertEqual((found.since, found.until), (NOW, NOW + 604800))
        self.assertEqual(found.by, self.noted().by.name)
        self.assertEqual(self.noted().act, "suspend")

    def test_a_ban_without_an_end(self) -> None:
        """Until somebody lifts it."""
        self.rumctl("account", "ban", CID, "--reason", "worse")
        found = self.restriction()
        assert found is not None
        self.assertIs(found.kind, RestrictionKind.BAN)
        self.assertIsNone(found.until)
        self.assertEqual(self.noted().act, "ban")

    def test_a_ban_until_a_date(self) -> None:
        """At the first moment of that day."""
        answer = self.answer(
            "account", "ban", CID, "--until", "2027-01-01", "--reason", "x"
        )
        self.assertEqual(answer["until"], "2027-01-01T00:00:00+00:00")

    def test_a_reason_that_is_no_text(self) -> None:
        """Bytes that are no UTF-8 are a mistake of the command line."""
        result = self.rumctl("account", "ban", CID, "--reason", "\udcff")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("its reason is not UTF-8 text", result.stderr)
        self.assertIsNone(self.restriction())

    def test_lifting(self) -> None:
        """He may log on again, and the audit log has it."""
        self.rumctl("account", "ban", CID, "--reason", "x")
        self.assert_done(self.rumctl("account", "lift", CID, "--dry-run"), "ban lifted")
        self.assertIsNotNone(self.restriction())
        self.assert_done(self.rumctl("account", "lift", CID), "ban lifted")
        self.assertIsNone(self.restriction())
        self.assertEqual(self.noted().act, "lift")

    def test_nothing_to_lift(self) -> None:
        """That is told, for the CID may be the wrong one."""
        self.assert_refused(self.rumctl("account", "lift", CID), "is not suspended")

    def test_what_does_not_fit_is_a_mistake_of_the_command_line(self) -> None:
        """And nobody is suspended by it."""
        for arguments, why in (
            ((), "--reason"),
            (("--reason", "x", "--for", "7"), "--for '7': due a span"),
            (("--reason", "x", "--until", "2020-01-01"), "has passed"),
            (("--reason", "x", "--for", "1d", "--until", "2027-01-01"), "exclude"),
            (("--reason", "a\nb"), "line end"),
        ):
            result = self.rumctl("account", "suspend", CID, *arguments)
            self.assert_refused(result, why, code=2)
        self.assertIsNone(self.restriction())

    def test_a_reason_that_is_too_long(self) -> None:
        """The member is to read it in one line."""
        result = self.rumctl("account", "ban", CID, "--reason", "x" * 501)
        self.assert_refused(result, "at most 500")
