"""Logons that wait for their passwords to be checked."""

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.accounts.queue import QueuedAccounts, TooManyLogons
from rum_twisted.session.interfaces import Account, IAccounts, InvalidCredentials
from rum_twisted.terms.errors import ErrorCode
from rum_twisted.terms.identity import Rating


@implementer(IAccounts)
class SlowStore:
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: list[Deferred[Account]] = []
        self.given_up: list[str] = []
        self.is_quick = False

    def authenticate(
        self, cid: str, password: str, address: str = ""
    ) -> Deferred[Account]:
        """Take a question down; see `IAccounts`."""
        assert password == "pw"
        self.asked.append(cid)
        if self.is_quick:
            return succeed(Account(cid, Rating.OBSERVER))
        answer: Deferred[Account] = Deferred(lambda _: self.given_up.append(cid))
        self.answers.append(answer)
        return answer

    def answer(self, number: int) -> None:
        """Answer the question of that number."""
        self.answers[number].callback(Account(self.asked[number], Rating.OBSERVER))


class QueueTests(SynchronousTestCase):
    """The queue before an account store."""

    @override
    def setUp(self) -> None:
        """Put a queue before a slow store: two at once, three may wait."""
        self.store = SlowStore()
        self.queue = QueuedAccounts(self.store, at_once=2, longest=3)

    def ask(self, count: int) -> list[Deferred[Account]]:
        """Let that many members log on, the first with the CID 0."""
        return [self.queue.authenticate(str(cid), "pw") for cid in range(count)]

    def test_few_are_asked_at_once(self) -> None:
        """A third logon waits until one of two checks is over."""
        answers = self.ask(3)
        self.assertEqual((self.store.asked, self.queue.waiting), (["0", "1"], 1))
        self.store.answer(1)
        self.assertEqual((self.store.asked, self.queue.waiting), (["0", "1", "2"], 0))
        self.assertEqual(self.successResultOf(answers[1]).cid, "1")
        self.assertNoResult(answers[0])
        self.assertNoResult(answers[2])
        self.store.answer(2)
        self.assertEqual(self.successResultOf(answers[2]).cid, "2")

    def test_order_of_coming_is_kept(self) -> None:
        """Nobody is checked before those who came before him."""
        self.ask(5)
        for number in (1, 0, 2):
            self.store.answer(number)
        self.assertEqual(self.store.asked, ["0", "1", "2", "3", "4"])

    def test_too_many_are_told_so(self) -> None:
        """The fourth who would wait is told at once, with error 012."""
        answers = self.ask(6)
        error = self.failureResultOf(answers[5], TooManyLogons).value
        self.assertEqual(error.code, ErrorCode.SERVER_FULL)
        self.assertEqual(self.queue.waiting, 3)
        self.store.answer(0)
        self.assertNoResult(self.queue.authenticate("6", "pw"))

    def test_refusals_pass(self) -> None:
        """A wrong password is told, and the next in the queue is checked."""
        answers = self.ask(3)
        self.store.answers[0].errback(InvalidCredentials("0"))
        error = self.failureResultOf(answers[0], InvalidCredentials).value
        self.assertEqual(error.parameter, "0")
        self.store.answers[2].errback(InvalidCredentials("2"))
        self.failureResultOf(answers[2], InvalidCredentials)

    def test_who_leaves_the_queue_is_not_checked(self) -> None:
        """A client who goes while he waits costs no check."""
        answers = self.ask(4)
        answers[2].cancel()
        self.failureResultOf(answers[2], CancelledError)
        self.assertEqual(self.queue.waiting, 1)
        self.store.answer(0)
        self.assertEqual(self.store.asked, ["0", "1", "3"])

    def test_who_leaves_while_he_is_checked(self) -> None:
        """A client may go in the middle of his check; the next has his turn."""
        answers = self.ask(4)
        answers[0].cancel()
        self.failureResultOf(answers[0], CancelledError)
        self.assertEqual(self.store.given_up, ["0"])
        answers[2].cancel()  # he waited, and is being checked by now
        self.failureResultOf(answers[2], CancelledError)
        self.assertEqual(self.store.given_up, ["0", "2"])
        self.store.answer(1)
        self.store.answer(3)
        self.assertEqual(self.successResultOf(answers[3]).cid, "3")

    def test_store_that_raises(self) -> None:
        """A store with a bug blocks nobody else."""
        for _ in range(3):  # more often than may be asked at once
            broken = self.queue.authenticate("0", "not what the store expects")
            self.failureResultOf(broken, AssertionError)

    def test_store_that_begins_to_answer_at_once(self) -> None:
        """However many wait, and however fast the answers come, order is kept."""
        count = 3000
        queue = QueuedAccounts(self.store, at_once=1, longest=count)
        heard: list[str] = []
        for cid in range(count):
            answer = queue.authenticate(str(cid), "pw")
            answer.addCallback(lambda account: heard.append(account.cid))
        self.store.is_quick = True
        self.store.answer(0)
        self.assertEqual(heard[1:], [str(cid) for cid in range(1, count)])

    def test_repr(self) -> None:
        """The manhole shows how many wait."""
        self.ask(3)
        self.assertEqual(repr(self.queue), "<QueuedAccounts: 2 asked, 1 waiting>")
