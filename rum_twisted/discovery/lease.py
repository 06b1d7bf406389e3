"""The lease of this process: taken once, kept alive, and taken anew if etcd lost it.

::

             start               granted              due
      IDLE ─────────▶ GRANTING ──────────▶ HELD ◀────────────▶ RENEWING
       ▲                ▲   │ failed        │ lost   renewed,     │ lost
       │            due │   ▼               ▼        failed       ▼
       │                └─ WAITING ◀────────┴─────────────────────┘
       │
       ├──────────────────────── stop ── GRANTING, WAITING
       └── ended ── REVOKING ◀── stop ── HELD, RENEWING

Only etcd knows whether a lease has ended. So an outage, however long, ends nothing
here: the same lease is renewed until etcd says that there is no such lease. Then, and
only then, another is taken; so two of them can never alternate.
"""

from collections.abc import Callable
from random import Random
from typing import Any, Final, Protocol

from automat import TypeMachineBuilder
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.discovery.backoff import Backoff
from rum_twisted.discovery.errors import EtcdError, LeaseLost
from rum_twisted.discovery.interfaces import Grant, IEtcd
from rum_twisted.terms.units import Seconds

__all__ = ["Lease"]

RENEWALS_IN_A_LIFE: Final = 3  # two may fail before the lease is in danger
LONGEST_WAIT: Final = Seconds(5.0)  # between trials to get one
_EARLIER: Final = 0.1  # up to this share: a thousand leases do not stay in step


class _Steps(Protocol):
    """What can happen to a lease."""

    def start(self) -> None:
        """Somebody needs it."""

    def granted(self, grant: Grant) -> None:
        """Etcd has given it."""

    def renewed(self) -> None:
        """It lives on."""

    def failed(self) -> None:
        """A request failed, for a reason that says nothing about the lease."""

    def lost(self) -> None:
        """Etcd knows no such lease."""

    def due(self) -> None:
        """The time has come for what was waited for."""

    def stop(self) -> None:
        """Nobody needs it any more."""

    def ended(self) -> None:
        """It is revoked, or at least that was tried."""


class _Actions:
    """What the machine does, and all that it knows.

    Invariant: at most one request or one timer is open; none in IDLE.
    """

    log = Logger()

    def __init__(
        self, etcd: IEtcd, clock: IReactorTime, ttl: Seconds, random: Random
    ) -> None:
        self.etcd = etcd
        self.lease = 0
        self.held: Callable[[int], None] = lambda _: None
        self.gone: Callable[[], None] = lambda: None
        self.troubled: Callable[[Exception], None] = lambda _: None
        self.fine: Callable[[], None] = lambda: None
        self._clock = clock
        self.ttl = ttl
        self._between = Seconds(ttl / RENEWALS_IN_A_LIFE)
        self._random = random
        self._backoff = Backoff(random, longest=LONGEST_WAIT)
        self._request: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = None
        self._waiters: list[Deferred[None]] = []

    def ask(
        self,
        request: Deferred[Any],
        steps: _Steps,
        answered: Callable[[Any], None],
        within: float,
    ) -> None:
        """Wait for an answer; `steps` hears what became of it."""

        def fired(outcome: object) -> None:
            if self._request is not request:
                return  # it was given up meanwhile
            self._request = None
            if not isinstance(outcome, Failure):
                answered(outcome)
            elif outcome.check(LeaseLost):
                self.be_quick()  # etcd is there; others believe that we are not
                steps.lost()
            else:
                self._report(outcome)
                steps.failed()

        self._request = request
        request.addTimeout(within, self._clock)
        request.addBoth(fired)

    def grant(self, steps: _Steps) -> None:
        """Ask for a lease."""
        limit = float(self.etcd.request_timeout)
        self.ask(self.etcd.grant(self.ttl), steps, steps.granted, limit)

    def renew(self, steps: _Steps) -> None:
        """Ask for its whole time again."""
        limit = min(float(self.etcd.request_timeout), self._between)
        self.ask(self.etcd.renew(self.lease), steps, lambda _: steps.renewed(), limit)

    def revoke(self, steps: _Steps) -> None:
        """End it; etcd would do so too, but only after its time."""
        limit = float(self.etcd.request_timeout)
        lease, self.lease = self.lease, 0
        self.ask(self.etcd.revoke(lease), steps, lambda _: steps.ended(), limit)

    def wait_for_trial(self, steps: _Steps) -> None:
        """Wait a little, and longer each time."""
        self._wait(self._backoff.wait(), steps)

    def wait_for_renewal(self, steps: _Steps) -> None:
        """Wait until it is time to renew."""
        share = 1.0 - _EARLIER * self._random.random()
        self._wait(Seconds(share * self._between), steps)

    def wait_after_failure(self, steps: _Steps) -> None:
        """Wait until the renewal may be tried again."""
        self._wait(Seconds(min(self._backoff.wait(), self._between)), steps)

    def be_quick(self) -> None:
        """Begin with short waits again."""
        self._backoff.reset()

    def drop(self) -> None:
        """Give up the request or the timer that is open."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        request, self._request = self._request, None
        if request is not None:
            request.cancel()

    def when_idle(self) -> Deferred[None]:
        """Return a Deferred that fires in IDLE."""
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def tell_idle(self) -> None:
        """Fire what `when_idle` has returned."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)

    def _wait(self, seconds: Seconds, steps: _Steps) -> None:
        def due() -> None:
            self._timer = None
            steps.due()

        self._timer = self._clock.callLater(seconds, due)

    def _report(self, failure: Failure) -> None:
        if not failure.check(EtcdError, defer.TimeoutError, defer.CancelledError):
            self.log.failure("the lease: a request failed", failure)
        if isinstance(failure.value, Exception):
            self.troubled(failure.value)


_builder: Final = TypeMachineBuilder(_Steps, _Actions)
_idle: Final = _builder.state("IDLE")
_granting: Final = _builder.state("GRANTING")
_waiting: Final = _builder.state("WAITING")
_held: Final = _builder.state("HELD")
_renewing: Final = _builder.state("RENEWING")
_revoking: Final = _builder.state("REVOKING")


@_idle.upon(_Steps.start).to(_granting)
@_waiting.upon(_Steps.due).to(_granting)
def _ask_for_one(steps: _Steps, actions: _Actions) -> None:
    actions.grant(steps)


@_granting.upon(_Steps.granted).to(_held)
def _take(steps: _Steps, actions: _Actions, grant: Grant) -> None:
    actions.lease = grant.lease
    actions.wait_for_renewal(steps)
    actions.fine()
    actions.held(grant.lease)


@_granting.upon(_Steps.failed).to(_waiting)
@_granting.upon(_Steps.lost).to(_waiting)
def _try_later(steps: _Steps, actions: _Actions) -> None:
    actions.wait_for_trial(steps)


@_held.upon(_Steps.due).to(_renewing)
def _renew(steps: _Steps, actions: _Actions) -> None:
    actions.renew(steps)


@_renewing.upon(_Steps.renewed).to(_held)
def _live_on(steps: _Steps, actions: _Actions) -> None:
    actions.be_quick()
    actions.fine()
    actions.wait_for_renewal(steps)


@_renewing.upon(_Steps.failed).to(_held)
def _renew_soon(steps: _Steps, actions: _Actions) -> None:
    actions.wait_after_failure(steps)


@_held.upon(_Steps.lost).to(_waiting)
@_renewing.upon(_Steps.lost).to(_waiting)
def _take_another(steps: _Steps, actions: _Actions) -> None:
    actions.drop()
    actions.lease = 0
    actions.wait_for_trial(steps)
    actions.gone()


@_granting.upon(_Steps.stop).to(_idle)
@_waiting.upon(_Steps.stop).to(_idle)
def _give_up(steps: _Steps, actions: _Actions) -> None:
    actions.drop()
    actions.tell_idle()


@_held.upon(_Steps.stop).to(_revoking)
@_renewing.upon(_Steps.stop).to(_revoking)
def _end(steps: _Steps, actions: _Actions) -> None:
    actions.drop()
    actions.revoke(steps)


@_revoking.upon(_Steps.ended).to(_idle)
@_revoking.upon(_Steps.failed).to(_idle)
@_revoking.upon(_Steps.lost).to(_idle)
def _is_over(steps: _Steps, actions: _Actions) -> None:
    actions.tell_idle()


@_idle.upon(_Steps.stop).to(_idle)
def _is_over_already(steps: _Steps, actions: _Actions) -> None:
    actions.tell_idle()


for _state in (_granting, _waiting, _held, _renewing):
    _state.upon(_Steps.start).loop().returns(None)
_revoking.upon(_Steps.stop).loop().returns(None)

_Machine: Final = _builder.build()


class Lease:
    """One lease, for as long as somebody needs it; the module tells its states.

    Args:
        etcd: where it is.
        clock: when to renew it.
        ttl: how long it lives without us, whole seconds.
        random: spreads renewals and trials.
        held: called with the lease when it is granted.
        gone: called when it turns out that it has ended.
        troubled: called with what each failed request failed with.
        fine: called after each that did not fail.
    """

    def __init__(  # noqa: PLR0913 - four it needs, three it tells
        self,
        etcd: IEtcd,
        clock: IReactorTime,
        ttl: Seconds,
        random: Random,
        *,
        held: Callable[[int], None],
        gone: Callable[[], None],
        troubled: Callable[[Exception], None],
        fine: Callable[[], None] = lambda: None,
    ) -> None:
        self._actions = _Actions(etcd, clock, ttl, random)
        self._actions.held = held
        self._actions.gone = gone
        self._actions.troubled = troubled
        self._actions.fine = fine
        self._machine: _Steps = _Machine(self._actions)

    @override
    def __repr__(self) -> str:
        lease = self._actions.lease
        return f"<Lease {lease:x}>" if lease else "<Lease: none>"

    @property
    def lease(self) -> int:
        """The lease's number at etcd; 0: there is none now."""
        return self._actions.lease

    def start(self) -> None:
        """Take a lease, if there is none; not while it is being ended."""
        self._machine.start()

    def lost(self) -> None:
        """Say that etcd has answered that there is no such lease."""
        if self._actions.lease:
            self._machine.lost()

    def stop(self) -> Deferred[None]:
        """End it.

        Returns:
            a Deferred that fires when it is ended or, in bounded time, when that
            could not be done.
        """
        idle = self._actions.when_idle()
        self._machine.stop()
        return idle
