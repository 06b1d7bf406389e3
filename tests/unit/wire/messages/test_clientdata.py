"""What clients tell each other past the server."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.wire.codec import decode, encode
from rum_twisted.wire.errors import TooFewFields
from rum_twisted.wire.messages.clientdata import ControllerData, PilotData


class ClientDataTests(SynchronousTestCase):
    """Aircraft models and coordination."""

    def test_data_passes_unchanged(self) -> None:
        """Its words are the clients' own."""
        line = b"#SBKLM123:AFR456:PI:GEN:EQUIPMENT=B738:LIVERY=\xe9t\xe9"
        data = PilotData("KLM123", "AFR456", "PI:GEN:EQUIPMENT=B738:LIVERY=été")
        self.assertEqual(decode(line), data)
        self.assertEqual(encode(data), line + b"\r\n")
        line = b"#PCEHAM_TWR:EHAM_APP:CCP:ID"
        self.assertEqual(decode(line), ControllerData("EHAM_TWR", "EHAM_APP", "CCP:ID"))
        self.assertEqual(encode(decode(line)), line + b"\r\n")

    def test_missing_data_is_empty(self) -> None:
        """Two fields are enough, and are passed on with a colon behind them."""
        for prefix in (b"#SB", b"#PC"):
            self.assertEqual(encode(decode(prefix + b"A1:B1")), prefix + b"A1:B1:\r\n")
            self.assertRaises(TooFewFields, decode, prefix + b"A1")
