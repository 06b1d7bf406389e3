"""A store behind a guard."""

from math import ceil
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.accounts.guarded import GuardedAccounts
from rum_twisted.accounts.queue import TooManyLogons
from rum_twisted.accounts.throttle import Limits, Throttle
from rum_twisted.session.interfaces import (
    Account,
    AccountsUnavailable,
    IAccounts,
    InvalidCredentials,
    TooManyFailures,
)
from rum_twisted.terms.errors import ErrorCode
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.units import Seconds

HOME, CAFE = "192.0.2.1", "198.51.100.7"
AT_ONCE = Seconds(0.0)
TOO_MANY = "too many wrong passwords"
TURN = 0.000_001  # seconds


@implementer(IAccounts)
class Store:
    """Knows one password, ``right``, and answers when the test says so."""

    def __init__(self) -> None:
        self.is_quick = True
        self.asked = 0
        self.given_up = 0
        self.held: list[tuple[Deferred[Account], str, str]] = []

    def authenticate(
        self, cid: str, password: str, address: str = ""
    ) -> Deferred[Account]:
        """Take a question down; see `IAccounts`."""
        self.asked += 1
        answer: Deferred[Account] = Deferred(self._give_up)
        self.held.append((answer, cid, password))
        if self.is_quick:
            self.answer()
        return answer

    def answer(self, error: Exception | None = None) -> None:
        """Answer the oldest question."""
        answer, cid, password = self.held.pop(0)
        if error is not None:
            answer.errback(error)
        elif password == "right":
            answer.callback(Account(cid, Rating.OBSERVER))
        else:
            answer.errback(InvalidCredentials(cid))

    def _give_up(self, answer: Deferred[Account]) -> None:
        self.given_up += 1
        self.held = [question for question in self.held if question[0] is not answer]


class Turns(Clock):
    """A clock on which what is due at once is due in the next turn, as in a reactor."""

    @override
    def callLater(self, delay: float, *args: Any, **kwargs: Any) -> IDelayedCall:
        """Schedule a call; see `IReactorTime`."""
        return super().callLater(delay or TURN, *args, **kwargs)


class GuardTestCase(SynchronousTestCase):
    """A guard before a store: two wrong passwords of a CID are free."""

    step = AT_ONCE

    @override
    def setUp(self) -> None:
        """Put the guard before the store."""
        self.clock = Turns()
        self.clock.advance(1000.0)
        self.store = Store()
        self.told: list[str] = []
        self.guard = GuardedAccounts(
            self.store,
            Throttle(Limits(free_per_cid=2, free_per_address=20)),
            self.clock,
            self.told.append,
            step=self.step,
        )

    def ask(
        self, password: str, cid: str = "ann", address: str = CAFE
    ) -> Deferred[Account]:
        """Let somebody try."""
        return self.guard.authenticate(cid, password, address)

    def mistype(self, times: int, cid: str = "ann", address: str = CAFE) -> None:
        """Let somebody type so many wrong passwords, one after the other."""
        for _ in range(times):
            self.failureResultOf(self.ask("wrong", cid, address), InvalidCredentials)

    def assert_locked(self, answer: Deferred[Account], notice: str) -> None:
        """Check that somebody has to wait, and reads how long."""
        error = self.failureResultOf(answer, TooManyFailures).value
        self.assertEqual(error.notice, f"too many wrong passwords; {notice}")
        self.assertEqual(error.code, ErrorCode.INVALID_CREDENTIALS)
        self.assertEqual(error.parameter, "ann")


class GuardTests(GuardTestCase):
    """Who is let to the store, and what is counted."""

    def test_right_password_is_passed_on(self) -> None:
        """A member logs on as if there were no guard."""
        self.assertEqual(
            self.successResultOf(self.ask("right")), Account("ann", Rating.OBSERVER)
        )

    def test_too_many_wrong_passwords_have_to_wait(self) -> None:
        """After the third wrong one even the right one waits, and costs no work."""
        self.mistype(3)
        self.assert_locked(self.ask("right"), "wait 2 s")
        self.assert_locked(self.ask("wrong"), "wait 2 s")
        self.assertEqual(self.store.asked, 3)

    def test_wait_ends(self) -> None:
        """When it is over, the right password is right."""
        self.mistype(3)
        self.clock.advance(1.2)
        self.assert_locked(self.ask("right"), "wait 1 s")
        self.clock.advance(0.8)
        self.successResultOf(self.ask("right"))

    def test_long_waits_are_told_in_minutes(self) -> None:
        """Nobody counts 900 seconds."""
        for wait in (2, 4, 8, 16, 32, 64):
            self.mistype(3 if wait == 2 else 1)
            self.clock.advance(wait)
        self.mistype(1)
        self.assert_locked(self.ask("right"), "wait 3 min")

    def test_right_password_begins_anew(self) -> None:
        """Who logs on has all his free failures again."""
        self.mistype(2)
        self.successResultOf(self.ask("right"))
        self.mistype(2)
        self.successResultOf(self.ask("right"))

    def test_unknown_cid_is_counted_alike(self) -> None:
        """That a CID has to wait does not tell that somebody has it."""
        self.mistype(3, "nobody")
        error = self.failureResultOf(self.ask("x", "nobody"), TooManyFailures).value
        self.assertEqual(error.notice, "too many wrong passwords; wait 2 s")

    def test_member_at_home_is_let_in(self) -> None:
        """What a stranger types for a CID does not keep its owner out."""
        self.successResultOf(self.ask("right", address=HOME))
        self.mistype(3)
        self.successResultOf(self.ask("right", address=HOME))

    def test_other_errors_are_no_failures(self) -> None:
        """A store that is away or full counts against nobody."""
        self.store.is_quick = False
        for error in (AccountsUnavailable(), TooManyLogons(), RuntimeError("a bug")):
            for _ in range(4):
                answer = self.ask("right")
                self.store.answer(error)
                self.failureResultOf(answer, type(error))
        self.assertEqual(self.guard.lockouts(), ())

    def test_store_that_raises_is_a_failed_answer(self) -> None:
        """A store with a bug raises nothing into the session."""

        @implementer(IAccounts)
        class Broken:
            """Cannot even make a Deferred."""

            def authenticate(
                self, cid: str, password: str, address: str = ""
            ) -> Deferred[Account]:
                """Raise; see `IAccounts`."""
                raise RuntimeError("a bug")

        guard = GuardedAccounts(
            Broken(), Throttle(Limits()), self.clock, self.told.append
        )
        self.failureResultOf(guard.authenticate("ann", "pw"), RuntimeError)

    def test_who_goes_away_is_no_failure(self) -> None:
        """Who hangs up while he is checked is not counted, and the check is dropped."""
        self.store.is_quick = False
        for _ in range(9):
            answer = self.ask("wrong")
            answer.cancel()
            self.failureResultOf(answer, CancelledError)
        self.assertEqual(self.store.given_up, 9)
        self.store.is_quick = True
        self.successResultOf(self.ask("right"))

    def test_looking_at_it_shows_what_is_behind(self) -> None:
        """The manhole shows guard and store in one line."""
        self.assertIn("failures of 0 CIDs", repr(self.guard))


class AtTheSameMomentTests(GuardTestCase):
    """Many guesses come at once, before the first has proved wrong."""

    @override
    def setUp(self) -> None:
        """Let the store take its time."""
        super().setUp()
        self.store.is_quick = False

    def test_guesses_beyond_the_free_ones_tell_nothing(self) -> None:
        """Of a hundred at one moment three are answered; the right one is not."""
        answers = [self.ask("wrong") for _ in range(5)]
        answers += [self.ask("right"), self.ask("wrong")]
        for _ in answers:
            self.store.answer()
        for answer in answers[:3]:
            self.failureResultOf(answer, InvalidCredentials)
        for answer in answers[3:]:
            self.assert_locked(answer, "wait 2 s")

    def test_neither_is_counted(self) -> None:
        """The wait afterwards does not tell whether one of them was right."""
        answers = [self.ask("wrong") for _ in range(6)] + [self.ask("right")]
        for _ in answers:
            self.store.answer()
        for answer in answers:
            self.failureResultOf(answer)
        (lockout,) = self.guard.lockouts()
        self.assertEqual((lockout.failures, lockout.seconds), (3, 2.0))

    def flood(self, times: int) -> list[Deferred[Account]]:
        """Let one address try many CIDs; return the answers, the last one right."""
        answers = [self.ask("wrong", f"cid{number}") for number in range(times - 1)]
        return [*answers, self.ask("right", "cid")]

    def test_what_waits_is_taken_back(self) -> None:
        """Others do not wait for a thousand checks of an address that is locked."""
        answers = self.flood(1000)
        other = self.ask("right", "bob", HOME)
        for _ in range(21):  # 20 are free
            self.store.answer()
        turns = 0
        while self.clock.getDelayedCalls():
            before = self.store.given_up
            self.clock.advance(TURN)
            self.assertLessEqual(self.store.given_up - before, 32)
            turns += 1
        self.assertEqual(turns, ceil((1000 - 21) / 32))
        self.assertEqual(self.store.given_up, 1000 - 21)
        self.store.answer()
        self.successResultOf(other)
        for answer in answers[:21]:
            self.failureResultOf(answer, InvalidCredentials)
        for answer in answers[21:]:
            self.failureResultOf(answer, TooManyFailures)
        (lockout,) = self.guard.lockouts()
        self.assertEqual((lockout.key, lockout.failures), (CAFE, 21))

    def test_what_is_lifted_meanwhile_goes_on(self) -> None:
        """An operator is faster: nobody is taken back."""
        answers = self.flood(30)
        for _ in range(21):
            self.store.answer()
        self.guard.lift(CAFE)
        self.clock.advance(TURN)
        self.assertEqual(self.store.given_up, 0)
        for _ in range(9):
            self.store.answer()
        self.successResultOf(answers.pop())
        for answer in answers:
            self.failureResultOf(answer, InvalidCredentials)

    def test_others_of_the_same_address_are_taken_back_by_cid(self) -> None:
        """Where only a CID is locked, others behind the address are checked."""
        guesses = [self.ask("wrong") for _ in range(5)]
        neighbor = self.ask("right", "bob")
        for _ in range(3):
            self.store.answer()
        self.clock.advance(TURN)
        self.assertEqual(self.store.given_up, 2)
        self.store.answer()
        self.successResultOf(neighbor)
        for guess in guesses[:3]:
            self.failureResultOf(guess, InvalidCredentials)
        for guess in guesses[3:]:
            self.assert_locked(guess, "wait 2 s")

    def test_nothing_is_kept_of_what_is_over(self) -> None:
        """When all have their answers, the guard remembers none of the checks."""
        answers = self.flood(40)
        answers[5].cancel()
        for _ in range(21):
            self.store.answer()
        self.clock.advance(TURN)
        for answer in answers:
            self.failureResultOf(answer)
        self.assertEqual(vars(self.guard)["_checks"], {})

    def test_member_at_home_is_no_victim(self) -> None:
        """While strangers guess, the member himself is let in."""
        welcome = self.ask("right", address=HOME)
        self.store.answer()
        self.successResultOf(welcome)
        for _ in range(3):
            guess = self.ask("wrong")
            self.store.answer()
            self.failureResultOf(guess, InvalidCredentials)
        again = self.ask("right", address=HOME)
        self.store.answer()
        self.successResultOf(again)


class StepTests(GuardTestCase):
    """How long a refusal takes does not tell how the password is kept."""

    step = Seconds(0.5)

    @override
    def setUp(self) -> None:
        """Let the store take its time."""
        super().setUp()
        self.store.is_quick = False

    def assert_told_after(self, answer: Deferred[Account], due: float) -> Failure:
        """Check that nothing is told before that time, and then it is."""
        self.clock.advance(due - 0.01)
        self.assertNoResult(answer)
        self.clock.advance(0.01)
        failure: Failure = self.failureResultOf(answer)
        return failure

    def test_refusals_leave_half_a_second_after_the_question(self) -> None:
        """However long the store thought: 1 ms or 490, the answer comes at 500."""
        for thought in (0.001, 0.02, 0.25, 0.49):
            answer = self.ask("wrong", cid=f"cid{thought}")
            self.clock.advance(thought)
            self.store.answer()
            failure = self.assert_told_after(answer, 0.5 - thought)
            self.assertTrue(failure.check(InvalidCredentials))

    def test_later_ones_leave_at_the_next_step(self) -> None:
        """Where the store took more than a step, the refusal leaves at the second."""
        answer = self.ask("wrong")
        self.clock.advance(0.6)
        self.store.answer()
        self.assert_told_after(answer, 0.4)

    def test_who_was_locked_meanwhile_is_told_in_step_too(self) -> None:
        """Neither does the right password show by an early answer."""
        answers = [self.ask("wrong") for _ in range(4)] + [self.ask("right")]
        self.clock.advance(0.1)
        for _ in answers:
            self.store.answer()
        self.clock.advance(0.39)
        for answer in answers:
            self.assertNoResult(answer)
        self.clock.advance(0.01)
        self.failureResultOf(answers[0], InvalidCredentials)
        for answer in answers[3:]:
            self.assert_locked(answer, "wait 2 s")
        for answer in answers[1:3]:
            self.failureResultOf(answer, InvalidCredentials)

    def test_answer_without_a_thought_leaves_in_step_too(self) -> None:
        """A store that knows at once tells no sooner than one that has to look."""
        answer = self.ask("wrong")
        self.store.answer()
        self.assert_told_after(answer, 0.5)

    def test_right_password_does_not_wait(self) -> None:
        """A member is let in as soon as he has proved who he is."""
        answer = self.ask("right")
        self.clock.advance(0.02)
        self.store.answer()
        self.successResultOf(answer)

    def test_who_goes_away_leaves_no_timer(self) -> None:
        """Hanging up before the refusal ends the wait for it."""
        answer = self.ask("wrong")
        self.clock.advance(0.02)
        self.store.answer()
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class StaffTests(GuardTestCase):
    """What the staff and the log are told."""

    def test_lockout_is_told_once(self) -> None:
        """When the waiting begins, the staff reads who and from where."""
        with capturedLogs() as logs:
            self.mistype(3)
            self.clock.advance(2.0)
            self.mistype(1)
        self.assertEqual(
            self.told,
            [f"{TOO_MANY} for CID ann, the last from {CAFE}"],
        )
        (event,) = logs
        self.assertEqual(event["log_level"], LogLevel.warn)
        self.assertEqual(
            formatEvent(event),
            f"{TOO_MANY} for CID ann, the last from {CAFE}: further "
            "tries have to wait; `rumctl lockouts` shows and lifts that",
        )

    def test_address_is_told_as_it_is_counted(self) -> None:
        """Who tries many CIDs from a /64 is told by that."""
        for number in range(21):
            self.mistype(1, f"cid{number}", "2001:db8::1")
        self.assertEqual(
            self.told,
            [
                f"{TOO_MANY} for address 2001:db8::/64, the last from 2001:db8::1",
            ],
        )

    def test_many_lockouts_are_summed_up(self) -> None:
        """A flood of them costs the staff one line in ten seconds."""
        with capturedLogs() as logs:
            for number in range(4):
                self.mistype(3, f"cid{number}", f"192.0.2.{number}")
            self.clock.advance(10.0)
            self.mistype(3, "cid9", HOME)
        self.assertEqual(len(logs), 5)
        self.assertEqual(
            self.told,
            [
                f"{TOO_MANY} for CID cid0, the last from 192.0.2.0",
                f"{TOO_MANY} for CID cid9, the last from {HOME}, and 3 others before",
            ],
        )

    def test_what_strangers_type_is_made_plain(self) -> None:
        """No control code and no endless name reaches a chat or the log."""
        self.mistype(3, "\x1b[2Jé" + "x" * 500, "")
        shown = "?[2J?" + "x" * 27 + "..."
        self.assertEqual(
            self.told,
            [f"{TOO_MANY} for CID {shown}, the last from an unknown address"],
        )

    def test_no_password_is_told(self) -> None:
        """Neither staff nor log read what was typed."""
        with capturedLogs() as logs:
            for _ in range(3):
                self.failureResultOf(self.ask("hunter2"), InvalidCredentials)
        for text in (*self.told, *(formatEvent(event) for event in logs)):
            self.assertNotIn("hunter2", text)
        self.assertEqual((len(self.told), len(logs)), (1, 1))

    def test_operator_lists_and_lifts(self) -> None:
        """He sees who waits, and lets him go."""
        self.mistype(3)
        (lockout,) = self.guard.lockouts()
        self.assertEqual((lockout.key, lockout.seconds), ("ann", 2.0))
        self.assertTrue(self.guard.lift("ann"))
        self.assertFalse(self.guard.lift("ann"))
        self.successResultOf(self.ask("right"))
