"""Python plugins in this process: plain methods in a thread, others by the reactor.

A plain method may wait for whatever it likes: only later events of the same plugin wait
with it. An ``async def`` is run by the reactor, and one that does not give it back
holds up everything in this process; so does memory, and code in C that keeps Python's
lock. Who runs plugins that he does not know gives the role a process of its own.
"""

from collections.abc import Callable, Coroutine
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as WaitTimeout
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.plugins.guard import Guard
from rum_twisted.plugins.interfaces import IGuest
from rum_twisted.plugins.worker import Worker
from rum_twisted.session.hooks import (
    GO_ON,
    Ask,
    Command,
    Connected,
    Event,
    Gone,
    Hook,
    Line,
    LoggedOn,
    LoggingOn,
    PlanFiled,
    PositionSample,
    Service,
    Text,
    Verdict,
)
from rum_twisted.terms.units import Seconds

__all__ = ["HOOK_OF", "LocalGuest"]

AT_A_TIME: Final = 256  # events that one visit to the thread takes along
CLOSE_WITHIN: Final = Seconds(2.0)  # for what a plugin does at the end

HOOK_OF: Final[dict[type[Any], Hook]] = {
    Connected: Hook.CONNECTED,
    LoggingOn: Hook.LOGGING_ON,
    LoggedOn: Hook.LOGGED_ON,
    Line: Hook.LINE,
    PositionSample: Hook.POSITION,
    Text: Hook.TEXT,
    Command: Hook.COMMAND,
    PlanFiled: Hook.PLAN,
    Gone: Hook.GONE,
    Service: Hook.SERVICE,
}
"""The hook of each kind of event."""


@implementer(IGuest)
class LocalGuest:
    """A Python plugin.

    Args:
        plugin: an `IPlugin`'s instance.
        name: the plugin's.
        methods: of the plugin, for each of its hooks.
        reactor: what this process runs on.
    """

    log = Logger()

    def __init__(
        self,
        plugin: object,
        name: str,
        methods: dict[Hook, Callable[[Any], Any]],
        reactor: Any,
    ) -> None:
        self.plugin = plugin
        self._reactor = reactor
        self._methods = methods
        self._is_async = {
            hook for hook, method in methods.items() if iscoroutinefunction(method)
        }
        self._worker = Worker(f"plugin {name}")
        self._guard: Guard | None = None
        self._is_working = False
        self._working: Deferred[None] | None = None  # fires when the inbox is empty
        self._busy_since: float | None = None

    @override
    def __repr__(self) -> str:
        return f"<LocalGuest {self.plugin!r}>"

    def start(self, guard: Guard) -> None:
        """Begin; see `IGuest`."""
        self._guard = guard

    def wake(self) -> None:
        """Take what is in the inbox, unless that is being done; see `IGuest`."""
        if self._is_working or self._guard is None:
            return
        self._is_working = True
        working = Deferred.fromCoroutine(self._work(self._guard))
        self._working = working if self._is_working else None

    def busy_since(self) -> float | None:
        """Tell since when it has been at one event; see `IGuest`."""
        return self._busy_since

    def stop(self) -> Deferred[None]:
        """End; a plugin that has a method ``closing`` is told before. See `IGuest`."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._guard = None
        if self._working is not None:
            self._working.cancel()
        closing = getattr(self.plugin, "closing", None)
        if closing is not None:
            try:
                await self._begin(closing).addTimeout(CLOSE_WITHIN, self._reactor)
            except WaitTimeout:
                self.log.warn("{plugin} did not end in time", plugin=self.plugin)
            except Exception:  # noqa: BLE001 - somebody else's code
                self.log.failure("{plugin} did not end well", plugin=self.plugin)
        self._worker.end()

    def _begin(self, closing: Callable[[], Any]) -> Deferred[Any]:
        """Call ``closing``, where methods of its kind are called."""
        if iscoroutinefunction(closing):
            return Deferred.fromCoroutine(closing())
        done: Deferred[Any] = Deferred()

        def end(outcome: object) -> None:
            if not done.called:
                done.callback(outcome)

        def close() -> None:
            try:
                outcome: object = closing()
            except BaseException:  # noqa: BLE001 - the thread has to go on
                outcome = Failure()
            self._reactor.callFromThread(end, outcome)

        self._worker.run(close)
        return done

    async def _work(self, guard: Guard) -> None:
        """Handle what is in the inbox, one event after the other."""
        try:
            while self._guard is guard and (items := guard.inbox.take(AT_A_TIME)):
                await self._handle_all(guard, items)
        except CancelledError:
            pass  # we stop
        finally:
            self._is_working = False
            self._working = None
            self._busy_since = None

    async def _handle_all(self, guard: Guard, items: list[Ask]) -> None:
        plain: list[Ask] = []
        for item in items:
            hook = HOOK_OF[type(item[1])]
            if hook not in self._is_async:
                plain.append(item)
                continue
            if plain:
                await self._handle_elsewhere(guard, plain)
                plain = []
            await self._handle_here(guard, item, self._methods[hook])
        if plain:
            await self._handle_elsewhere(guard, plain)

    async def _handle_here(
        self,
        guard: Guard,
        item: Ask,
        method: Callable[[Event], Coroutine[Any, Any, Any]],
    ) -> None:
        number, event = item
        self._busy_since = self._reactor.seconds()
        try:
            result = await method(event)
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - somebody else's code
            self._note(guard, number, error)
        else:
            self._report(guard, number, result)
        self._busy_since = None

    async def _handle_elsewhere(self, guard: Guard, items: list[Ask]) -> None:
        """Handle events in the plugin's thread, and wait for that."""
        done: Deferred[None] = Deferred()
        self._busy_since = self._reactor.seconds()
        self._worker.run(partial(self._run, guard, items, done))
        await done
        self._busy_since = None

    def _run(self, guard: Guard, items: list[Ask], done: Deferred[None]) -> None:
        """Handle events; in the thread."""
        call = self._reactor.callFromThread
        have_succeeded = False
        for number, event in items:
            self._busy_since = self._reactor.seconds()
            try:
                result = self._methods[HOOK_OF[type(event)]](event)
            except BaseException as error:  # noqa: BLE001 - the thread has to go on
                call(self._note, guard, number, error)
                continue
            if number:
                call(self._report, guard, number, result)
            else:
                have_succeeded = True
        call(self._finish, guard, done, have_succeeded=have_succeeded)

    def _finish(
        self, guard: Guard, done: Deferred[None], *, have_succeeded: bool
    ) -> None:
        if have_succeeded:
            guard.note_done()
        if not done.called:
            done.callback(None)

    def _report(self, guard: Guard, number: int, result: object) -> None:
        """Tell the guard what a method has returned."""
        if not number:
            guard.note_done()
        elif result is None:
            guard.answer(number, GO_ON)
        elif isinstance(result, Verdict):
            guard.answer(number, result)
        else:
            guard.fail(number, f"answered {result!r}: due is a Verdict or None")

    def _note(self, guard: Guard, number: int, error: BaseException) -> None:
        """Tell the guard that a method has raised; the traceback is for developers."""
        self.log.debug(
            "{plugin} has raised: {error!r}", plugin=self.plugin, error=error
        )
        guard.fail(number, f"{type(error).__name__}: {error}")
