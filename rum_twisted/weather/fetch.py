"""Asks one URL, with a bound on everything: time, bytes, redirects, connections.

treq asks; what a source may do to us is decided here. An answer is read piece by
piece and cut off at its bound, so one of a gigabyte costs as much memory as one of
the bound. A body that is read for long (a file of all stations) is handled in steps,
one in each turn of the reactor, and the source waits meanwhile.

Two of treq's services are turned off. Answers are not unpacked: a few kilobytes may
grow to gigabytes. And redirects are followed here, so that none leads from TLS to
plain HTTP.

Source: RFC 9110, "Conditional Requests", "Redirection 3xx".
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, NoReturn, Self
from urllib.parse import urljoin, urlsplit

from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.interfaces import (
    IPushProducer,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    IAgent,
    IAgentEndpointFactory,
    IPolicyForHTTPS,
    IResponse,
)
from typing_extensions import override
from zope.interface import implementer

from rum_twisted import __version__
from rum_twisted.terms.units import Seconds
from rum_twisted.weather.heads import BoundedHeads

__all__ = ["Answer", "Fetcher", "Outcome", "SourceFailed", "Validators"]

_AGENT: Final = f"rum-twisted/{__version__}"
_REDIRECTS: Final = 3
_IDLE_CONNECTION: Final = 30  # seconds; most askers come alone
_CLOSING: Final = Seconds(2.0)  # until connections are left to their own end
_SKIPPED: Final = 16_384  # bytes of a body nobody reads; past it its connection goes
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_UNCHANGED: Final = 304
_NOTHING_THERE: Final = frozenset({204, 400, 404, 410, 422})
_OK: Final = 200
_PACKED: Final = b"x-rum-content-encoding"
_LONGEST_REASON: Final = 300  # letters, for the log
_LONGEST_VALIDATOR: Final = 200  # bytes; a longer one is not kept

_HAVE_REASONS: Final = (ResponseFailed, RequestTransmissionFailed)
# ValueError: an address that a redirect made up.
_EXPECTED: Final = (ConnectError, ConnectionClosed, OSError, ValueError)

Consume = Callable[[bytes], Iterator[None]]
"""Takes a piece of a body; each step of what it returns is done in one turn."""


class SourceFailed(Exception):
    """A source did not answer as it should; the text says how, for an operator."""


class Outcome(Enum):
    """What a source said."""

    BODY = auto()
    UNCHANGED = auto()  # since the validators that were sent
    NOTHING = auto()  # there is no such thing here


@dataclass(frozen=True, slots=True)
class Validators:
    """What makes the next request a conditional one."""

    etag: str = ""
    modified: str = ""

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self.etag or self.modified)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A source's answer; ``body`` is empty where it was consumed."""

    outcome: Outcome
    body: bytes = b""
    validators: Validators = Validators()


class Fetcher:
    """Fetches URLs over connections that it keeps for a while.

    Args:
        agent: makes single requests.
        clock: bounds them, and gives turns.
        pool: the connections that ``agent`` keeps, if it does.
        has_tls: whether ``agent`` can ask over TLS.
    """

    def __init__(
        self,
        agent: IAgent,
        clock: IReactorTime,
        pool: HTTPConnectionPool | None = None,
        *,
        has_tls: bool = False,
    ) -> None:
        self._clock = clock
        self._pool = pool
        self._has_tls = has_tls
        cookies = IndexableCookieJar(DefaultCookiePolicy(allowed_domains=()))
        self._client = HTTPClient(_UnpackedAgent(agent), cookies)

    @classmethod
    def over_network(
        cls, reactor: Any, policy: IPolicyForHTTPS | None, *, connections: int
    ) -> Self:
        """Return one that asks over real connections.

        Args:
            reactor: connects, and tells the time.
            policy: proves who a server is; ``None``: there is no TLS.
            connections: how many are kept for each host when nothing is asked.
        """
        pool = HTTPConnectionPool(reactor)
        pool.maxPersistentPerHost = connections
        pool.cachedConnectionTimeout = _IDLE_CONNECTION
        agent = Agent.usingEndpointFactory(reactor, _Endpoints(reactor, policy), pool)
        return cls(agent, reactor, pool, has_tls=policy is not None)

    @override
    def __repr__(self) -> str:
        return f"<Fetcher {'with' if self._has_tls else 'without'} TLS>"

    def fetch(
        self,
        url: str,
        *,
        within: Seconds,
        largest: int,
        validators: Validators = Validators(),
        consume: Consume | None = None,
    ) -> Deferred[Answer]:
        """Ask for a URL.

        Args:
            url: http or https.
            within: the whole time that it may take, redirects and body included.
            largest: bytes of the body; past it the connection is cut.
            validators: of what is known already.
            consume: takes the body piece by piece; by default it is returned.

        Returns:
            a Deferred that fires with the answer, or fails with `SourceFailed`.
            Cancelling it cuts the connection.
        """
        work = Deferred.fromCoroutine(self._fetch(url, largest, validators, consume))
        return _Asked(work, within, self._clock).answer

    async def close(self) -> None:
        """Close the connections that are kept."""
        if self._pool is None:
            return
        closing = self._pool.closeCachedConnections()
        # A peer that never says goodbye is left to TCP.
        with suppress(DeferredTimeout):
            await closing.addTimeout(_CLOSING, self._clock)

    async def _fetch(
        self, url: str, largest: int, validators: Validators, consume: Consume | None
    ) -> Answer:
        clock: Any = self._clock  # treq asks for more than it uses
        for _ in range(_REDIRECTS + 1):
            if urlsplit(url).scheme == "https" and not self._has_tls:
                raise SourceFailed("it asks for TLS, which no source was said to need")
            response = await self._client.get(
                url,
                headers=_headers(validators),
                allow_redirects=False,
                unbuffered=True,
                reactor=clock,
            )
            if response.code not in _MOVED:
                return await self._read(response, largest, consume)
            await self._skip(response)
            url = _next_url(url, response)
        raise SourceFailed(f"it redirects more than {_REDIRECTS} times")

    async def _skip(self, response: IResponse) -> None:
        """Read a body that tells nothing, so that its connection is free again.

        A long one, or one of unknown length, is cut together with its connection.
        """
        body = _Body(self._clock, _SKIPPED, None)
        response.deliverBody(body)
        if not isinstance(response.length, int) or response.length > _SKIPPED:
            body.done.addErrback(lambda failure: failure.trap(CancelledError))
            body.done.cancel()
            return
        with suppress(SourceFailed):
            await body.done

    async def _read(
        self, response: IResponse, largest: int, consume: Consume | None
    ) -> Answer:
        """Read an answer that is no redirect."""
        if response.code == _UNCHANGED:
            await self._skip(response)
            return Answer(outcome=Outcome.UNCHANGED)
        if response.code in _NOTHING_THERE:
            await self._skip(response)
            return Answer(outcome=Outcome.NOTHING)
        fault = _fault_of(response, largest)
        if fault is not None:
            await self._skip(response)
            raise SourceFailed(fault)
        body = _Body(self._clock, largest, consume)
        response.deliverBody(body)
        return Answer(
            outcome=Outcome.BODY,
            body=await body.done,
            validators=_validators_of(response.headers),
        )


def _headers(validators: Validators) -> Headers:
    headers = Headers(
        {"User-Agent": [_AGENT], "Accept": ["text/plain, application/json, */*;q=0.1"]}
    )
    if validators.etag:
        headers.setRawHeaders("If-None-Match", [validators.etag])
    if validators.modified:
        headers.setRawHeaders("If-Modified-Since", [validators.modified])
    return headers


def _header(headers: Headers, name: str) -> str:
    values = headers.getRawHeaders(name.encode("ascii")) or [b""]
    return values[-1].decode("latin-1")


def _validators_of(headers: Headers) -> Validators:
    etag, modified = _header(headers, "etag"), _header(headers, "last-modified")
    return Validators(
        etag=etag if len(etag) <= _LONGEST_VALIDATOR else "",
        modified=modified if len(modified) <= _LONGEST_VALIDATOR else "",
    )


def _fault_of(response: IResponse, largest: int) -> str | None:
    """Return why a body is not worth reading, if it is not."""
    if response.code != _OK:
        return f"HTTP status {response.code}"
    packed = _header(response.headers, _PACKED.decode("ascii"))
    if packed:
        return f"it answered in {packed!r}, though it was asked for plain text"
    length = response.length
    if isinstance(length, int) and length > largest:
        return f"{length} bytes, more than the {largest} that are read"
    return None


def _next_url(url: str, response: IResponse) -> str:
    """Return where a redirect leads.

    Raises:
        SourceFailed: nowhere, or from TLS to plain HTTP.
    """
    location = _header(response.headers, "location")
    try:
        target = urljoin(url, location)
        parts = urlsplit(target)
    except ValueError:
        target, parts = "", urlsplit("")
    if not location or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SourceFailed("it redirects to nowhere")
    if urlsplit(url).scheme == "https" and parts.scheme != "https":
        raise SourceFailed("it redirects from TLS to plain HTTP")
    return target


class _Asked:
    """A request that somebody waits for, until it is done or he gives it up.

    A request that is cut fails in many ways, depending on how far it has come. Which
    of them it is tells nothing: it was late, or it was given up.

    Args:
        work: the request.
        within: the longest time that it may take.
        clock: tells when that is over.
    """

    def __init__(
        self, work: Deferred[Answer], within: Seconds, clock: IReactorTime
    ) -> None:
        self._work = work
        self._within = within
        self._is_given_up = False
        self.answer: Deferred[Answer] = Deferred(self._give_up)
        work.addTimeout(within, clock, self._be_late)
        work.addErrback(_say_plainly).addBoth(self._tell)

    def _give_up(self, answer: Deferred[Answer]) -> None:
        self._is_given_up = True
        self._work.cancel()

    def _be_late(self, result: object, timeout: float) -> NoReturn:
        raise SourceFailed(f"no whole answer within {self._within:g} seconds")

    def _tell(self, result: Answer | Failure) -> None:
        if not self._is_given_up:
            self.answer.callback(result)


def _say_plainly(failure: Failure) -> Failure:
    """Turn the many ways in which a request fails into `SourceFailed`."""
    error = failure.value
    if isinstance(error, SourceFailed):
        return failure
    if isinstance(error, _HAVE_REASONS):
        # One request may have been tried more than once; the last reason counts.
        error = error.reasons[-1].value if error.reasons else error
    elif not isinstance(error, _EXPECTED):
        return failure  # our mistake
    text = " ".join(str(error).split()) or type(error).__name__
    raise SourceFailed(f"{type(error).__name__}: {text}"[:_LONGEST_REASON]) from error


class _Body(Protocol):
    """Reads one body: all of it, or up to its bound.

    Args:
        clock: gives the turns.
        largest: bytes.
        consume: as `Fetcher.fetch` has it.
    """

    def __init__(
        self, clock: IReactorTime, largest: int, consume: Consume | None
    ) -> None:
        self._clock = clock
        self._largest = largest
        self._consume = consume
        self._size = 0
        self._pieces: deque[bytes] = deque()
        self._steps: Iterator[None] | None = None  # of the piece that is at work
        self._turn: Any = None  # the timer of the next step
        self._has_ended = False
        self._is_over = False
        self.done: Deferred[bytes] = Deferred(lambda _: self._cut())

    @override
    def connectionMade(self) -> None:
        """Take hold of where the body comes from."""
        self._source = IPushProducer(self.transport)

    @override
    def dataReceived(self, data: bytes) -> None:
        """Take a piece."""
        if self._is_over:
            return
        self._size += len(data)
        if self._size > self._largest:
            self._fail(SourceFailed(f"more than {self._largest} bytes"))
            return
        self._pieces.append(data)
        if self._consume is not None and self._turn is None:
            self._source.pauseProducing()
            self._turn = self._clock.callLater(0, self._step)

    @override
    def connectionLost(self, reason: Failure | None = None) -> None:
        """Notice the end, good or bad."""
        if self._is_over:
            return
        if reason is not None and not reason.check(ResponseDone, PotentialDataLoss):
            self._fail(SourceFailed("it broke off in the middle of its answer"))
            return
        self._has_ended = True
        if self._turn is None:
            self._finish()

    def _step(self) -> None:
        """Do one step of what is at work, or go on to the next piece."""
        self._turn = None
        assert self._consume is not None, "only then there are steps"
        try:
            if self._steps is None and self._pieces:
                self._steps = self._consume(self._pieces.popleft())
            if self._steps is not None and next(self._steps, self) is self:
                self._steps = None
        except Exception:  # noqa: BLE001 - whatever it is, the request must end
            self._is_over = True
            self._source.stopProducing()
            self.done.errback(Failure())
            return
        if self._steps is not None or self._pieces:
            self._turn = self._clock.callLater(0, self._step)
        elif self._has_ended:
            self._finish()
        else:
            self._source.resumeProducing()

    def _finish(self) -> None:
        self._is_over = True
        self.done.callback(b"" if self._consume else b"".join(self._pieces))
        self._pieces.clear()

    def _fail(self, error: SourceFailed) -> None:
        self._cut()
        self.done.errback(error)

    def _cut(self) -> None:
        """Read no more; the connection is of no use any longer."""
        if self._is_over:
            return
        self._is_over = True
        self._pieces.clear()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if not self._has_ended:
            self._source.stopProducing()


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """Says how a host is connected to."""

    def __init__(self, reactor: Any, policy: IPolicyForHTTPS | None) -> None:
        self._reactor = reactor
        self._policy = policy

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802
        """Return the endpoint of a URI; see `IAgentEndpointFactory`."""
        endpoint = HostnameEndpoint(self._reactor, uri.host, uri.port)
        if uri.scheme == b"https":
            assert self._policy is not None, "it is asked for TLS with a policy only"
            creator = self._policy.creatorForNetloc(uri.host, uri.port)
            return _Bounded(wrapClientTLS(creator, endpoint))
        return _Bounded(endpoint)


@implementer(IStreamClientEndpoint)
class _Bounded:
    """Connects so that the head of an answer is bounded, too."""

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def connect(self, factory: Any) -> Deferred[Any]:
        """Connect; see `IStreamClientEndpoint`."""
        connected: Deferred[Any] = self._endpoint.connect(BoundedHeads(factory))
        # What asks on a connection looks at the protocol that it has made itself.
        return connected.addCallback(lambda wrapper: wrapper.wrappedProtocol)


@implementer(IAgent)
class _UnpackedAgent:
    """Asks for plain bodies, and keeps treq from unpacking those that are not.

    Args:
        agent: the one that asks.
    """

    def __init__(self, agent: IAgent) -> None:
        self._agent = agent

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: Any = None,  # noqa: N803 - Twisted's name
    ) -> Deferred[IResponse]:
        """Ask; see `IAgent`."""
        plain = Headers() if headers is None else headers.copy()
        plain.setRawHeaders(b"accept-encoding", [b"identity"])
        asked = self._agent.request(method, uri, plain, bodyProducer)
        return asked.addCallback(self._hide)

    @staticmethod
    def _hide(response: IResponse) -> IResponse:
        """Move the header that would make treq unpack the body to another name."""
        headers = response.headers
        packed = headers.getRawHeaders(b"content-encoding")
        headers.removeHeader(b"content-encoding")
        headers.removeHeader(_PACKED)
        if packed and packed[-1].strip().lower() != b"identity":
            headers.setRawHeaders(_PACKED, [packed[-1]])
        return response
