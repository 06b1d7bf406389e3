"""What becomes of a container's words on one machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.stack.compose import (
    ComposeError,
    HealthPlan,
    PublishedPort,
    ServicePlan,
)
from rum_twisted.stack.machine import Machine, Process

FOLDER = Path("/var/stack")
STORE = ServicePlan(
    name="the_store", command=("store",), environment={"AT": "0.0.0.0:2379"}
)


def front(**changes: Any) -> ServicePlan:
    """Return a service that pilots connect to."""
    facts: dict[str, Any] = {
        "name": "front",
        "command": ("serve",),
        "environment": {},
        "ports": (
            PublishedPort(host="", published=6809, own=6809),
            PublishedPort(host="127.0.0.1", published=81, own=80),
        ),
        "volumes": (("front_data", "/run/data"),),
    }
    return ServicePlan(**{**facts, **changes})


class MachineTestCase(SynchronousTestCase):
    """A machine in which a test looks."""

    def process(
        self,
        plan: ServicePlan,
        *,
        shift: int = 0,
        environ: Mapping[str, str] | None = None,
        compose: Path = FOLDER,
    ) -> Process:
        """Return what becomes of a service beside `STORE`."""
        machine = Machine(
            (STORE, plan),
            FOLDER,
            compose=compose,
            programs=(Path("/venv/bin"), Path("/etc/rum")),
            environ=environ or {},
            shift=shift,
        )
        return machine.processes()[1]

    def word(self, text: str, shift: int = 0) -> str:
        """Return what becomes of a variable."""
        plan = front(environment={"WORD": text})
        return self.process(plan, shift=shift).environ["WORD"]


class AddressTests(MachineTestCase):
    """Who is found where."""

    def test_names_of_services(self) -> None:
        """They are all here; whatever else has a name stays."""
        for text, here in (
            ("the_store:2379", "127.0.0.1:2379"),
            ('["the_store:2379"]', '["127.0.0.1:2379"]'),
            ("default=http://the_store:2380", "default=http://127.0.0.1:2380"),
            ("not_the_store:2379", "not_the_store:2379"),
            ("the_store.example.net:2379", "the_store.example.net:2379"),
            (
                "postgres://db.example.net:5432/rum",
                "postgres://db.example.net:5432/rum",
            ),
            ("the_store", "the_store"),
        ):
            self.assertEqual(self.word(text), here)

    def test_own_addresses(self) -> None:
        """What was for the network of the services is for this machine alone."""
        self.assertEqual(self.word("0.0.0.0:7000"), "127.0.0.1:7000")
        self.assertEqual(self.word("localhost:7000"), "127.0.0.1:7000")
        self.assertEqual(
            self.word("tcp:7000:interface=0.0.0.0"), "tcp:7000:interface=0.0.0.0"
        )
        self.assertEqual(
            self.word("tcp:7000:interface=127.0.0.1"), "tcp:7000:interface=127.0.0.1"
        )

    def test_published_ports(self) -> None:
        """They are reached where, and as what, they are published."""
        self.assertEqual(self.word("tcp:6809"), "tcp:6809")
        self.assertEqual(self.word("tcp:80"), "tcp:81:interface=127.0.0.1")
        self.assertEqual(
            self.word("http://127.0.0.1:80/health"), "http://127.0.0.1:81/health"
        )

    def test_published_ports_of_others(self) -> None:
        """Others find them there, too."""
        machine = Machine(
            (front(), ServicePlan(name="b", command=("b", "front:80"), environment={})),
            FOLDER,
            compose=FOLDER,
            programs=(),
            environ={},
        )
        self.assertEqual(machine.processes()[1].command, ("b", "127.0.0.1:81"))

    def test_shifted(self) -> None:
        """All ports go along, and no other number."""
        text = 'tcp:6809 the_store:2379 0.0.0.0:7000 {"a:80": 6809} 15s'
        self.assertEqual(
            self.word(text, shift=10_000),
            'tcp:16809 127.0.0.1:12379 127.0.0.1:17000 {"a:80": 6809} 15s',
        )

    def test_where_it_listens(self) -> None:
        """Every port of its own is known, so that it can be tried before."""
        plan = front(
            environment={"A": "tcp:6809", "B": "tcp:80", "C": "0.0.0.0:7000"},
            health=HealthPlan(command=("probe", "http://127.0.0.1:80/", "the_store:1")),
        )
        self.assertEqual(
            self.process(plan, shift=1).ports,
            (("", 6810), ("127.0.0.1", 82), ("127.0.0.1", 7001)),
        )

    def test_no_room(self) -> None:
        """Two at one port, and ports that do not exist, are refused."""
        with self.assertRaisesRegex(ComposeError, "front and the_store"):
            self.process(front(environment={"A": "0.0.0.0:2379"}))
        with self.assertRaisesRegex(ComposeError, "no port"):
            self.process(front(environment={"A": "tcp:6809"}), shift=60_000)


class ProcessTests(MachineTestCase):
    """What is started."""

    def test_paths(self) -> None:
        """A volume is a folder of the service's own."""
        plan = front(
            command=("serve", "--file=/run/data/a.txt", "/run/database"),
            environment={"DATA": "/run/data"},
        )
        process = self.process(plan)
        data = f"{FOLDER}/front/data"
        self.assertEqual(
            process.command, ("serve", f"--file={data}/a.txt", "/run/database")
        )
        self.assertEqual(process.environ["DATA"], data)
        self.assertEqual(process.folder, FOLDER / "front")

    def test_the_environment(self) -> None:
        """Rum's own variables are handed on, weaker than those of the file."""
        plan = front(environment={"RUM_B": "file"})
        environ = {"RUM_A": "1", "RUM_B": "2", "SECRET": "3", "PATH": "/bin"}
        self.assertEqual(
            self.process(plan, environ=environ).environ,
            {"RUM_A": "1", "RUM_B": "file", "PATH": "/venv/bin:/etc/rum:/bin"},
        )

    def test_the_log_of_twistd(self) -> None:
        """It writes one itself, which is turned over; others print."""
        process = self.process(front(command=("twistd", "--nodaemon", "rum")))
        self.assertEqual(
            process.command,
            ("twistd", f"--logfile={FOLDER}/logs/front.log", "--nodaemon", "rum"),
        )

    def test_files_of_settings(self) -> None:
        """They are written anew, with the words of this machine."""
        compose = Path(self.mktemp())
        compose.mkdir()
        (compose / "own.yml").write_text("at: 0.0.0.0:7000\nin: /run/data\n")
        plan = front(
            command=("serve", "/etc/front/own.yml"),
            volumes=(("./own.yml", "/etc/front/own.yml"), ("d", "/run/data")),
        )
        process = self.process(plan, compose=compose, shift=1)
        written = FOLDER / "front" / "own.yml"
        self.assertEqual(process.command, ("serve", str(written)))
        text = f"at: 127.0.0.1:7001\nin: {FOLDER}/front/data\n"
        self.assertEqual(process.files, ((written, text),))
        self.assertEqual(process.ports, (("127.0.0.1", 7001),))

    def test_a_missing_file_of_settings(self) -> None:
        """It is named."""
        plan = front(volumes=(("./none.yml", "/etc/none.yml"),))
        with self.assertRaisesRegex(ComposeError, "none.yml"):
            self.process(plan)

    def test_limits_and_health_are_kept(self) -> None:
        """They are the file's."""
        health = HealthPlan(command=("probe",), retries=7)
        process = self.process(front(cpus=0.5, memory=1 << 20, health=health))
        self.assertEqual((process.cpus, process.memory), (0.5, 1 << 20))
        self.assertEqual(process.health, health)
