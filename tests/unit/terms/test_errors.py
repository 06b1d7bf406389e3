"""The errors that a peer is told about."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.errors import ErrorCode, RumError, WireError, WorldError


class ErrorCodeTests(SynchronousTestCase):
    """The numbers of ``$ER``, which clients know by heart."""

    def test_numbers_are_those_of_the_reference(self) -> None:
        """Each case has the number that clients act on."""
        self.assertEqual(
            {code.name: code.value for code in ErrorCode},
            {
                "CALLSIGN_IN_USE": 1,
                "INVALID_CALLSIGN": 2,
                "ALREADY_REGISTERED": 3,
                "SYNTAX_ERROR": 4,
                "INVALID_SOURCE": 5,
                "INVALID_CREDENTIALS": 6,
                "NO_SUCH_CALLSIGN": 7,
                "NO_FLIGHT_PLAN": 8,
                "NO_WEATHER": 9,
                "INVALID_REVISION": 10,
                "RATING_TOO_HIGH": 11,
                "SERVER_FULL": 12,
                "SUSPENDED": 13,
            },
        )


class RumErrorTests(SynchronousTestCase):
    """What an error carries."""

    def test_parameter_is_what_the_peer_typed(self) -> None:
        """What was wrong goes back to the peer as it came."""
        error = WireError("kLm\xff1")
        self.assertEqual(error.parameter, "kLm\xff1")
        self.assertEqual(str(error), "kLm\xff1")

    def test_parameter_is_empty_by_default(self) -> None:
        """Most errors tell nothing but their number."""
        self.assertEqual(WorldError().parameter, "")

    def test_whoever_spoke_wrongly_reads_syntax_error(self) -> None:
        """Every line that cannot be read is error 004."""
        self.assertIs(WireError().code, ErrorCode.SYNTAX_ERROR)

    def test_both_trees_can_be_caught_as_one(self) -> None:
        """A session catches what can be told to a peer by a single name."""
        for tree in (WireError, WorldError):
            self.assertTrue(issubclass(tree, RumError))
        self.assertFalse(issubclass(WorldError, WireError))
