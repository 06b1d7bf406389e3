"""A dialogue that does not go as written is told of."""

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Delivery, DialogueRunner, parse

PING = """\
== A ping
KLM1 is a pilot
AFR2 is a pilot
KLM1 > $PIKLM1:SERVER:1
KLM1 < $POserver:KLM1:1
"""


class DialogueRunnerTests(SynchronousTestCase):
    """What is written must be read, and nothing else."""

    def play(self, text: str) -> None:
        """Play the dialogues of ``text`` in every way."""
        for dialogue in parse(text, "test.txt"):
            for delivery in Delivery:
                DialogueRunner(dialogue, delivery).run()

    def assert_goes_wrong(self, text: str, message: str) -> None:
        """Check that ``text`` fails, and what the failure says."""
        error = self.assertRaises(AssertionError, self.play, text)
        self.assertIn(message, str(error))

    def test_dialogue_as_written_passes(self) -> None:
        """A ping is answered, and nothing else happens."""
        self.play(PING)

    def test_line_that_is_not_written_is_told_of(self) -> None:
        """A client who reads more than is written is named, with the line."""
        text = PING.replace("KLM1 < $POserver:KLM1:1\n", "")
        self.assert_goes_wrong(text, "test.txt:4 (each line whole): KLM1 read")

    def test_missing_line_is_told_of(self) -> None:
        """A client who does not read what is written is named."""
        self.assert_goes_wrong(PING + "AFR2 < hello\n", "AFR2 read []")

    def test_other_line_is_told_of(self) -> None:
        """One wrong letter is enough."""
        self.assert_goes_wrong(PING.replace("KLM1:1\n", "KLM1:2\n", 1), "KLM1 read")

    def test_three_dots_stand_for_anything(self) -> None:
        """What the text leaves open may be anything, but the rest must be there."""
        self.play(PING.replace("$POserver:KLM1:1", "$PO...:KLM1..."))
        self.assert_goes_wrong(PING.replace("$POserver:KLM1:1", "...2"), "KLM1 read")

    def test_wrong_order_is_told_of(self) -> None:
        """A client reads his lines in the order in which they are written."""
        twice = "KLM1 > $PIKLM1:SERVER:2\nKLM1 < $POserver:KLM1:2\n"
        self.play(PING + twice)
        for wrong in ("KLM1:1\n", "KLM1:1:\n"):
            self.assert_goes_wrong(
                PING + twice.replace("$POserver:KLM1:2\n", f"$POserver:{wrong}"),
                "KLM1 read",
            )

    def test_unexpected_end_is_told_of(self) -> None:
        """Somebody who is disconnected without its being written is named."""
        self.assert_goes_wrong(
            PING + "KLM1 > #DPKLM1\nAFR2 < #DPKLM1:1000001\n", "disconnected {'KLM1'}"
        )

    def test_missing_end_is_told_of(self) -> None:
        """Somebody who stays although his end is written is named."""
        self.assert_goes_wrong(PING + "AFR2 is disconnected\n", "due was {'AFR2'}")

    def test_bytes_may_be_written_as_escapes(self) -> None:
        """Any byte can be said and read, and long lines are short to write."""
        self.play(PING.replace(":1\n", ":\\xff\\x00{a*3}\\\\\n"))

    def test_nonsense_is_no_dialogue(self) -> None:
        """A step that means nothing is an error of the file."""
        for text in ("KLM1 > before a heading\n", PING + "KLM1 sings\n"):
            self.assertRaises(ValueError, parse, text, "test.txt")
