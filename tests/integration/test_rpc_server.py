"""The gRPC endpoint of a process: who may call it, and how it ends."""

import asyncio
import contextlib
import socket
import struct
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from rum_twisted.rpc.bridge import future
from rum_twisted.rpc.channels import Endpoint
from rum_twisted.rpc.client import XClient, XClients
from rum_twisted.rpc.errors import RpcError
from rum_twisted.rpc.generated import weather_pb2 as pb2
from rum_twisted.rpc.health_service import MOST_WATCHES
from rum_twisted.rpc.options import CallOptions
from rum_twisted.rpc.plugins import (
    FromRole,
    FromServer,
    RoleServicer,
    Talk,
    attend,
)
from rum_twisted.rpc.server import CannotServe, RpcServer, ServerSettings
from rum_twisted.rpc.tls import TlsError, TlsFiles
from rum_twisted.rpc.weather import METAR
from rum_twisted.terms.units import Seconds
from tests.integration.asyncio_case import AsyncioTestCase
from tests.integration.rpcserver import Reporter
from tests.support.fabric import ListedInstances, chance, make_instance

PATIENCE: Final = 90.0  # seconds, until a test gives up
DAY: Final = timedelta(days=1)


class Authority:
    """Somebody who signs certificates; the first is his own.

    Args:
        folder: for the files.
        name: his.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.ca = folder / f"{name}-ca.pem"
        self.ca.write_bytes(self._sign(self._name, self._key, is_ca=True))

    def issue(self, name: str) -> TlsFiles:
        """Return the files of a process that runs at 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        cert_file = self._folder / f"{name}-cert.pem"
        cert_file.write_bytes(self._sign(subject, key, is_ca=False))
        key_file = self._folder / f"{name}-key.pem"
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return TlsFiles(cert=cert_file, key=key_file, ca=self.ca)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_ca: bool
    ) -> bytes:
        now = datetime.now(UTC)
        address = x509.IPAddress(ip_address("127.0.0.1"))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)


class ServerTestCase(AsyncioTestCase):
    """One server."""

    def serve(self, **settings: Any) -> RpcServer:
        """Serve; return the server, whose reporter is ``self.reporter``."""
        self.reporter = Reporter("a")
        server = RpcServer(ServerSettings(**settings), [self.reporter], self.reactor)
        server.startService()
        self.addCleanup(server.stopService)
        return server

    def client(self, address: str, tls: TlsFiles | None = None) -> XClient:
        """Return a client of the server at that address."""
        clients = XClients(
            ListedInstances(make_instance("a", address)),
            self.reactor,
            chance(),
            options=lambda _: CallOptions(),
            tls=tls,
        )
        clients.startService()
        client = clients.client("weather")
        self.addCleanup(clients.stopService)
        self.addCleanup(client.close)
        return client

    async def ask(self, client: XClient) -> str:
        """Ask once; return the report or the code of the failure."""
        try:
            return (await client.call(METAR, pb2.StationRequest())).report
        except RpcError as error:
            return error.code.name


class ProtectionTests(ServerTestCase):
    """Who may call."""

    def test_open_to_the_world_needs_a_word(self) -> None:
        """Without TLS, any address but this machine's own is refused."""
        for listen in ("127.0.0.1:0", "127.7.7.7:7001", "[::1]:0", "localhost:0"):
            ServerSettings(listen=listen)
        tls = TlsFiles(cert=Path("cert.pem"), key=Path("key.pem"))
        for listen in (
            "0.0.0.0:0",
            "[::]:0",
            "10.0.0.1:7001",
            "example.net:1",
            "",
            ":0",
        ):
            error = self.assertRaises(CannotServe, ServerSettings, listen=listen)
            self.assertIn(f"services.listen {listen!r}: due is", str(error))
            ServerSettings(listen=listen, tls=tls)
            ServerSettings(listen=listen, allow_plaintext=True)

    def test_mutual_tls(self) -> Deferred[None]:
        """With an authority, only those with its certificates come in."""
        folder = Path(self.mktemp())
        folder.mkdir()
        ours, others = Authority(folder, "ours"), Authority(folder, "others")
        server = self.serve(tls=ours.issue("server"))
        stranger = others.issue("stranger")

        async def check() -> None:
            member = self.client(server.address, ours.issue("member"))
            self.assertEqual(await self.ask(member), "a")
            for files in (
                None,  # no TLS at all
                TlsFiles(ca=ours.ca),  # no certificate
                TlsFiles(cert=stranger.cert, key=stranger.key, ca=ours.ca),
                stranger,  # does not believe the server, either
            ):
                refused = self.client(server.address, files)
                self.assertEqual(await self.ask(refused), "UNAVAILABLE")
            self.assertEqual(self.reporter.asked, 1)

        return self.run_here(check())

    def test_tls_without_an_authority(self) -> Deferred[None]:
        """Then every client comes in who believes the server."""
        folder = Path(self.mktemp())
        folder.mkdir()
        ours = Authority(folder, "ours")
        files = ours.issue("server")
        server = self.serve(tls=TlsFiles(cert=files.cert, key=files.key))

        async def check() -> None:
            client = self.client(server.address, TlsFiles(ca=ours.ca))
            self.assertEqual(await self.ask(client), "a")

        return self.run_here(check())

    def test_server_needs_a_certificate(self) -> None:
        """An authority alone is no TLS for a server."""
        error = self.assertRaises(TlsError, self.serve, tls=TlsFiles(ca=Path("ca.pem")))
        self.assertIn("tls_cert and tls_key: due", str(error))

    def test_taken_port_is_named(self) -> None:
        """The operator reads which setting it is."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
            error = self.assertRaises(CannotServe, self.serve, listen=listen)
        self.assertIn(f"services.listen {listen!r}: cannot be opened", str(error))


class ManagementTests(ServerTestCase):
    """What usual tools ask an endpoint, and its end."""

    async def health(self, channel: grpc.aio.Channel, service: str) -> str:
        """Return what the health service says."""
        stub: Any = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=service)
        answer = await stub.Check(request, timeout=PATIENCE)
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)

    def test_health_and_reflection(self) -> Deferred[None]:
        """Each service is told of by its name."""
        server = self.serve()

        async def check() -> None:
            async with grpc.aio.insecure_channel(server.address) as channel:
                for service in ("", "rum.v1.Weather"):
                    self.assertEqual(await self.health(channel, service), "SERVING")
                any_channel: Any = channel
                stub: Any = reflection_pb2_grpc.ServerReflectionStub(any_channel)
                asked = reflection_pb2.ServerReflectionRequest(list_services="")
                async for answer in stub.ServerReflectionInfo(iter([asked])):
                    listed = answer.list_services_response.service
                    names = {service.name for service in listed}
            self.assertLessEqual({"rum.v1.Weather", "grpc.health.v1.Health"}, names)

        return self.run_here(check())

    def test_tools_are_loaded_when_somebody_asks(self) -> Deferred[None]:
        """Reflection describes health and our own messages, the same in each answer."""
        server = self.serve()

        async def check() -> None:
            async with grpc.aio.insecure_channel(server.address) as channel:
                any_channel: Any = channel
                stub: Any = reflection_pb2_grpc.ServerReflectionStub(any_channel)
                for symbol in ("grpc.health.v1.Health", "rum.v1.Weather") * 2:
                    asked = reflection_pb2.ServerReflectionRequest(
                        file_containing_symbol=symbol
                    )
                    async for answer in stub.ServerReflectionInfo(iter([asked])):
                        files = answer.file_descriptor_response.file_descriptor_proto
                        described = FileDescriptorProto.FromString(files[0])
                        name = symbol.rpartition(".")[2]
                        self.assertEqual(described.service[0].name, name)

        return self.run_here(check())

    def test_health_of_what_is_not_served(self) -> Deferred[None]:
        """A question is refused, a watch says that there is no such service."""
        server = self.serve()

        async def check() -> None:
            async with grpc.aio.insecure_channel(server.address) as channel:
                with self.assertRaises(grpc.aio.AioRpcError) as caught:
                    await self.health(channel, "rum.v1.Passport")
                self.assertIs(caught.exception.code(), grpc.StatusCode.NOT_FOUND)
                watch = self.watch(channel, "rum.v1.Passport")
                self.assertEqual(await self.next_of(watch), "SERVICE_UNKNOWN")

        return self.run_here(check())

    def test_watch_of_health_ends_with_the_server(self) -> Deferred[None]:
        """Whoever watches reads that it ends, and does not keep it from ending."""
        server = self.serve(drain=Seconds(60.0))

        async def check() -> None:
            async with grpc.aio.insecure_channel(server.address) as channel:
                watch = self.watch(channel, "rum.v1.Weather")
                self.assertEqual(await self.next_of(watch), "SERVING")
                stopping = future(server.stopService())
                self.assertEqual(await self.next_of(watch), "NOT_SERVING")
                self.assertIs(await watch.read(), grpc.aio.EOF)
                await asyncio.wait_for(stopping, PATIENCE)

        return self.run_here(check())

    def test_watches_of_health_have_a_number(self) -> Deferred[None]:
        """The last that may is told, one more is refused, and room comes back."""
        server = self.serve()

        async def check() -> None:
            async with grpc.aio.insecure_channel(server.address) as channel:
                watches = [self.watch(channel, "") for _ in range(MOST_WATCHES)]
                for watch in watches:
                    self.assertEqual(await self.next_of(watch), "SERVING")
                with self.assertRaises(grpc.aio.AioRpcError) as caught:
                    await self.next_of(self.watch(channel, ""))
                code = caught.exception.code()
                self.assertIs(code, grpc.StatusCode.RESOURCE_EXHAUSTED)
                watches[0].cancel()
                for _ in range(1000):  # the server hears of it in a moment
                    try:
                        status = await self.next_of(self.watch(channel, ""))
                        break
                    except grpc.aio.AioRpcError:
                        await asyncio.sleep(0.01)
                self.assertEqual(status, "SERVING")

        return self.run_here(check())

    def watch(self, channel: grpc.aio.Channel, service: str) -> Any:
        """Return a watch of a service's health."""
        stub: Any = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=service)
        return stub.Watch(request, timeout=PATIENCE)

    async def next_of(self, watch: Any) -> str:
        """Return what a watch tells next."""
        answer = await watch.read()
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)

    def test_calls_under_way_are_finished(self) -> Deferred[None]:
        """Whoever was let in is answered, and nobody else is let in."""
        server = self.serve()
        self.reporter.delay = 0.3
        client = self.client(server.address)

        async def check() -> None:
            asking = asyncio.ensure_future(self.ask(client))
            while not self.reporter.asked:
                await asyncio.sleep(0.01)
            await future(server.stopService())
            self.assertEqual(await asking, "a")
            self.assertEqual(await self.ask(client), "UNAVAILABLE")
            await future(server.stopService())

        return self.run_here(check())

    def test_streams_are_counted(self) -> Deferred[None]:
        """From their beginning to their end, whoever ends them, and however."""
        ends: asyncio.Queue[bool] = asyncio.Queue()

        async def converse(talk: Talk[FromRole, FromServer]) -> None:
            if await ends.get():
                raise ZeroDivisionError

        server = RpcServer(ServerSettings(), [RoleServicer(converse)], self.reactor)

        def counts() -> list[object]:
            families = {family.name: family for family in server.families()}
            return [
                *families["rum_rpc_server_streams"].values.values(),
                *families["rum_rpc_server_streams_begun"].values.values(),
            ]

        async def counted(*expected: int) -> None:
            while counts() != list(expected):
                await asyncio.sleep(0)

        async def check() -> None:
            server.startService()
            endpoint = Endpoint(server.address, [], None)
            async with asyncio.timeout(PATIENCE):
                await counted(0, 0)
                talks = [attend(endpoint) for _ in range(3)]
                await counted(3, 3)
                talks.pop().close()
                await counted(2, 3)
                for is_bug in (False, True):
                    ends.put_nowait(is_bug)
                await counted(0, 3)
            await endpoint.close(Seconds(0.0))
            await future(server.stopService())
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

        return self.run_here(check())

    def test_who_tidies_up_after_a_caller_is_awaited(self) -> Deferred[None]:
        """A caller has hung up; the endpoint's end is the end of his call, too."""
        begun, hung_up, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def converse(talk: Talk[FromRole, FromServer]) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                hung_up.set()
                await asyncio.sleep(0.3)
                ended.set()

        server = RpcServer(ServerSettings(), [RoleServicer(converse)], self.reactor)

        async def check() -> None:
            server.startService()
            endpoint = Endpoint(server.address, [], None)
            talk = attend(endpoint)
            await begun.wait()
            talk.close()
            await hung_up.wait()
            await endpoint.close(Seconds(0.0))
            await future(server.stopService())
            self.assertTrue(ended.is_set())

        return self.run_here(check())

    def test_who_never_ends_does_not_hold_the_stop(self) -> Deferred[None]:
        """What outlives its endpoint is told of."""
        may_end = asyncio.Event()
        begun = asyncio.Event()

        async def converse(talk: Talk[FromRole, FromServer]) -> None:
            while not may_end.is_set():
                begun.set()
                with contextlib.suppress(asyncio.CancelledError):
                    await may_end.wait()

        settings = ServerSettings(drain=Seconds(0.1))
        server = RpcServer(settings, [RoleServicer(converse)], self.reactor)

        async def check() -> None:
            server.startService()
            endpoint = Endpoint(server.address, [], None)
            attend(endpoint)
            await begun.wait()
            with capturedLogs() as logs:
                await future(server.stopService())
            formats = [event.get("log_format") for event in logs]
            self.assertIn("{left} calls have outlived their endpoint", formats)
            may_end.set()
            await endpoint.close(Seconds(0.0))

        return self.run_here(check())

    def test_server_can_be_started_again(self) -> Deferred[None]:
        """The tree of services may be stopped and started in one process."""
        server = self.serve()

        async def check() -> None:
            await future(server.stopService())
            server.startService()
            server.startService()
            client = self.client(server.address)
            self.assertEqual(await self.ask(client), "a")

        return self.run_here(check())

    def test_rpcx_210_length_of_a_frame_is_not_believed(self) -> Deferred[None]:
        """A message that says it has 4 GB is refused before it is there."""
        server = self.serve()
        host, _, port = server.address.rpartition(":")

        async def check() -> None:
            channel = grpc.aio.insecure_channel(server.address)
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""))
            writer.write(frame(1, 4, 1, HEADERS))
            # A gRPC message begins with a byte and its length in four.
            writer.write(frame(0, 0, 1, struct.pack(">BI", 0, 0xFFFFFFFF) + b"x" * 64))
            received = b""
            while b"larger than max" not in received:
                chunk = await reader.read(65536)
                if not chunk:
                    break
                received += chunk
            writer.close()
            self.assertIn(b"larger than max", received)
            self.assertEqual(await self.health(channel, ""), "SERVING")
            await channel.close()
            self.assertEqual(self.reporter.asked, 0)

        return self.run_here(check())


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return a frame of HTTP/2 (RFC 9113, section 4.1)."""
    length = struct.pack(">I", len(payload))[1:]
    return length + struct.pack(">BBI", kind, flags, stream) + payload


def header(name: bytes, value: bytes) -> bytes:
    """Return a header field without an index (RFC 7541, section 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


HEADERS: Final = b"".join(
    header(name, value)
    for name, value in (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", METAR.path.encode()),
        (b":authority", b"localhost"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    )
)
