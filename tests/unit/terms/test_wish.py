"""What an operator wants of a process."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.units import Seconds
from rum_twisted.terms.wish import LONGEST_WHO, InvalidWish
from tests.support.wishes import make_wish


class WishTests(SynchronousTestCase):
    """Its fields."""

    def test_ranges(self) -> None:
        """What cannot be is refused, by name; at the bound it is taken."""
        make_wish("a" * 64, by="x" * LONGEST_WHO, where="")
        wrong: tuple[tuple[str, Any], ...] = (
            ("name", ""),
            ("name", "a/b"),
            ("name", "a" * 65),
            ("by", "two\nlines"),
            ("where", "x" * (LONGEST_WHO + 1)),
            ("asked", Seconds(-1.0)),
            ("asked", Seconds(float("nan"))),
        )
        for field, value in wrong:
            with self.assertRaises(InvalidWish) as caught:
                make_wish(**{"name": "a", field: value})
            self.assertIn(field, str(caught.exception))
