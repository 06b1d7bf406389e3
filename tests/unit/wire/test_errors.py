"""What can be wrong with a line, and how the client is told."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.session.replies import error_line
from rum_twisted.terms.errors import WireError
from rum_twisted.wire.errors import (
    LineTooLong,
    ServerOnlyPacket,
    TooFewFields,
    UnknownPacket,
)


class WireErrorTests(SynchronousTestCase):
    """Lines that cannot be read."""

    def test_each_case_is_a_syntax_error(self) -> None:
        """However a line is wrong, its sender reads error 004 without a parameter."""
        for case in (UnknownPacket, ServerOnlyPacket, TooFewFields, LineTooLong):
            self.assertTrue(issubclass(case, WireError))
            self.assertEqual(
                error_line(case(), "KLM123"),
                b"$ERserver:KLM123:004::Syntax error\r\n",
            )
