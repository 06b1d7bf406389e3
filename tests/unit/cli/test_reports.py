"""``rumctl audit``, ``sessions``, ``hours`` and ``database``: what can be looked at."""

import json
import sqlite3

from typing_extensions import override

from rum_twisted.accounts.member import Actor, AuditEntry, SessionRecord
from rum_twisted.accounts.schema import REVISION, VERSION_TABLE
from rum_twisted.terms.identity import ClientKind
from rum_twisted.terms.units import Seconds
from tests.unit.cli.builders import NOW, TESTER, CommandTestCase, member

CID = "1000001"


def visit(callsign: str, minutes: float, **fields: object) -> SessionRecord:
    """Return a session that ended just now."""
    values: dict[str, object] = {
        "key": callsign,
        "server": "RUM",
        "cid": CID,
        "callsign": callsign,
        "kind": ClientKind.PILOT,
        "rating": 3,
        "address": "192.0.2.7",
        "began": Seconds(NOW - minutes * 60),
        "seen": NOW,
        **fields,
    }
    return SessionRecord(**values)  # type: ignore[arg-type]  # a builder's liberty


class AuditTests(CommandTestCase):
    """Who did what."""

    def test_the_latest_comes_first(self) -> None:
        """With everything that is known of it."""
        self.register(member())
        self.rumctl("account", "rating", CID, "5")
        latest, earlier = self.answer("audit")
        self.assertEqual(latest["act"], "change")
        self.assertEqual(latest["whom"], CID)
        self.assertEqual(latest["detail"], "rating 3 to 5")
        self.assertEqual(latest["at"], "2026-05-28T20:26:40+00:00")
        self.assertEqual(earlier["by"], TESTER.name)
        self.assertEqual(earlier["address"], TESTER.address)
        self.assert_done(self.rumctl("audit"), "2026-05-28 20:26 UTC", "rating 3 to 5")

    def test_about_one_member(self) -> None:
        """What was done to him, and by him."""
        self.register(member("7"), member("8"))
        entries = [
            AuditEntry(at=NOW, by=Actor(by), act="kill", whom=whom, key=f"{whom} {by}")
            for whom, by in (("7", "x"), ("x", "7"), ("8", "8"))
        ]
        self.directory(lambda directory: directory.record(entries=entries))
        found = self.answer("audit", "7")
        self.assertEqual([one["whom"] for one in found], ["x", "7"])
        self.assertEqual(len(self.answer("audit", "--limit", "1")), 1)


class SessionTests(CommandTestCase):
    """When somebody was on."""

    @override
    def setUp(self) -> None:
        """Let a member fly and control."""
        super().setUp()
        self.register(member(), member("2"))
        tower = {"kind": ClientKind.CONTROLLER, "facility": 4}
        self.directory(
            lambda directory: directory.record(
                [
                    visit("AFR1", 90),
                    visit("LFPG_TWR", 30, **tower),
                    visit("LFPO_TWR", 10, **tower, is_open=True),
                ]
            )
        )

    def test_sessions(self) -> None:
        """The latest first; one that goes on has no end yet."""
        found = self.answer("sessions", CID)
        self.assertEqual(
            [(one["callsign"], one["kind"], one["minutes"]) for one in found],
            [
                ("LFPO_TWR", "controller", 10.0),
                ("LFPG_TWR", "controller", 30.0),
                ("AFR1", "pilot", 90.0),
            ],
        )
        self.assertIsNone(found[0]["to"])
        self.assertEqual(found[1]["to"], "2026-05-28T20:26:40+00:00")
        self.assert_done(
            self.rumctl("sessions", CID), "AFR1", "1:30", "is on", "192.0.2.7"
        )
        self.assertEqual(len(self.answer("sessions", CID, "--limit", "1")), 1)

    def test_hours(self) -> None:
        """As pilot and, position by position, as controller."""
        found = self.answer("hours", CID)
        self.assertEqual(found["pilot_minutes"], 90.0)
        self.assertEqual(found["controller_minutes"], 40.0)
        self.assertEqual(
            found["positions"],
            [
                {"callsign": "LFPG_TWR", "facility": 4, "minutes": 30.0},
                {"callsign": "LFPO_TWR", "facility": 4, "minutes": 10.0},
            ],
        )
        self.assert_done(self.rumctl("hours", CID), "1:30", "0:40", "LFPG_TWR")

    def test_who_was_never_on(self) -> None:
        """Zero is an answer; a CID that nobody has is none."""
        self.assertEqual(self.answer("sessions", "2"), [])
        self.assertEqual(self.answer("hours", "2")["pilot_minutes"], 0)
        self.assert_refused(self.rumctl("hours", "3"), "3: no such member")
        self.assert_refused(self.rumctl("sessions", "3"), "3: no such member")


class DatabaseTests(CommandTestCase):
    """Which database it is, and whether this program can use it."""

    def elsewhere(self) -> tuple[str]:
        """Return the setting for a folder that does not exist yet."""
        return (f"data_dir={json.dumps(str(self.folder / 'elsewhere'))}",)

    def set_revision(self, revision: str) -> None:
        """Have the tables say that they are of this revision."""
        with sqlite3.connect(self.folder / "rum.sqlite") as connection:
            connection.execute(
                f"UPDATE {VERSION_TABLE} SET version_num = ?",  # noqa: S608
                (revision,),
            )
        connection.close()

    def test_a_database_that_is_up_to_date(self) -> None:
        """Exit code 0, and how many members it has."""
        self.register(member())
        answer = self.answer("database", "status")
        self.assertEqual(answer["members"], 1)
        self.assertEqual((answer["revision"], answer["due"]), (REVISION, REVISION))
        self.assert_done(self.rumctl("database", "status"), "up to date")
        self.assert_done(self.rumctl("database", "upgrade"), "nothing to do")

    def test_a_database_that_is_not_there_yet(self) -> None:
        """Looking does not make it; the upgrade does."""
        settings = self.elsewhere()
        for command in ("status", "list"):
            noun = "database" if command == "status" else "account"
            result = self.rumctl(noun, command, overrides=settings)
            self.assertEqual(result.exit_code, 1)
            self.assertIn("rumctl database upgrade", result.output)
        result = self.rumctl("database", "upgrade", "--dry-run", overrides=settings)
        self.assert_done(result, "dry run:", f"from revision none to {REVISION}")
        self.assertFalse((self.folder / "elsewhere").exists())
        self.assert_done(
            self.rumctl("database", "upgrade", overrides=settings), "from revision none"
        )
        self.assert_done(self.rumctl("database", "status", overrides=settings))

    def test_a_database_of_a_newer_rum(self) -> None:
        """It is left alone, by every command."""
        self.set_revision("9999")
        self.assertEqual(self.rumctl("database", "status").exit_code, 1)
        for arguments in (
            ("account", "list"),
            ("account", "add", CID, "--generate"),
            ("database", "upgrade"),
        ):
            self.assert_refused(self.rumctl(*arguments), "revision 9999")

    def test_a_database_that_is_none(self) -> None:
        """One sentence, with the file's name."""
        (self.folder / "rum.sqlite").write_text("no database\n" * 100)
        for arguments in (("account", "list"), ("database", "status"), ("audit",)):
            result = self.rumctl(*arguments)
            self.assert_refused(result, "rum.sqlite", "file is not a database")

    def test_a_database_that_is_away(self) -> None:
        """Nobody listens at port 9 of this machine; the password is not told."""
        overrides = ('accounts.database="postgresql+asyncpg://a:geheim@127.0.0.1:9/b"',)
        result = self.rumctl("account", "list", overrides=overrides)
        self.assert_refused(result, "127.0.0.1:9/b cannot be used")
        self.assertNotIn("geheim", result.output)


class StoreTests(CommandTestCase):
    """A server that keeps its accounts in a file."""

    def test_it_is_told_where_they_are(self) -> None:
        """And how to move them; nothing is asked before that."""
        path = self.write("cert.txt", "1000001 pw01 1\n")
        for arguments in (
            ("account", "add", CID),
            ("account", "list"),
            ("audit",),
            ("hours", CID),
            ("database", "upgrade"),
        ):
            self.assert_refused(
                self.rumctl(*arguments),
                f"the accounts are in the file {path}",
                f"rumctl account import cert {path}",
            )

    def test_acting_as_a_member_is_for_what_is_done_to_members(self) -> None:
        """Elsewhere nobody would know that he did it."""
        for arguments in (
            ("database", "status"),
            ("database", "upgrade"),
            ("lockouts",),
        ):
            result = self.rumctl(*arguments, as_cid=CID)
            self.assert_refused(result, "--as is for what is done to members", code=2)

    def test_settings_that_cannot_be_used(self) -> None:
        """Exit code 2, as for any mistake on the command line."""
        result = self.rumctl("account", "list", overrides=("accounts.stor=1",))
        self.assert_refused(result, "did you mean accounts.store?", code=2)

    def test_commands_that_do_not_exist(self) -> None:
        """Exit code 2."""
        self.assert_refused(self.rumctl("acount"), "No such command", code=2)
        self.assert_done(self.rumctl("--help"), "account", "lockouts", "database")
