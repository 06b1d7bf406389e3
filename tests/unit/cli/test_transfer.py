"""``rumctl account import | export``."""

import csv
import json
import os
import resource
import signal
import stat

from twisted.trial.unittest import SkipTest

from rum_twisted.accounts.member import Member, Restriction, RestrictionKind
from rum_twisted.accounts.passwords import Hasher
from rum_twisted.cli.imports.csv import COLUMNS
from rum_twisted.terms.permissions import Permission
from rum_twisted.terms.units import Seconds
from tests.unit.cli.builders import NOW, CommandTestCase, make_table, member

CERT = "1000001 pw01 3\n1000002 pw02\n1000003 Pw03 12\n"
FULL = member(
    name='Zoë "Z", =1+1',
    email="zoe@example.org",
    pilot_rating=3,
    permissions=frozenset({Permission.KICK, Permission.ACCOUNTS}),
    notes="two\nlines",
    created=Seconds(1_700_000_000.25),
    last_seen=Seconds(1_750_000_000.0),
    restriction=Restriction(
        kind=RestrictionKind.BAN,
        reason="spam, mostly",
        since=NOW,
        until=Seconds(NOW + 60),
        by="1000012",
    ),
)


class ImportTests(CommandTestCase):
    """Taking members over."""

    def test_refused_rows_are_named(self) -> None:
        """By number and CID, with the reason; the others are there."""
        result = self.rumctl("account", "import", "cert", self.write("c", CERT))
        self.assert_refused(result, "row 2 (1000002): it has fewer than three words")
        self.assertIn("imported: 2, registered already: 0, refused: 1", result.stdout)
        kept = self.kept("1000003")
        assert kept is not None
        self.assertTrue(Hasher().verify(kept.password_hash, "Pw03").ok)
        self.assertFalse(Hasher().verify(kept.password_hash, "pw03").ok)

    def test_a_report_has_all_refused_rows(self) -> None:
        """The terminal has the first ones."""
        source = self.write("c", "x y\n" * 30)
        report = self.folder / "report.csv"
        result = self.rumctl(
            "account", "import", "cert", source, "--report", str(report)
        )
        self.assert_refused(result, "row 20 (x)", "10 more refused rows are in")
        self.assertNotIn("row 21", result.stderr)
        with report.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        self.assertEqual(rows[0], ["row", "cid", "reason"])
        self.assertEqual([row[0] for row in rows[1:]], [str(n) for n in range(1, 31)])

    def test_a_report_that_cannot_be_written(self) -> None:
        """That is told before anybody is imported."""
        result = self.rumctl(
            *("account", "import", "cert", self.write("c", "1 pw 1\n")),
            *("--report", str(self.folder / "none" / "report.csv")),
        )
        self.assert_refused(result, "report.csv cannot be written: No such file")
        self.assertIsNone(self.kept("1"))

    def test_json_tells_everything(self) -> None:
        """For the script that runs it every night."""
        source = self.write("c", CERT)
        result = self.rumctl("account", "import", "cert", source, "--json")
        answer = json.loads(result.stdout)
        self.assertEqual(answer["imported"], 2)
        self.assertEqual(answer["refused"][0]["row"], 2)
        self.assertEqual(result.stderr, "")

    def test_passwords_can_be_hashed_on_the_way(self) -> None:
        """They are good afterwards, and the file's words are nowhere."""
        self.assert_done(
            self.rumctl(
                *("account", "import", "cert", self.write("c", "1 Pw 1\n2 x 2\n")),
                *("--hash", "--threads", "2"),
            ),
            "passwords hashed: 2",
        )
        kept = self.kept("1")
        assert kept is not None
        self.assertTrue(kept.password_hash.startswith("$argon2id$"))
        self.assertTrue(Hasher().verify(kept.password_hash, "Pw").ok)

    def test_replacing_has_to_be_meant(self) -> None:
        """It overwrites what the staff has kept up by hand."""
        self.register(member(name="Before"))
        arguments = ("account", "import", "cert", self.write("c", CERT), "--replace")
        self.assert_refused(self.rumctl(*arguments), "use --yes")
        kept = self.kept()
        assert kept is not None
        self.assertEqual(kept.name, "Before")
        self.rumctl(*arguments, "--yes")
        kept = self.kept()
        assert kept is not None
        self.assertEqual(kept.name, "")

    def test_a_dry_run_imports_nobody(self) -> None:
        """It needs no --yes, and no database either."""
        source = self.write("c", CERT)
        dry_run = ("account", "import", "cert", source, "--dry-run")
        result = self.rumctl(*dry_run, "--replace")
        self.assertIn("imported: 2", result.stdout)
        self.assertIsNone(self.kept())
        elsewhere = self.folder / "elsewhere"
        overrides = (f"data_dir={json.dumps(str(elsewhere))}",)
        result = self.rumctl(*dry_run, overrides=overrides)
        self.assertIn("imported: 2", result.stdout)
        self.assertFalse(elsewhere.exists())

    def test_a_new_database_is_made(self) -> None:
        """So that members are there before the first start; for its owner only."""
        elsewhere = self.folder / "elsewhere"
        overrides = (f"data_dir={json.dumps(str(elsewhere))}",)
        source = self.write("c", "1 pw 1\n")
        self.assert_done(
            self.rumctl("account", "import", "cert", source, overrides=overrides)
        )
        mode = stat.S_IMODE((elsewhere / "rum.sqlite").stat().st_mode)
        self.assertEqual(mode, 0o600)

    def test_what_root_makes_is_the_servers(self) -> None:
        """A server that runs as somebody else has to be able to open it."""
        if os.geteuid() != 0:
            raise SkipTest("only root can give files away")
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        os.chown(elsewhere, 65534, 65534)
        overrides = (f"data_dir={json.dumps(str(elsewhere))}",)
        source = self.write("c", "1 pw 1\n")
        self.assert_done(
            self.rumctl("account", "import", "cert", source, overrides=overrides)
        )
        for path in elsewhere.iterdir():
            self.assertEqual(path.stat().st_uid, 65534, path)

    def test_every_kind_of_source_has_its_reader(self) -> None:
        """A source of another kind is refused in one sentence."""
        text = self.write("text", "something else\n")
        for kind in ("cert", "csv", "jsonl", "openfsd", "pyfsd", "simplefsd"):
            result = self.rumctl("account", "import", kind, text)
            self.assertEqual(result.exit_code, 1, kind)
            self.assertIn("text", result.stderr + text)
        result = self.rumctl("account", "import", "vatsim", text)
        self.assert_refused(result, "vatsim", code=2)

    def test_a_database_of_another_server(self) -> None:
        """From its file into ours."""
        path = self.folder / "pyfsd.db"
        columns = "callsign TEXT, password TEXT, rating INTEGER"
        make_table(path, columns, [("1000001", "ab" * 32, 4)])
        self.assert_done(self.rumctl("account", "import", "pyfsd", str(path)))
        kept = self.kept()
        assert kept is not None
        self.assertEqual(kept.password_hash, "sha256$" + "ab" * 32)


class ExportTests(CommandTestCase):
    """Writing members out, and reading them back."""

    def exported(self, *arguments: str) -> str:
        """Return what is written to standard output."""
        result = self.rumctl("account", "export", *arguments)
        self.assert_done(result)
        return result.stdout

    def come_back(self, form: str, *arguments: str) -> Member | None:
        """Export everybody, forget the member, and import him again."""
        path = str(self.folder / f"members.{form}")
        self.assert_done(
            self.rumctl("account", "export", path, "--format", form, *arguments)
        )
        self.rumctl("account", "delete", FULL.cid, "--yes")
        self.assert_done(self.rumctl("account", "import", form, path))
        return self.kept()

    def test_who_comes_back_is_the_same(self) -> None:
        """In both forms, whatever stands in his name and notes."""
        for form in ("csv", "jsonl"):
            self.register(FULL)
            self.assertEqual(self.come_back(form, "--with-hashes"), FULL)
            self.rumctl("account", "delete", FULL.cid, "--yes")

    def test_passwords_stay_unless_they_are_asked_for(self) -> None:
        """A list of members goes to more people than their hashes should."""
        self.register(FULL)
        for form in ("csv", "jsonl"):
            text = self.exported("--format", form)
            self.assertNotIn("pw01", text)
            self.assertNotIn("password", text)
            self.assertIn("pw01", self.exported("--format", form, "--with-hashes"))

    def test_without_hashes_nobody_has_a_password_afterwards(self) -> None:
        """But he is there, and is given a new one."""
        self.register(FULL)
        back = self.come_back("csv")
        assert back is not None
        self.assertEqual((back.name, back.password_hash), (FULL.name, ""))

    def test_the_columns_are_those_of_the_manual(self) -> None:
        """All but the password in plain text, which nobody knows."""
        self.register(FULL)
        header = next(csv.reader(self.exported("--with-hashes").splitlines()))
        self.assertEqual(set(header), set(COLUMNS) - {"password"})

    def test_a_file_is_for_its_owner_only(self) -> None:
        """It holds mail addresses, and perhaps hashes."""
        path = self.folder / "members.csv"
        self.assert_done(self.rumctl("account", "export", str(path)))
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    def test_a_file_is_never_overwritten(self) -> None:
        """It may be the only backup."""
        path = self.write("members.csv", "precious")
        self.assert_refused(self.rumctl("account", "export", path), "File exists")
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            self.assertEqual(file.read(), "precious")

    def test_a_full_disk_is_told_and_leaves_no_half(self) -> None:
        """A file that looks like a backup should be one."""
        self.register(*(member(str(number), notes="x" * 9000) for number in range(20)))
        path = self.folder / "members.csv"
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            result = self.rumctl("account", "export", str(path))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, handler)
        self.assert_refused(result, "members.csv: File too large")
        self.assertFalse(path.exists())

    def test_the_audit_log_has_it(self) -> None:
        """Above all if the hashes went out."""
        self.exported("--with-hashes")
        entry = self.noted()
        self.assertEqual(entry.act, "export")
        self.assertEqual(entry.whom, "0 members with passwords")
