"""How the server answers an operator's questions."""

import json
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.control.lines import LONGEST_QUESTION, Refused
from rum_twisted.control.server import ANSWER_WITHIN, IDLE_TIMEOUT, Conversation


def question(command: str, **arguments: object) -> bytes:
    """Return a question as rumctl sends it."""
    content = {"command": command, "arguments": arguments}
    return json.dumps(content).encode() + b"\n"


class ConversationTests(SynchronousTestCase):
    """One connection of rumctl."""

    @override
    def setUp(self) -> None:
        """Connect to a server that knows four commands."""
        self.later: list[Deferred[object]] = []
        self.given_up = 0
        self.ended: list[Conversation] = []
        self.clock = Clock()
        self.transport = StringTransport()
        self.conversation = Conversation(
            {
                "echo": dict,
                "later": self.wait,
                "refuse": self.refuse,
                "break": self.fall_over,
            },
            self.clock,
            self.ended.append,
        )
        self.conversation.makeConnection(self.transport)

    def wait(self, arguments: Mapping[str, Any]) -> Deferred[object]:
        """Answer when the test says so."""
        answer: Deferred[object] = Deferred(self.give_up)
        self.later.append(answer)
        return answer

    def give_up(self, answer: Deferred[object]) -> None:
        """Count the questions that nobody waits for any more."""
        self.given_up += 1

    def refuse(self, arguments: Mapping[str, Any]) -> None:
        """Say why not."""
        raise Refused("no such lockout: 1000001")

    def fall_over(self, arguments: Mapping[str, Any]) -> None:
        """Meet a bug."""
        raise ZeroDivisionError("secret")

    def ask(self, *lines: bytes) -> list[dict[str, Any]]:
        """Say ``lines``; return the answers that came at once."""
        self.conversation.dataReceived(b"".join(lines))
        return self.answers()

    def answers(self) -> list[dict[str, Any]]:
        """Return the answers that came since the last time."""
        text = self.transport.value()
        self.transport.clear()
        return [json.loads(line) for line in text.splitlines()]

    def hang_up(self) -> None:
        """Close from rumctl's side."""
        self.conversation.connectionLost()

    def test_a_command_is_given_its_arguments(self) -> None:
        """What it returns is the answer."""
        self.assertEqual(self.ask(question("echo", a=1)), [{"result": {"a": 1}}])
        self.hang_up()

    def test_a_refusal_is_told_in_its_words(self) -> None:
        """The connection stays for the next question."""
        self.assertEqual(
            self.ask(question("refuse"), question("echo")),
            [{"error": "no such lockout: 1000001"}, {"result": {}}],
        )
        self.hang_up()

    def test_a_bug_is_logged_and_its_text_stays_inside(self) -> None:
        """The operator is sent to the log."""
        (answer,) = self.ask(question("break"))
        self.assertIn("the server's log says why", answer["error"])
        self.assertNotIn("secret", answer["error"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.hang_up()

    def test_an_unknown_command_is_told_which_there_are(self) -> None:
        """A rumctl of another version asks for what this server does not know."""
        (answer,) = self.ask(question("nonsense"))
        self.assertIn("'nonsense'", answer["error"])
        self.assertIn("break, echo, later, refuse", answer["error"])
        self.hang_up()

    def test_what_is_no_question_is_told_so(self) -> None:
        """And the next line is read as if nothing had happened."""
        bad, good = self.ask(b"hello\n", question("echo"))
        self.assertIn("due one line of JSON", bad["error"])
        self.assertEqual(good, {"result": {}})
        self.hang_up()

    def test_questions_are_answered_in_order(self) -> None:
        """The second waits for the first, however quick it is."""
        self.assertEqual(self.ask(question("later"), question("echo")), [])
        self.later[0].callback("at last")
        self.assertEqual(self.answers(), [{"result": "at last"}, {"result": {}}])
        self.hang_up()

    def test_a_slow_command_is_given_up(self) -> None:
        """Up to the bound it is waited for, and not a second longer."""
        self.ask(question("later"))
        self.clock.advance(ANSWER_WITHIN - 0.1)
        self.assertEqual(self.answers(), [])
        self.clock.advance(0.1)
        self.assertEqual(
            self.answers(), [{"error": f"later: no answer within {ANSWER_WITHIN:g} s"}]
        )
        self.assertEqual(self.given_up, 1)
        self.hang_up()

    def test_who_hangs_up_waits_no_more(self) -> None:
        """The command is told, and no timer stays behind."""
        self.ask(question("later"))
        self.hang_up()
        self.assertEqual(self.given_up, 1)
        self.assertEqual(self.answers(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.ended, [self.conversation])

    def test_silence_is_bounded(self) -> None:
        """Who asks nothing for a minute is hung up on; each question starts anew."""
        self.clock.advance(IDLE_TIMEOUT - 1)
        self.ask(question("echo"))
        self.clock.advance(IDLE_TIMEOUT - 1)
        self.assertFalse(self.transport.disconnected)
        self.clock.advance(1)
        self.assertTrue(self.transport.disconnected)
        self.hang_up()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_question_is_bounded(self) -> None:
        """The longest is read; one byte more, and the connection is closed."""
        frame = len(question("echo", a=""))
        longest = question("echo", a="x" * (LONGEST_QUESTION - frame + 1))
        self.assertEqual(len(self.ask(longest)), 1)
        (answer,) = self.ask(longest.replace(b"xx", b"xxx", 1))
        self.assertIn(f"longer than {LONGEST_QUESTION} bytes", answer["error"])
        self.assertTrue(self.transport.disconnecting)
        self.hang_up()
