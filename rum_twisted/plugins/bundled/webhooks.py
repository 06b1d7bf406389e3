"""Tells web servers what happens: signed, in batches, again if that fails.

Each address has a queue of its own, so that one that is down keeps nothing from the
others. A request is a POST of JSON::

    {"delivery": "6f1e…", "events": [{"event": "logged_on", "callsign": "KLM1", …}]}

with the headers ``X-Rum-Timestamp`` (seconds since 1970) and ``X-Rum-Signature``, the
HMAC-SHA256, in hex, of the timestamp, a dot and the body. Who checks both, and refuses
old timestamps, knows that it comes from here and is new. The same delivery may come
twice; its number tells.
"""

import hashlib
import hmac
import json
import secrets
from collections import deque
from collections.abc import Mapping
from random import Random
from typing import Any, ClassVar, Final

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.defer import TimeoutError as WaitTimeout
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.web.client import Agent, HTTPConnectionPool, ResponseFailed
from typing_extensions import override

from rum_twisted.plugins import (
    Gone,
    Hook,
    LoggedOn,
    Manifest,
    Option,
    PlanFiled,
    PluginContext,
    Text,
)

__all__ = ["Webhooks", "plugin"]

_BATCH: Final = 100  # events in one request
_FIRST_PAUSE: Final = 1.0  # seconds before the second attempt
_LONGEST_PAUSE: Final = 60.0
_JITTER: Final = 0.25
_END_WITHIN: Final = 1.5  # seconds; the host grants two
_GOOD: Final = range(200, 300)
_NAMES: Final = {
    LoggedOn: "logged_on",
    Gone: "gone",
    PlanFiled: "plan",
    Text: "text",
}


class _Refused(Exception):
    """A server has answered with something that is no success."""


class _Unread(Protocol):
    """The body of an answer, of which nothing is read."""

    transport: Any

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()

    @override
    def connectionMade(self) -> None:
        """Close the connection at once."""
        abort = getattr(self.transport, "abortConnection", None)
        (abort or self.transport.loseConnection)()

    @override
    def connectionLost(self, reason: Any = None) -> None:
        """Note that it is closed."""
        if not self.ended.called:
            self.ended.callback(None)


class Webhooks:
    """Passes events on to web servers."""

    manifest: ClassVar = Manifest(
        name="webhooks",
        hooks=frozenset({Hook.LOGGED_ON, Hook.GONE, Hook.PLAN, Hook.TEXT}),
        options=(
            Option(
                name="urls",
                default=(),
                is_required=True,
                about="Addresses that are told, http:// or https://.",
            ),
            Option(
                name="secret",
                default="",
                is_required=True,
                is_secret=True,
                about="What requests are signed with; the receiver knows it, too.",
            ),
            Option(
                name="events",
                default=("logged_on", "gone", "plan"),
                about="What is told: logged_on, gone, plan, text.",
            ),
            Option(
                name="queue",
                default=1000,
                least=1,
                most=100_000,
                about="Events that may wait for one address; past it the oldest go.",
            ),
            Option(
                name="attempts",
                default=8,
                least=1,
                most=100,
                about="How often a request is tried: after 1 s, 2 s, 4 s … up to 60.",
            ),
            Option(
                name="timeout",
                default=10.0,
                least=0.1,
                most=60.0,
                about="Seconds for one attempt.",
            ),
        ),
    )

    def __init__(self, rum: PluginContext, settings: Mapping[str, Any]) -> None:
        unknown = set(settings["events"]) - set(_NAMES.values())
        if unknown:
            raise ValueError(f"events: {min(unknown)}: due are {list(_NAMES.values())}")
        for url in settings["urls"]:
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"urls: {url}: due is http:// or https://")
        self._wanted = frozenset(settings["events"])
        self._posts = [_Post(rum, url, settings) for url in settings["urls"]]

    @override
    def __repr__(self) -> str:
        return f"<Webhooks: {self._posts}>"

    async def logged_on(self, event: LoggedOn) -> None:
        """Pass it on."""
        if event.is_new:
            self._pass_on(event)

    async def gone(self, event: Gone) -> None:
        """Pass it on."""
        self._pass_on(event)

    async def plan(self, event: PlanFiled) -> None:
        """Pass it on."""
        self._pass_on(event)

    async def text(self, event: Text) -> None:
        """Pass it on."""
        self._pass_on(event)

    async def closing(self) -> None:
        """Send what waits, if that takes but a moment; what does not is counted."""
        stopping = [Deferred.fromCoroutine(post.stop()) for post in self._posts]
        await gatherResults(stopping)

    def _pass_on(self, event: LoggedOn | Gone | PlanFiled | Text) -> None:
        name = _NAMES[type(event)]
        if name not in self._wanted:
            return
        content = {"event": name, **event._asdict()}
        if isinstance(event, LoggedOn):
            content["kind"] = event.kind.value
        for post in self._posts:
            post.put(content)


class _Post:
    """One address, and what waits for it.

    Args:
        rum: for the log, and the time.
        url: the address.
        settings: the plugin's.
    """

    def __init__(
        self, rum: PluginContext, url: str, settings: Mapping[str, Any]
    ) -> None:
        self._rum = rum
        self._url = url
        self._secret: bytes = settings["secret"].encode()
        self._longest: int = settings["queue"]
        self._attempts: int = settings["attempts"]
        self._timeout: float = settings["timeout"]
        self._waiting: deque[Mapping[str, object]] = deque()
        self._random = Random()  # noqa: S311 - for pauses
        self._dropped = 0
        self._under_way = 0  # events of the request that is being made
        self._is_over = False  # nothing is tried again
        self._sending: Deferred[None] | None = None
        reactor = rum.reactor
        pool = HTTPConnectionPool(reactor, persistent=False)
        self._client = HTTPClient(
            Agent(reactor, pool=pool, connectTimeout=self._timeout)
        )

    @override
    def __repr__(self) -> str:
        return f"<Post to {self._url}: {len(self._waiting)} wait>"

    def put(self, event: Mapping[str, object]) -> None:
        """Send an event, when it is its turn."""
        if len(self._waiting) >= self._longest:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(event)
        if self._sending is None:
            sending = Deferred.fromCoroutine(self._send_all())
            self._sending = None if sending.called else sending

    async def stop(self) -> None:
        """Send what waits, but not for long; say how much is lost."""
        sending, self._sending = self._sending, None
        if sending is None:
            return
        late = self._rum.reactor.callLater(_END_WITHIN, self._give_up, sending)
        await sending
        if late.active():
            late.cancel()
        lost = self._under_way + len(self._waiting) + self._dropped
        self._waiting.clear()
        if lost:
            self._rum.note(f"{self._url}: {lost} events are lost, since this ends")

    def _give_up(self, sending: Deferred[None]) -> None:
        self._is_over = True
        sending.cancel()

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                # What comes in a moment goes along.
                await deferLater(self._rum.reactor, 0)
                waiting = self._waiting
                batch = [waiting.popleft() for _ in range(min(_BATCH, len(waiting)))]
                self._under_way = len(batch)
                await self._send(batch)
                self._under_way = 0
        except CancelledError:
            pass  # we stop
        finally:
            self._sending = None

    async def _send(self, batch: list[Mapping[str, object]]) -> None:
        """Send a batch, again and again if need be; give it up in the end."""
        delivery = secrets.token_hex(8)
        content: dict[str, object] = {"delivery": delivery, "events": batch}
        if self._dropped:
            content["dropped"] = self._dropped
            self._dropped = 0
        body = json.dumps(content, ensure_ascii=False).encode()
        pause = _FIRST_PAUSE
        trouble = ""
        for attempt in range(self._attempts):
            if attempt:
                jitter = 1 + self._random.uniform(-_JITTER, _JITTER)
                await deferLater(self._rum.reactor, pause * jitter)
                pause = min(pause * 2, _LONGEST_PAUSE)
            trouble = await self._attempt(body)
            if not trouble:
                if attempt:
                    self._rum.note(f"{self._url} is told again")
                return
            if attempt == 0:
                self._rum.note(f"{self._url} is not told: {trouble}; trying again")
        self._rum.note(
            f"{self._url}: {len(batch)} events are lost after {self._attempts} "
            f"attempts: {trouble}"
        )

    async def _attempt(self, body: bytes) -> str:
        """Tell the address once; return what went wrong, or nothing."""
        try:
            await self._try(body)
        except (
            _Refused,
            ConnectError,
            ConnectionClosed,
            OSError,
            ResponseFailed,
            WaitTimeout,
        ) as error:
            if self._is_over:  # a request that is cancelled fails like others
                raise CancelledError from error
            return f"{type(error).__name__}: {error}"
        return ""

    async def _try(self, body: bytes) -> None:
        timestamp = str(int(self._rum.now()))
        signature = hmac.new(
            self._secret, timestamp.encode() + b"." + body, hashlib.sha256
        ).hexdigest()
        headers: dict[bytes | str, bytes | str] = {
            "Content-Type": "application/json",
            "X-Rum-Timestamp": timestamp,
            "X-Rum-Signature": signature,
        }
        requesting: Deferred[Any] = self._client.request(
            "POST",
            self._url,
            data=body,
            headers=headers,
            allow_redirects=False,  # a secret's signature goes where it was sent
            unbuffered=True,
        )
        requesting.addTimeout(self._timeout, self._rum.reactor)
        response = await requesting
        # Whatever it says besides does not matter, and may be endless.
        unread = _Unread()
        response.deliverBody(unread)
        await unread.ended.addTimeout(self._timeout, self._rum.reactor)
        if response.code not in _GOOD:
            raise _Refused(f"HTTP {response.code}")


plugin = Webhooks
