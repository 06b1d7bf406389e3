"""The database as a server asks it: with patience, and never on the reactor's time.

A database is restarted, locked by a backup, or its machine is gone for half a minute.
Nobody who is online needs it then, and who logs on can wait: he is asked again when it
is back, or told within his bound that it is not. So there is one place that knows
whether the database is there. While it is not, nobody asks it but one look at a time,
with growing pauses; and the log has one line when it goes and one when it is back.

Before the first question the tables are looked at. If they are not those of this
program, another process brings them forward: `rum_twisted.accounts.migrate`.

::

    CLOSED ──start──▶ AWAY ──a look succeeds──▶ THERE
                        ▲                         │
                        └──a question finds it gone, locked or slow
"""

from collections.abc import Callable, Coroutine
from enum import Enum
from functools import partial
from random import Random
from typing import Any, Final, TypeVar

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.accounts.directory import (
    FOUND_AT_ONCE,
    AccountDirectory,
    WrongDatabase,
)
from rum_twisted.accounts.engine import make_file, shown, trouble_of
from rum_twisted.accounts.member import Member
from rum_twisted.accounts.migrate import Outcome, check
from rum_twisted.rpc.bridge import deferred
from rum_twisted.terms.units import Seconds

__all__ = ["DatabaseAway", "PatientDatabase", "Question"]

T = TypeVar("T")
Question = Callable[[AccountDirectory], Coroutine[Any, Any, T]]

_QUESTIONS_AT_ONCE: Final = 2  # beside look-ups
_LOOKUPS_AT_ONCE: Final = 2 * FOUND_AT_ONCE  # half are answered, half gather
_FIRST_PAUSE: Final = Seconds(0.25)
_LONGEST_PAUSE: Final = Seconds(2.0)  # a look costs next to nothing
_PAUSE_IF_UNUSABLE: Final = Seconds(60.0)  # somebody has to do something first
_JITTER: Final = (0.5, 1.0)  # of the pause, so that servers do not come all at once
_STEADY: Final = Seconds(30.0)  # who is back for so long is back
_TOLD_AGAIN: Final = Seconds(60.0)  # of trouble that comes again and again
_CLOSING_TIMEOUT: Final = Seconds(3.0)
_GRACE: Final = Seconds(1.0)  # the driver's own bound comes first, with better words
_STOPPED: Final = "the server is not running"
_OPENING: Final = "it has not been opened yet"
_BUG: Final = "an error of the server; see its log"


class DatabaseAway(Exception):
    """The database has not answered within the bound; the text says why."""


class _State(Enum):
    CLOSED = "closed"
    AWAY = "away"
    THERE = "there"


class _Asking:
    """Where somebody who asks has come to."""

    __slots__ = ("is_given_up", "is_put")

    def __init__(self) -> None:
        self.is_put = False  # the database has the question
        self.is_given_up = False  # nobody waits for the answer


class PatientDatabase(Service):
    """Asks the database, and waits while it is away.

    Invariants: while it is not there, nothing is asked but by one look at a time;
    nobody waits for it to come back while it is there; nothing is under way while the
    service does not run.

    Args:
        url: where it is; for the log, and to make SQLite's file.
        directory: what questions are put to.
        clock: times the pauses and the bounds.
        query_timeout: how long one question may take.
        migrate: brings the tables forward, in another process; tells what came of it.
        random: for the jitter.
        run: makes a Deferred of a question.
    """

    log = Logger()

    def __init__(  # noqa: PLR0913 - each has its own reason
        self,
        url: URL,
        directory: AccountDirectory,
        clock: IReactorTime,
        *,
        query_timeout: Seconds,
        migrate: Callable[[], Deferred[tuple[Outcome, str]]],
        random: Random,
        run: Callable[[Coroutine[Any, Any, Any]], Deferred[Any]] = deferred,
    ) -> None:
        self.name = "database"
        self._url = url
        self._shown = shown(url)
        self._directory = directory
        self._clock = clock
        self._query_timeout = query_timeout
        self._migrate = migrate
        self._random = random
        self._run = run
        self._state = _State.CLOSED
        self._trouble = _STOPPED
        self._is_told = False  # the operator knows of the trouble
        self._has_been_there = False
        self._away_since = 0.0
        self._back_at: float | None = None  # since then it is there
        self._told_at: float | None = None  # the last line about trouble
        self._pause = _FIRST_PAUSE
        self._next_look: IDelayedCall | None = None
        self._look: Deferred[None] | None = None
        self._turns = DeferredSemaphore(_QUESTIONS_AT_ONCE)
        self._lookups = DeferredSemaphore(_LOOKUPS_AT_ONCE)
        self._pen = DeferredSemaphore(1)  # who writes; SQLite lets one at a time
        self._waiting: dict[Deferred[None], None] = {}  # in order
        self._works: set[Deferred[Any]] = set()

    @override
    def __repr__(self) -> str:
        return (
            f"<PatientDatabase {self._shown}: {self._state.value},"
            f" {len(self._works)} asking, {len(self._waiting)} waiting>"
        )

    @property
    def is_there(self) -> bool:
        """Whether it answered when it was asked last."""
        return self._state is _State.THERE

    def unready(self) -> str:
        """Tell why nobody can log on; see `Needed`."""
        return "" if self.is_there else "the member database does not answer"

    @property
    def waiting(self) -> int:
        """How many questions wait until it is back."""
        return len(self._waiting)

    @override
    def startService(self) -> None:
        """Look for it, and go on looking until it is there."""
        super().startService()
        if self._state is not _State.CLOSED:
            return
        self._state = _State.AWAY
        self._trouble = _OPENING
        self._is_told = False
        self._has_been_there = False
        self._back_at = self._told_at = None
        self._pause = _FIRST_PAUSE
        self._away_since = self._clock.seconds()
        self._look_now()

    @override
    def stopService(self) -> Deferred[None]:
        """Give up what is asked, and close the connections.

        Returns:
            a Deferred that fires when they are closed, or will not be in good time.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._close())

    def ask(self, question: Question[T], within: Seconds | None) -> Deferred[T]:
        """Ask, again if need be, until there is an answer.

        Args:
            question: it may be asked more than once.
            within: when to give up; ``None``: when the service stops.

        Returns:
            a Deferred that fires with the answer. It fails with `DatabaseAway`, or with
            what the question itself raised. Cancelling it ends the waiting; a question
            that the database has already comes to its end, and nobody hears the answer.
        """
        asking = _Asking()
        return self._bound(
            self._begin(asking, self._ask(asking, question, self._turns)), within
        )

    def find(self, cid: str, within: Seconds | None) -> Deferred[Member | None]:
        """Look a member up, as `ask` does.

        More are looked up at a time than other questions are put, because the
        directory asks for several at once.
        """
        asking = _Asking()
        question = partial(_find, cid=cid)
        return self._bound(
            self._begin(asking, self._ask(asking, question, self._lookups)), within
        )

    def write(self, question: Question[T]) -> Deferred[T]:
        """Ask for a change, once.

        Returns:
            a Deferred that fires with the answer. It fails with `DatabaseAway` if the
            database is away, or goes; the change may have been made all the same.
            Writers have their turns in order.
        """
        asking = _Asking()
        return self._begin(asking, self._write(asking, question))

    def when_there(self) -> Deferred[None]:
        """Return a Deferred that fires when it is there, at once or later.

        It fails with `DatabaseAway` when the service stops.
        """
        if self.is_there:
            waiter: Deferred[None] = Deferred()
            waiter.callback(None)
            return waiter
        if self._state is _State.CLOSED:
            waiter = Deferred()
            waiter.errback(DatabaseAway(_STOPPED))
            return waiter
        waiter = Deferred(lambda gone: self._waiting.pop(gone, None))
        self._waiting[waiter] = None
        return waiter

    def _bound(self, answer: Deferred[T], within: Seconds | None) -> Deferred[T]:
        if within is None:
            return answer
        return answer.addTimeout(within, self._clock, self._give_up)

    def _begin(
        self, asking: _Asking, coroutine: Coroutine[Deferred[Any], Any, T]
    ) -> Deferred[T]:
        """Let a coroutine work, and return an answer that can leave before it ends."""

        def give_up(_answer: Deferred[T]) -> None:
            asking.is_given_up = True
            # A statement that is cut off costs its connection, and a new one costs
            # more than the answer that nobody hears.
            if not asking.is_put:
                work.cancel()

        answer: Deferred[T] = Deferred(give_up)
        work = Deferred.fromCoroutine(coroutine)
        self._works.add(work)

        def end(outcome: T | Failure) -> None:
            self._works.discard(work)
            if not answer.called:
                answer.callback(outcome)  # a Failure, too

        work.addBoth(end)
        return answer

    async def _ask(
        self, asking: _Asking, question: Question[T], turns: DeferredSemaphore
    ) -> T:
        while not asking.is_given_up:
            await self.when_there()
            async with turns:
                if not self.is_there:
                    continue  # it has gone again, while others had their turns
                asking.is_put = True
                try:
                    return await self._attempt(question)
                except Exception as error:
                    trouble = trouble_of(error)
                    if trouble is None:
                        raise
                    self._lose(trouble)
                finally:
                    asking.is_put = False
        raise CancelledError

    async def _write(self, asking: _Asking, question: Question[T]) -> T:
        async with self._pen:
            self._check_it_is_there()
            asking.is_put = True
            try:
                return await self._attempt(question)
            except Exception as error:
                trouble = trouble_of(error)
                if trouble is None:
                    raise
                # Perhaps only writing is in trouble: then readers need not wait.
                if self.is_there:
                    self._look_now()
                raise DatabaseAway(trouble) from error

    def _check_it_is_there(self) -> None:
        if not self.is_there:
            raise DatabaseAway(self._trouble)

    async def _attempt(self, question: Question[T]) -> T:
        try:
            return await self._put(question)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        # A connection that was kept open is dead, and by now all such are dropped.
        return await self._put(question)

    def _put(self, question: Question[T]) -> Deferred[T]:
        """Put a question to the directory, within its bound."""
        return self._run(question(self._directory)).addTimeout(
            self._query_timeout + _GRACE, self._clock, _too_slow
        )

    def _give_up(self, _outcome: object, _within: float) -> Any:
        raise DatabaseAway(self._trouble)

    # Going away and coming back.

    def _lose(self, trouble: str) -> None:
        """Note that a question found no answer, and look what it is."""
        if self._state is not _State.THERE:
            return
        now = self._clock.seconds()
        self._state = _State.AWAY
        self._away_since = now
        self._is_told = False
        if self._back_at is None or now - self._back_at >= _STEADY:
            self._pause = _FIRST_PAUSE
            self._tell(trouble)
            self._look_now()
            return
        # A look finds it, and whoever asks more does not: a damaged file, a locked
        # table. To look again at once would go on without end, as fast as it can.
        self._trouble = trouble
        if self._told_at is None or now - self._told_at >= _TOLD_AGAIN:
            self._tell(trouble)
        self._look_later()

    def _look_now(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None
        if self._look is None:
            self._look = Deferred.fromCoroutine(self._look_at_it())
            # It may have ended already.
            self._look.addBoth(self._end_look)

    def _end_look(self, outcome: object) -> None:
        self._look = None
        if isinstance(outcome, Failure) and not outcome.check(CancelledError):
            self.log.failure("member database {name}: look failed", outcome)
        if self._state is _State.AWAY:
            self._look_later()

    def _look_later(self) -> None:
        """Look after a pause, the next one after a longer one."""
        if self._look is not None or self._next_look is not None:
            return
        low, high = _JITTER
        delay = self._pause * self._random.uniform(low, high)
        self._pause = Seconds(min(self._pause * 2, _LONGEST_PAUSE))
        self._next_look = self._clock.callLater(delay, self._look_again)

    def _look_again(self) -> None:
        self._next_look = None
        self._look_now()

    async def _look_at_it(self) -> None:
        """Find out whether the database is there and ours."""
        try:
            await self._open()
        except CancelledError:
            raise
        except WrongDatabase as error:
            self._miss(str(error), is_wrong=True)
        except DatabaseAway as error:
            self._miss(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, looking goes on
            self._miss(trouble_of(error) or self._tell_bug())
        else:
            self._come_back()

    async def _open(self) -> None:
        """Look at the tables, and have them brought forward if they are old.

        Raises:
            WrongDatabase: they are not ours, or cannot be brought forward.
            DatabaseAway: it went while they were.
            Exception: the driver's.
        """
        if not self._has_been_there:
            make_file(self._url)
        if not check(await self._put(lambda directory: directory.version())):
            return
        outcome, words = await self._migrate()
        match outcome:
            case Outcome.DONE:
                self.log.info(
                    "member database {name}: tables are made or renewed, {words}",
                    name=self._shown,
                    words=words,
                )
            case Outcome.AWAY:
                raise DatabaseAway(words)
            case Outcome.WRONG:
                raise WrongDatabase(words)
            case Outcome.FAILED:
                self.log.debug("migration: {words}", words=words)
                raise WrongDatabase(
                    f"its tables cannot be renewed: {words.splitlines()[-1]}"
                )

    def _tell_bug(self) -> str:
        if not self._is_told:
            self.log.failure("member database {name}: not opened", name=self._shown)
        return _BUG

    def _miss(self, trouble: str, *, is_wrong: bool = False) -> None:
        """Note that a look has not found it."""
        if self._state is _State.CLOSED:
            return
        if self._state is _State.THERE:
            self._state = _State.AWAY
            self._away_since = self._clock.seconds()
            self._pause = _FIRST_PAUSE
            self._is_told = False
        if is_wrong:
            self._refuse(trouble)
        elif not self._is_told:
            self._tell(trouble)
        else:
            self._trouble = trouble

    def _tell(self, trouble: str) -> None:
        self._trouble = trouble
        self._is_told = True
        self._told_at = self._clock.seconds()
        self.log.warn(
            "member database {name} does not answer: {trouble}; logons wait for it,"
            " nobody online is concerned",
            name=self._shown,
            trouble=trouble,
        )

    def _refuse(self, trouble: str) -> None:
        """Tell of a database that waiting does not help; it may be replaced, though."""
        if trouble != self._trouble:
            self.log.error(
                "member database {name} cannot be used: {trouble}; nobody can log on",
                name=self._shown,
                trouble=trouble,
            )
        self._trouble = trouble
        self._is_told = True
        self._pause = _PAUSE_IF_UNUSABLE

    def _come_back(self) -> None:
        if self._state is not _State.AWAY:
            return
        self._state = _State.THERE
        self._back_at = self._clock.seconds()
        waiting, self._waiting = self._waiting, {}
        if self._is_told:
            self.log.info(
                "member database {name} answers again, after {seconds:.1f} s;"
                " {waiting} waited for it",
                name=self._shown,
                seconds=self._clock.seconds() - self._away_since,
                waiting=len(waiting),
            )
        elif not self._has_been_there:
            self.log.info("member database {name} is open", name=self._shown)
        self._is_told = False
        self._has_been_there = True
        self._trouble = ""
        for waiter in waiting:
            if not waiter.called:
                waiter.callback(None)

    async def _close(self) -> None:
        if self._state is _State.CLOSED:
            return
        self._state = _State.CLOSED
        self._trouble = _STOPPED
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting:
            waiter.errback(DatabaseAway(_STOPPED))
        for work in (self._look, *self._works):
            if work is not None:
                work.cancel()
        closing = self._run(self._directory.close())
        closing.addTimeout(_CLOSING_TIMEOUT, self._clock)
        try:
            await closing
        except Exception as error:  # noqa: BLE001 - it ends all the same
            self.log.debug("member database: closed with {error!r}", error=error)


def _find(directory: AccountDirectory, cid: str) -> Coroutine[Any, Any, Member | None]:
    return directory.find(cid)


def _too_slow(outcome: object, _timeout: float) -> Any:
    """Name what addTimeout did; an answer that came in spite of it counts."""
    if isinstance(outcome, Failure) and outcome.check(CancelledError):
        raise TimeoutError
    return outcome
