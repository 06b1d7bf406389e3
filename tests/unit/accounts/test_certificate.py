"""What is kept of an account, and that it is kept to itself."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.accounts.certificate import Certificate, prove
from rum_twisted.session.interfaces import Account, InvalidCredentials
from rum_twisted.terms.identity import Rating


class CertificateTests(SynchronousTestCase):
    """A password and a rating."""

    def test_repr_hides_the_password(self) -> None:
        """A certificate in a log or a traceback shows no password."""
        self.assertNotIn("geheim", repr(Certificate.of("geheim", Rating.OBSERVER)))


class ProveTests(SynchronousTestCase):
    """A CID and a password are checked against certificates."""

    def test_stand_in_for_unknown_cids_lets_nobody_in(self) -> None:
        """The password that unknown CIDs are compared with opens nothing."""
        with self.assertRaises(InvalidCredentials):
            prove({}, "1000001", "no such account")

    def test_real_account_may_have_the_stand_in_password(self) -> None:
        """A member whose password happens to be the stand-in's gets in."""
        kept = {"1": Certificate.of("no such account", Rating.OBSERVER)}
        proved = prove(kept, "1", "no such account")
        self.assertEqual(proved, Account("1", Rating.OBSERVER))
