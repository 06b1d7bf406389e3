"""Traces of calls between processes, for OpenTelemetry; imported only where wanted.

Each call by an `XClient` is a span, each answer of a server another, and what joins
them goes along with the call as W3C's ``traceparent``. Ended spans wait in a bounded
queue for a thread that sends them over HTTP (OTLP): when the collector is away the
queue drops, and no call waits or fails for it.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import (
    TraceContextTextMapPropagator,
)
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted import __version__
from rum_twisted.rpc.errors import Code, RpcError
from rum_twisted.rpc.target import Metadata
from rum_twisted.terms.units import Seconds

__all__ = ["MOST_WAITING", "Tracing"]

MOST_WAITING: Final = 2048  # ended spans; about 2 kB each
_BATCH: Final = 256
_EVERY_MS: Final = 2000.0
_ANSWER_WITHIN: Final = Seconds(2.0)  # of the collector
_STOP_WITHIN: Final = Seconds(3.0)
_PATH: Final = "/v1/traces"
_LIBRARY: Final = "opentelemetry"  # its own logger's name
_SILENCE: Final = logging.NullHandler()


class Tracing(Service):
    """Makes spans of calls, and sends them to a collector.

    Args:
        endpoint: the collector's address, e.g. ``http://127.0.0.1:4318``.
        ratio: of the traces that begin here, so many are kept; who is called does as
            his caller.
        reactor: ends it in a thread, so that nobody waits.
        name: of this process.

    Invariant: at most `MOST_WAITING` spans wait.
    """

    log = Logger()
    name = "tracing"

    def __init__(self, endpoint: str, ratio: float, reactor: Any, name: str) -> None:
        has_path = endpoint.rstrip("/").count("/") > len("//")
        self._endpoint = endpoint if has_path else endpoint.rstrip("/") + _PATH
        self._ratio = ratio
        self._reactor = reactor
        self._process = name
        self._provider: TracerProvider | None = None
        self._exporter: OTLPSpanExporter | None = None
        self._tracer: trace.Tracer = trace.NoOpTracer()
        self._context = TraceContextTextMapPropagator()
        self._troubles = _Troubles(self._tell)

    @override
    def __repr__(self) -> str:
        return f"<Tracing {self._ratio:g} to {self._endpoint}>"

    @override
    def startService(self) -> None:
        """Make spans from now on; the thread that sends them begins."""
        if self.running:
            return
        super().startService()
        logger = logging.getLogger(_LIBRARY)
        logger.propagate = False
        logger.addHandler(self._troubles)
        resource = Resource.create(
            {
                "service.name": "rum",
                "service.version": __version__,
                "service.instance.id": self._process,
            }
        )
        sampler = ParentBased(TraceIdRatioBased(self._ratio))
        provider = TracerProvider(
            sampler=sampler, resource=resource, shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(self._endpoint, timeout=_ANSWER_WITHIN)
        self._exporter = exporter
        provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=MOST_WAITING,
                schedule_delay_millis=_EVERY_MS,
                max_export_batch_size=_BATCH,
            )
        )
        self._provider = provider
        self._tracer = provider.get_tracer("rum_twisted.rpc", __version__)

    @override
    def stopService(self) -> Deferred[Any]:
        """Send what waits; the Deferred fires when that is done, or given up."""
        super().stopService()
        provider, self._provider = self._provider, None
        exporter, self._exporter = self._exporter, None
        self._tracer = trace.NoOpTracer()
        logger = logging.getLogger(_LIBRARY)
        logger.removeHandler(self._troubles)
        logger.addHandler(_SILENCE)  # else Python itself prints what comes now
        if provider is None or exporter is None:
            return succeed(None)
        ending = deferToThreadPool(
            self._reactor, self._reactor.getThreadPool(), provider.shutdown
        )
        # Else its thread would try all that waits, batch by batch, and the process
        # would not end before.
        return ending.addTimeout(
            _STOP_WITHIN, self._reactor, lambda *_: exporter.shutdown()
        )

    @contextmanager
    def client(
        self, service: str, path: str, metadata: Metadata | None
    ) -> Iterator[Metadata]:
        """Make a span of a call; yields what goes along with it."""
        with self._span(path, SpanKind.CLIENT, None, service=service):
            carrier: dict[str, str] = {}
            self._context.inject(carrier)
            yield (*(metadata or ()), *carrier.items())

    @contextmanager
    def server(self, path: str, metadata: Any) -> Iterator[Callable[[Code], None]]:
        """Make a span of an answer; yields what is told how it ended."""
        carrier = {key: value for key, value in metadata if isinstance(value, str)}
        parent = self._context.extract(carrier)
        with self._span(path, SpanKind.SERVER, parent) as span:
            yield lambda code: _end(span, code)

    @contextmanager
    def _span(
        self, path: str, kind: SpanKind, parent: Any, **more: str
    ) -> Iterator[Span]:
        service, _, method = path.strip("/").partition("/")
        attributes = {
            "rpc.system": "grpc",
            "rpc.service": service,
            "rpc.method": method,
            **{f"rum.{name}": value for name, value in more.items()},
        }
        with self._tracer.start_as_current_span(
            path.strip("/"),
            context=parent,
            kind=kind,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except RpcError as error:
                _end(span, error.code)
                raise

    def _tell(self, text: str) -> None:
        """Tell the operator of a trouble, once; the library's threads call this."""
        self._reactor.callFromThread(
            self.log.warn, "traces cannot be sent: {trouble}", trouble=text
        )


class _Troubles(logging.Handler):
    """What the library has to complain about: the first of it is told."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell
        self._is_told = False

    @override
    def emit(self, record: logging.LogRecord) -> None:
        if not self._is_told:
            self._is_told = True
            self._tell(record.getMessage()[:500])


def _end(span: Span, code: Code) -> None:
    span.set_attribute("rpc.grpc.status_code", code.value)
    if code is not Code.OK:
        span.set_status(StatusCode.ERROR, code.name)
