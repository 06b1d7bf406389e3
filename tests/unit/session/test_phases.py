"""How phases follow each other."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.session.phases import TRANSITIONS, Phase


class PhaseTests(SynchronousTestCase):
    """The table of transitions, as a whole."""

    def test_conversation_only_goes_forward(self) -> None:
        """Nobody logs on twice, and a closed conversation stays closed."""
        self.assertEqual(
            {phase: set(following) for phase, following in TRANSITIONS.items()},
            {
                Phase.CONNECTED: {Phase.AUTHENTICATING, Phase.CLOSED},
                Phase.AUTHENTICATING: {Phase.LOGGED_ON, Phase.CLOSED},
                Phase.LOGGED_ON: {Phase.CLOSED},
                Phase.CLOSED: set(),
            },
        )

    def test_every_phase_has_its_row(self) -> None:
        """No phase was forgotten, and each can end."""
        self.assertEqual(set(TRANSITIONS), set(Phase))
        for phase in set(Phase) - {Phase.CLOSED}:
            self.assertIn(Phase.CLOSED, TRANSITIONS[phase])
