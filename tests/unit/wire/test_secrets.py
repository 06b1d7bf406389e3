"""Lines as they may be shown to others."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.wire.secrets import without_secrets


class SecretTests(SynchronousTestCase):
    """No password is in what is shown."""

    def test_logons(self) -> None:
        """Of each, and of what could be meant as one, the callsign is left."""
        for line in (
            b"#APKLM1:SERVER:1000001:geheim:1:9:2:Joe",
            b"#AAEHAM_TWR:SERVER:Ann:1000005:geheim:5:9",
            b" #apKLM1:SERVER:1000001:geheim",
            b"#AQ:geheim",
        ):
            shown = without_secrets(line)
            self.assertNotIn(b"geheim", shown)
            self.assertEqual(shown, line.partition(b":")[0] + b":***")
        self.assertEqual(without_secrets(b"#AP"), b"#AP")

    def test_all_else(self) -> None:
        """It is shown as it is."""
        for line in (b"#TMKLM1:*:hello", b"$PIKLM1:SERVER:1", b"", b"#DPKLM1"):
            self.assertEqual(without_secrets(line), line)
