"""The fixed memory of the samples."""

from math import isnan

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.admin.ring import Ring


class RingTests(SynchronousTestCase):
    """Three rows of two numbers."""

    def test_the_oldest_goes(self) -> None:
        """The last rows are there, in their order."""
        ring = Ring(3, 2)
        for number in range(5):
            ring.push((number, -number))
        self.assertEqual(
            [list(row) for row in ring.rows()], [[2, -2], [3, -3], [4, -4]]
        )
        self.assertEqual(len(ring), 3)

    def test_before_it_is_full(self) -> None:
        """Rows that were never written are not there."""
        ring = Ring(3, 2)
        self.assertEqual(list(ring.rows()), [])
        ring.push((1, 2))
        self.assertEqual([list(row) for row in ring.rows()], [[1, 2]])

    def test_what_is_missing_is_not_known(self) -> None:
        """A short row does not show numbers of the one that was there before."""
        ring = Ring(1, 2)
        ring.push((1, 2))
        ring.push((3,))
        ((first, second),) = ring.rows()
        self.assertEqual(first, 3)
        self.assertTrue(isnan(second))

    def test_a_row_that_is_too_wide(self) -> None:
        """It is refused, and not cut."""
        self.assertRaises(ValueError, Ring(3, 2).push, (1, 2, 3))

    def test_memory_never_grows(self) -> None:
        """It is taken at once."""
        ring = Ring(3, 2)
        before = ring.bytes
        for number in range(1000):
            ring.push((number,))
        self.assertEqual((ring.bytes, before), (48, 48))
        self.assertIn("3 rows", repr(ring))
