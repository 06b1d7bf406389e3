"""Calls leave traces at a collector, and its troubles are nobody's."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from typing_extensions import override

from rum_twisted.rpc.bridge import future
from rum_twisted.rpc.client import XClient, XClients
from rum_twisted.rpc.errors import Code, RpcError
from rum_twisted.rpc.generated import weather_pb2 as pb2
from rum_twisted.rpc.server import RpcServer, ServerSettings
from rum_twisted.rpc.servicing import IServicer
from rum_twisted.rpc.tracing import MOST_WAITING, Tracing
from rum_twisted.rpc.weather import METAR
from tests.integration.asyncio_case import AsyncioTestCase
from tests.integration.rpcserver import Reporter
from tests.integration.test_roles import RolesTestCase
from tests.integration.test_xclient import Relay
from tests.support.fabric import ListedInstances, chance, make_instance
from tests.support.httpserver import Exchange, serve_http
from tests.support.twistd import PATIENCE, free_port


@contextmanager
def collector() -> Iterator[tuple[str, list[Span]]]:
    """Collect spans over HTTP; yields the address, and what has come."""
    spans: list[Span] = []

    class Handler(BaseHTTPRequestHandler):
        """Takes all that comes."""

        def do_POST(self) -> None:
            """Take spans."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", spans
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()


class TracingTests(AsyncioTestCase):
    """A client, a server that asks another one, and that one."""

    def serve(self, reporter: IServicer, tracing: Tracing) -> str:
        """Serve; return the address."""
        server = RpcServer(ServerSettings(), [reporter], self.reactor)
        server.tracing = tracing
        server.startService()
        self.addCleanup(server.stopService)
        return server.address

    def client(self, address: str, tracing: Tracing) -> XClient:
        """Return a client of an address."""
        instances = ListedInstances(make_instance("one", address))
        clients = XClients(instances, self.reactor, chance())
        clients.tracing = tracing
        clients.startService()
        client = clients.client("weather")
        self.addCleanup(clients.stopService)
        self.addCleanup(client.close)
        return client

    def chain(self, tracing: Tracing) -> tuple[Reporter, XClient]:
        """Return who is asked in the end, and a client of a relay to him."""
        last = Reporter("last")
        relay = Relay(self.client(self.serve(last, tracing), tracing))
        return last, self.client(self.serve(relay, tracing), tracing)

    def test_parents_and_children(self) -> Deferred[None]:
        """Four spans of one trace: call, answer, call, answer, one from the other."""

        async def check() -> None:
            with collector() as (address, spans):
                tracing = Tracing(address, 1.0, self.reactor, "test")
                tracing.startService()
                _, client = self.chain(tracing)
                await client.call(METAR, pb2.StationRequest(station="EHAM"))
                await future(tracing.stopService())
            self.assertEqual(len(spans), 4)
            self.assertEqual(len({span.trace_id for span in spans}), 1)
            children = {span.parent_span_id: span for span in spans}
            found, parent = [], b""
            while parent in children:
                span = children[parent]
                found.append(span.kind)
                self.assertEqual(span.name, "rum.v1.Weather/Metar")
                parent = span.span_id
            call, answer = Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_SERVER
            self.assertEqual(found, [call, answer, call, answer])

        return self.run_here(check())

    def test_nothing_is_kept_of_the_others(self) -> Deferred[None]:
        """With a ratio of 0 there are calls, and no spans."""

        async def check() -> None:
            with collector() as (address, spans):
                tracing = Tracing(address, 0.0, self.reactor, "test")
                tracing.startService()
                _, client = self.chain(tracing)
                await client.call(METAR, pb2.StationRequest(station="EHAM"))
                await future(tracing.stopService())
            self.assertEqual(spans, [])

        return self.run_here(check())

    def test_a_collector_that_is_away(self) -> Deferred[None]:
        """Calls are answered, more than may wait; the operator is told once."""

        async def check() -> None:
            away = f"http://127.0.0.1:{free_port()}"
            tracing = Tracing(away, 1.0, self.reactor, "test")
            tracing.startService()
            for number in range(MOST_WAITING + 10):
                with tracing.client("weather", f"/test/{number}", None):
                    pass
            _, client = self.chain(tracing)
            with capturedLogs() as events:
                answer = await client.call(METAR, pb2.StationRequest(station="EHAM"))
                self.assertEqual(answer.report, "last")
                await future(tracing.stopService())
                await future(tracing.stopService())
            told = [event for event in events if "traces" in event["log_format"]]
            self.assertLessEqual(len(told), 1)

        return self.run_here(check())

    def test_a_collector_that_hangs_at_the_end(self) -> Deferred[None]:
        """What it does not take in time is given up, and no thread goes on with it."""

        def is_sending() -> bool:
            names = [thread.name for thread in threading.enumerate()]
            return any(name.startswith("OtelBatch") for name in names)

        async def check() -> None:
            with serve_http(Exchange.hang) as server:
                tracing = Tracing(server.url, 1.0, self.reactor, "test")
                tracing.startService()
                for number in range(MOST_WAITING):
                    with tracing.client("weather", f"/test/{number}", None):
                        pass
                self.assertTrue(is_sending())
                await future(tracing.stopService())
                asked = len(server.requests)
                while is_sending():
                    await asyncio.sleep(0.05)
                # The one that was under way ends, and at most one has just begun.
                self.assertLessEqual(len(server.requests), asked + 1)

        return self.run_here(check())

    def test_a_call_that_fails(self) -> Deferred[None]:
        """Its span says with which code."""

        async def check() -> None:
            with collector() as (address, spans):
                tracing = Tracing(address, 1.0, self.reactor, "test")
                tracing.startService()
                client = self.client(f"127.0.0.1:{free_port()}", tracing)
                try:
                    await client.call(METAR, pb2.StationRequest(), timeout=2.0)
                except RpcError as error:
                    self.assertEqual(error.code, Code.UNAVAILABLE)
                await future(tracing.stopService())
            (span,) = spans
            self.assertEqual(span.status.message, "UNAVAILABLE")

        return self.run_here(check())


class RolesTests(RolesTestCase):
    """Two processes of the real ``twistd rum``, one of which asks the other."""

    def test_a_call_from_one_process_to_the_other(self) -> None:
        """One trace has both ends, and the counts of both sides agree."""
        ports = {"pergola": free_port(), "weather": free_port()}
        with collector() as (address, spans):
            roles = self.network(
                f'telemetry.otlp_endpoint="{address}"', "telemetry.sample_ratio=1.0"
            )
            http = {role: f"tcp:{port}" for role, port in ports.items()}
            front = roles.start("pergola,passport", f'pergola.http="{http["pergola"]}"')
            weather = roles.start("weather", f'services.http="{http["weather"]}"')
            for process in (front, weather):
                process.ready()
            self.assert_it_works(roles)
            pages = {role: scrape(port) for role, port in ports.items()}
            for process in (front, weather):
                process.end()
            self.assert_clean(front, weather)
        answers = {
            span.parent_span_id: span
            for span in spans
            if span.kind == Span.SPAN_KIND_SERVER
        }
        calls = [span for span in spans if span.span_id in answers]
        self.assertTrue(calls, spans)
        for call in calls:
            self.assertEqual(call.kind, Span.SPAN_KIND_CLIENT)
            self.assertEqual(call.name, answers[call.span_id].name)
            self.assertEqual(call.trace_id, answers[call.span_id].trace_id)
        asked = answered_well(pages["pergola"], "rum_rpc_client_calls_total")
        answered = answered_well(pages["weather"], "rum_rpc_server_calls_total")
        self.assertGreater(asked["/rum.v1.Weather/Metar"], 0)
        for method, count in asked.items():
            if "Weather" in method:
                self.assertGreaterEqual(answered[method], count)
        self.assertNotIn("rum_clients", pages["weather"])
        self.assertIn('rum_role_info{role="weather"} 1.0', pages["weather"])


def scrape(port: int) -> str:
    """Return the page of metrics of a process."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()


def answered_well(page: str, metric: str) -> dict[str, float]:
    """Return how many calls have ended well, by method."""
    return {
        sample.labels["method"]: sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == metric and sample.labels["code"] == "OK"
    }
