"""How long the head of an answer may be."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.weather.heads import LONGEST_HEAD, HeadBound

STATUS = b"HTTP/1.1 200 OK\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def head_of(size: int) -> bytes:
    """Return a head of so many bytes, its last line's end not counted."""
    name = b"X: "
    filler = size - len(STATUS) - len(name)
    return STATUS + name + b"x" * filler + b"\r\n\r\n"


class HeadBoundTests(SynchronousTestCase):
    """One connection, on which a request was sent."""

    def admits(self, *pieces: bytes) -> bool:
        """Tell whether all that comes is admitted."""
        bound = HeadBound()
        bound.begin()
        return all(bound.admits(piece) for piece in pieces)

    def test_body_may_be_of_any_size(self) -> None:
        """Only the head counts here; bodies are bounded where they are read."""
        body = b"x" * LONGEST_HEAD
        self.assertTrue(self.admits(head_of(100), body, body, body))
        self.assertTrue(self.admits(head_of(100) + body + body))

    def test_head_at_the_bound_and_past_it(self) -> None:
        """The last byte that is admitted, and the one after it."""
        self.assertTrue(self.admits(head_of(LONGEST_HEAD)))
        self.assertFalse(self.admits(head_of(LONGEST_HEAD + 1)))

    def test_head_without_an_end(self) -> None:
        """It is cut when it is too long, not when it ends."""
        self.assertFalse(self.admits(*[b"X: x\r\n"] * LONGEST_HEAD))

    def test_informational_answers_are_no_end(self) -> None:
        """A source that says "continue" for ever is cut as well."""
        self.assertTrue(self.admits(CONTINUE, CONTINUE, head_of(100), b"x" * 100_000))
        self.assertFalse(self.admits(*[CONTINUE] * 2000))
        self.assertFalse(self.admits(CONTINUE, b"x" * LONGEST_HEAD))

    def test_each_answer_has_its_own_bound(self) -> None:
        """On a connection that is used again, the count begins anew."""
        bound = HeadBound()
        for _ in range(3):
            bound.begin()
            self.assertTrue(bound.admits(head_of(LONGEST_HEAD - 100)))
            self.assertTrue(bound.admits(b"body"))

    @given(st.lists(st.integers(0, 400), max_size=20))
    def test_cuts_do_not_matter(self, cuts: list[int]) -> None:
        """However the network cuts it, the end of the head is found."""
        text = CONTINUE + head_of(300)
        places = sorted({0, *(cut for cut in cuts if cut < len(text)), len(text)})
        bound = HeadBound()
        bound.begin()
        for begin, end in pairwise(places):
            self.assertTrue(bound.admits(text[begin:end]))
        for _ in range(3):
            self.assertTrue(bound.admits(b"x" * LONGEST_HEAD))
