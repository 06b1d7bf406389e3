"""What all clients of one service share: its instances, and how calls go to them."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final, NamedTuple, TypeVar

from google.protobuf.message import Message
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.rpc.budget import RetryBudget
from rum_twisted.rpc.channels import LEAVE_GRACE, Channels
from rum_twisted.rpc.deadline import DEADLINE
from rum_twisted.rpc.errors import ClientClosed, Code, NoInstance, RpcError
from rum_twisted.rpc.hedge import Hedge
from rum_twisted.rpc.interfaces import IInstances, IRules, IWatch
from rum_twisted.rpc.method import Method
from rum_twisted.rpc.metrics import CallMetrics, Label
from rum_twisted.rpc.options import CallOptions, FailMode
from rum_twisted.rpc.routing import Routing
from rum_twisted.rpc.selection import make_selector
from rum_twisted.rpc.target import Metadata, Target
from rum_twisted.terms.instance import Instance, InstanceState
from rum_twisted.terms.rule import Posted
from rum_twisted.terms.units import Seconds

__all__ = ["NOBODY", "Line", "ServiceClient", "Tools"]

A = TypeVar("A", bound=Message)

MOST_INSTANCES: Final = 500  # of one service: each costs a connection
NOBODY: Final = "none"  # the address of calls that have found no instance


class Line:
    """A line of a program that asks for clients."""

    __slots__ = ("is_told", "open", "place")

    def __init__(self, place: str) -> None:
        self.place = place  # file:line
        self.open = 0  # references that it asked for and has not given back
        self.is_told = False


@dataclass(frozen=True, slots=True)
class Tools:
    """What the clients of all services share."""

    instances: IInstances
    channels: Channels
    metrics: CallMetrics
    random: Random
    now: Callable[[], Seconds]
    log: Logger
    rules: IRules | None = None  # None: no service has one


class _Call(NamedTuple):
    """What all attempts of one call have in common."""

    method: Method[Any, Any]
    request: Any
    deadline: float
    key: str
    who: str
    metadata: Metadata | None


class ServiceClient:
    """What all clients of one service share.

    Invariant: there is a target for each instance that may be called, and its
    endpoint is held.
    """

    def __init__(self, name: str, options: CallOptions, tools: Tools) -> None:
        self.name = name
        self.references = 0
        self.unused_since = tools.now()
        self.dropped: deque[Line] = deque()
        self._options = options
        self._tools = tools
        self._now = tools.now
        self._budget = RetryBudget(options.retry_ratio)
        self._routing = Routing(
            partial(make_selector, options.select_mode, options.zone, tools.random),
            options.group,
            options.zone,
            self._count_turned_away,
        )
        self._targets: dict[tuple[str, str], Target] = {}
        self._is_closed = False
        self._has_too_many = False
        self._watches: list[IWatch] = []

    @override
    def __repr__(self) -> str:
        return (
            f"<Client of {self.name}: {self._routing.able} instances, "
            f"{self._routing.broken} broken, {self.references} references>"
        )

    def open(self) -> None:
        """Learn who plays the service, now and from now on."""
        instances, rules = self._tools.instances, self._tools.rules
        if rules is not None:
            self._watches.append(rules.watch_rules(self._change_rules))
            self._change_rules(rules.rules())
        self._watches.append(instances.watch(self.name, self._change))
        self._change(instances.instances(self.name))

    def give_back(self) -> None:
        """Count one reference less."""
        self.references -= 1
        if self.references == 0:
            self.unused_since = self._now()

    def close(self, grace: Seconds) -> None:
        """Watch no more and let all endpoints go."""
        if not self._is_closed:
            self._is_closed = True
            for watch in self._watches:
                watch.stop()
            for target in self._targets.values():
                self._let_go(target, grace)
            self._targets.clear()
            self._routing.change([])

    async def call(
        self,
        method: Method[Any, A],
        request: Any,
        timeout: float | None,
        key: str,
        who: str,
        metadata: Metadata | None,
    ) -> A:
        """Call a method; see `XClient.call`."""
        if self._is_closed:
            raise ClientClosed(f"{self.name}: the clients have been stopped")
        options = self._options
        now = self._now()
        deadline = now + (options.timeout if timeout is None else timeout)
        inherited = DEADLINE.get()
        if inherited is not None and inherited < deadline:
            deadline = inherited
        if deadline <= now:
            raise RpcError(
                Code.DEADLINE_EXCEEDED,
                "the time for it was over before it began",
                method=method.path,
            )
        self._budget.deposit()
        who = who or key or self._nobody()
        target = self._pick(method, key, who, now)
        mode = options.fail_mode
        if mode is FailMode.FAILFAST or not method.may_repeat:
            return await target.attempt(method, request, deadline - now, metadata)
        call = _Call(method, request, deadline, key, who, metadata)
        if mode is FailMode.FAILBACKUP:
            answer: A = await self._back_up(call, target)
        elif mode is FailMode.FAILTRY:
            answer = await self._repeat(call, target, options.retries + 1)
        else:
            known = self._routing.known
            answer = await self._repeat(call, target, min(options.retries + 1, known))
        return answer

    def version_for(self, who: str) -> str:
        """Return the version that is tried with a member; see `XClient`."""
        return self._routing.version_for(who)

    async def _repeat(self, call: "_Call", target: Target, attempts: int) -> Any:
        """Ask up to so many times, each time another instance, or with Failtry not."""
        tried = [target]
        while True:
            # Whoever hangs shall leave time for the next.
            timeout = (call.deadline - self._now()) / attempts
            try:
                return await target.attempt(
                    call.method, call.request, timeout, call.metadata
                )
            except RpcError as error:
                attempts -= 1
                if attempts == 0 or not self._may_repeat(error, call.deadline):
                    raise
                following = await self._next(call, tried)
                if following is None:
                    raise
            target = following
            tried.append(target)

    async def _next(self, call: "_Call", tried: list[Target]) -> Target | None:
        """Return who is asked after those; ``None`` if there is nobody."""
        if self._options.fail_mode is FailMode.FAILTRY:
            await self._pause(len(tried))
            if not tried[-1].is_gone:
                return tried[-1]
        return self._routing.choose(call.key, call.who, self._now(), tried)

    async def _back_up(self, call: "_Call", target: Target) -> Any:
        """Ask another instance too if the first takes long; the loser is cancelled."""
        first = target.attempt(
            call.method, call.request, call.deadline - self._now(), call.metadata
        )
        hedge = Hedge(partial(self._ask_another, call, target))
        return await hedge.run(first, self._options.backup_delay)

    def _ask_another(self, call: "_Call", target: Target) -> "asyncio.Task[Any] | None":
        """Begin a second attempt elsewhere, if there is anybody and it can be paid."""
        now = self._now()
        backup = self._routing.choose(call.key, call.who, now, [target])
        if backup is None or now >= call.deadline or not self._budget.withdraw(now):
            return None
        attempt = backup.attempt(
            call.method, call.request, call.deadline - now, call.metadata
        )
        return asyncio.get_running_loop().create_task(attempt)

    def _may_repeat(self, error: RpcError, deadline: float) -> bool:
        """Whether another attempt makes sense, is in time, and can be paid."""
        now = self._now()
        return (
            error.code.blames_instance
            and now < deadline
            and self._budget.withdraw(Seconds(now))
        )

    async def _pause(self, attempt: int) -> None:
        """Wait before the same instance is asked again."""
        longest = self._options.retry_pause * 2 ** (attempt - 1)
        await asyncio.sleep(longest * self._tools.random.uniform(0.5, 1.0))

    def _pick(
        self, method: Method[Any, Any], key: str, who: str, now: Seconds
    ) -> Target:
        """Return who is asked first."""
        target = self._routing.choose(key, who, now, ())
        if target is not None:
            return target
        if not self._targets:
            details = "no instance is known that may be called"
        elif self._routing.keeps_off_all:
            details = f"{len(self._targets)} instances, the traffic rule allows none"
        else:
            details = f"{len(self._targets)} instances, none has answered of late"
        self._tools.metrics.series(
            Label(service=self.name, method=method.path, address=NOBODY, version="")
        ).observe(0.0, Code.UNAVAILABLE)
        raise NoInstance(
            Code.UNAVAILABLE, f"{self.name}: {details}", method=method.path
        )

    def _nobody(self) -> str:
        """Return what stands for a member where no call is anybody's in particular."""
        return "" if self._routing.rule is None else str(self._tools.random.random())

    def _count_turned_away(self, version: str) -> None:
        """Count a call that a new version could not even be asked."""
        label = Label(service=self.name, method="", address=NOBODY, version=version)
        self._tools.metrics.series(label).observe(0.0, Code.UNAVAILABLE)

    def _change_rules(self, rules: tuple[Posted, ...]) -> None:
        """Take up by what rule calls go now."""
        found = [each.rule for each in rules if each.rule.service == self.name]
        rule = found[0] if found else None
        if rule != self._routing.rule and not self._is_closed:
            self._routing.change_rule(rule)

    def _change(self, instances: tuple[Instance, ...]) -> None:
        """Take up who plays the service now."""
        if self._is_closed:
            return
        wanted = {
            (instance.name, instance.address): instance
            for instance in self._bounded(
                [each for each in instances if self._may_be_called(each)]
            )
        }
        for key in [key for key in self._targets if key not in wanted]:
            self._let_go(self._targets.pop(key), LEAVE_GRACE)
        for key, instance in wanted.items():
            target = self._targets.get(key)
            if target is not None and target.instance.started == instance.started:
                target.instance = instance
                continue
            if target is not None:  # another process at the same place
                self._let_go(target, LEAVE_GRACE)
            self._targets[key] = self._target(instance)
        self._routing.change(list(self._targets.values()))

    def _target(self, instance: Instance) -> Target:
        tools = self._tools
        return Target(
            instance,
            tools.channels.acquire(instance.address),
            now=tools.now,
            random=tools.random,
            metrics=tools.metrics,
            changed=self._routing.sort_out,
        )

    def _let_go(self, target: Target, grace: Seconds) -> None:
        target.retire()
        self._tools.channels.release(target.endpoint, grace)

    def _may_be_called(self, instance: Instance) -> bool:
        group = self._options.group
        return (
            instance.state is InstanceState.UP
            and instance.weight > 0
            and (not group or instance.group == group)
        )

    def _bounded(self, instances: list[Instance]) -> list[Instance]:
        """Return no more instances than we have connections for."""
        has_too_many = len(instances) > MOST_INSTANCES
        if has_too_many and not self._has_too_many:
            self._tools.log.warn(
                "{service}: {count} instances; {most} of them are called",
                service=self.name,
                count=len(instances),
                most=MOST_INSTANCES,
            )
        self._has_too_many = has_too_many
        return sorted(instances, key=lambda each: each.name)[:MOST_INSTANCES]
