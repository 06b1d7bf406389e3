"""``rumctl console``: the password of the administration port."""

from pathlib import Path

from rum_twisted.accounts.passwords import Hasher
from rum_twisted.config import load
from tests.unit.cli.builders import CommandTestCase

PASSWORD = "hunter22"


class PasswdTests(CommandTestCase):
    """Making a password for the settings."""

    def test_the_line_may_be_copied_into_the_settings(self) -> None:
        """Below [console], as it stands, it is the password of the console."""
        result = self.rumctl(
            "console", "passwd", "--password-stdin", typed=f"{PASSWORD}\n"
        )
        self.assertEqual(result.exit_code, 0, result.output)
        line = next(
            line for line in result.output.splitlines() if line.startswith("password =")
        )
        settings = Path(self.mktemp())
        settings.write_text(
            f'[console]\nlisten = "tcp:3010:interface=127.0.0.1"\n{line}\n', "utf-8"
        )
        stored = load(settings).console.password
        self.assertTrue(Hasher().verify(stored, PASSWORD).ok)
        self.assertNotIn(PASSWORD, result.output)
