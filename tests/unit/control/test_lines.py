"""The form of a question and of its answer."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.control.lines import (
    LONGEST_ANSWER,
    Question,
    Refused,
    Unreadable,
    read_answer,
    read_question,
    write_answer,
    write_error,
    write_question,
)


class QuestionTests(SynchronousTestCase):
    """What rumctl asks."""

    def test_it_is_read_as_it_was_written(self) -> None:
        """Whatever is in it stays on one line of ASCII."""
        for arguments in ({}, {"key": "1000001"}, {"note": "two\nlines, 联飞\u2028"}):
            question = Question("lockouts.lift", arguments)
            line = write_question(question)
            self.assertEqual(line.count(b"\n"), 1)
            self.assertTrue(line.isascii())
            self.assertEqual(read_question(line), question)

    def test_what_is_none_is_told_so(self) -> None:
        """Neither other JSON nor what is no JSON at all is a question."""
        for line in (
            b"",
            b"{",
            b"\xff\xfe",
            b"1",
            b"[]",
            b"{}",
            b'{"command": "x"}',
            b'{"command": 1, "arguments": {}}',
            b'{"command": "x", "arguments": []}',
            b'{"command": "x", "arguments": {}, "more": 1}',
            b"[" * 60_000,
        ):
            with self.assertRaises(Unreadable, msg=line[:40]):
                read_question(line)


class AnswerTests(SynchronousTestCase):
    """What the server answers."""

    def test_a_result_is_read_as_it_was_written(self) -> None:
        """Nothing, too, is a result."""
        for result in (None, [], [{"key": "192.0.2.1", "failures": 3}], "text", 1.5):
            self.assertEqual(read_answer(write_answer(result)), result)

    def test_a_refusal_says_why(self) -> None:
        """The text comes out as it went in."""
        with self.assertRaisesRegex(Refused, "^nobody by the name of Zoë$"):
            read_answer(write_error("nobody by the name of Zoë"))

    def test_what_is_no_answer_is_told_so(self) -> None:
        """Something else may listen there."""
        for line in (b"", b"HTTP/1.1 400\r\n", b"{}", b'{"error": 5}', b"[1]"):
            with self.assertRaises(Unreadable, msg=line):
                read_answer(line)

    def test_a_long_answer_becomes_a_refusal(self) -> None:
        """At the bound it is given; one byte past it, the operator reads why not."""
        frame = len(write_answer(""))
        self.assertEqual(
            len(write_answer("x" * (LONGEST_ANSWER - frame))), LONGEST_ANSWER
        )
        with self.assertRaisesRegex(Refused, f"longest that is given {LONGEST_ANSWER}"):
            read_answer(write_answer("x" * (LONGEST_ANSWER - frame + 1)))
