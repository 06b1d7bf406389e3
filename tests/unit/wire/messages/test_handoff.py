"""Hand-offs."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.wire.codec import decode, encode
from rum_twisted.wire.errors import TooFewFields
from rum_twisted.wire.messages.handoff import HandoffAccept, HandoffOffer


class HandoffTests(SynchronousTestCase):
    """An aircraft passes from one controller to the next."""

    def test_offer_and_acceptance_are_read(self) -> None:
        """Who, to whom, and which aircraft."""
        names = ("EHAM_APP", "EHAM_TWR", "KLM123")
        for prefix, kind in ((b"$HO", HandoffOffer), (b"$HA", HandoffAccept)):
            line = prefix + b"EHAM_APP:EHAM_TWR:KLM123"
            self.assertEqual(decode(line), kind(*names))
            self.assertEqual(encode(kind(*names)), line + b"\r\n")

    def test_rest_is_kept(self) -> None:
        """What stands behind the aircraft goes with it."""
        self.assertEqual(decode(b"$HOA1:B1:KLM123:x").aircraft, "KLM123:x")

    def test_aircraft_may_not_be_missing(self) -> None:
        """An offer of nothing is refused; an empty name is passed on."""
        self.assertRaises(TooFewFields, decode, b"$HOA1:B1")
        self.assertEqual(decode(b"$HAA1:B1:").aircraft, "")
