"""The selector that tells of a few sockets at a time."""

from selectors import EVENT_READ
from socket import socket, socketpair

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.pergola.selector import FairSelector


class FairSelectorTests(SynchronousTestCase):
    """Which of many ready sockets are told of."""

    @override
    def setUp(self) -> None:
        """Make a selector."""
        self.selector = FairSelector()
        self.addCleanup(self.selector.close)

    def register(self, count: int) -> dict[socket, socket]:
        """Register so many sockets that are ready; return them with their peers."""
        pairs = dict(socketpair() for _ in range(count))
        for here, there in pairs.items():
            self.addCleanup(here.close)
            self.addCleanup(there.close)
            self.selector.register(here, EVENT_READ)
            there.send(b"x")
        return pairs

    def test_few_are_all_told_of(self) -> None:
        """On a quiet evening nothing is held back."""
        pairs = self.register(8)
        told = {key.fileobj for key, _ in self.selector.select(0)}
        self.assertEqual(told, set(pairs))

    def test_many_are_told_of_in_turn(self) -> None:
        """In a storm 8 at a time, and all as soon as those places allow."""
        for count in (9, 12, 20, 36, 45):
            selector = self.selector = FairSelector()
            self.addCleanup(selector.close)
            pairs = self.register(count)
            told: set[object] = set()
            for _ in range(-(-(count - 4) // 4)):  # nobody reads, so all stay ready
                ready = [key.fileobj for key, _ in selector.select(0)]
                self.assertEqual(len(set(ready)), 8)
                told.update(ready)
            self.assertEqual(told, set(pairs))

    def test_others_come_and_go(self) -> None:
        """It is a socket's turn as soon as ever, whoever else is ready."""
        pairs = self.register(60)
        by_number = sorted(pairs, key=socket.fileno)
        patient, fickle = set(by_number[4:34]), by_number[34:]
        full = set(fickle)
        told: set[object] = set()
        for time in range(14):  # 56 places, for 30 and 26
            told.update(key.fileobj for key, _ in self.selector.select(0))
            for one in fickle[time % 3 :: 3]:
                if one in full:
                    one.recv(1)
                else:
                    pairs[one].send(b"x")
            full ^= set(fickle[time % 3 :: 3])
        self.assertLessEqual(patient, told)

    def test_those_who_have_been_here_for_long_come_first(self) -> None:
        """In a storm, half of the places are for those who were online before."""
        pairs = self.register(40)
        oldest = set(sorted(pairs, key=socket.fileno)[:4])
        for _ in range(5):
            ready = {key.fileobj for key, _ in self.selector.select(0)}
            self.assertLessEqual(oldest, ready)

    def test_nobody_is_ready(self) -> None:
        """Nothing is nothing."""
        self.assertEqual(self.selector.select(0), [])
