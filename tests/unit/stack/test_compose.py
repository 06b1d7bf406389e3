"""What is read of a compose file, and what is refused."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.stack.compose import (
    ComposeError,
    HealthPlan,
    PublishedPort,
    ServicePlan,
    read_compose,
)
from rum_twisted.terms.units import Seconds

WHOLE = """
x-more: &more
  restart: always
services:
  front:
    <<: *more
    command: [serve, --port, "80"]
    environment:
      LEVEL: 3
      QUIET:
      SOURCE: "${SOURCE:-web}"
    ports: ["6809:6809", "127.0.0.1:81:80"]
    volumes: ["front_data:/run/data", "./etc.yml:/etc/x.yml:ro"]
    stop_grace_period: 1m30s
    depends_on:
      store:
        condition: service_healthy
      gauge:
        condition: service_started
    healthcheck:
      test: [CMD, probe, "1"]
      interval: 15s
      timeout: 500ms
      retries: 2
      start_period: 1h
      start_interval: 0.5s
    deploy:
      resources:
        limits: {cpus: "0.15", memory: 64M}
        reservations: {memory: 16M}
  gauge:
    command: [gauge]
    depends_on: [store]
  store:
    command: [store]
"""


class ComposeTestCase(SynchronousTestCase):
    """A file that a test writes."""

    def read(self, text: str, **environ: str) -> dict[str, ServicePlan]:
        """Return the services of a file with this text, by name, in their order."""
        path = Path(self.mktemp())
        path.write_text(text, "utf-8")
        return {plan.name: plan for plan in read_compose(path, environ)}

    def environment(self, value: str, **environ: str) -> str:
        """Return what becomes of a variable of a service."""
        text = f"services: {{a: {{command: [a], environment: {{X: '{value}'}}}}}}"
        return self.read(text, **environ)["a"].environment["X"]

    def refuse(self, service: str, why: str) -> None:
        """Assert that a service is refused, and that the text says why."""
        with self.assertRaisesRegex(ComposeError, why):
            self.read(f"services: {{a: {service}}}")


class ReadTests(ComposeTestCase):
    """Services as the file has them."""

    def test_everything_that_counts(self) -> None:
        """Numbers come with their units, and what is left out has its default."""
        front = self.read(WHOLE)["front"]
        self.assertEqual(
            front,
            ServicePlan(
                name="front",
                command=("serve", "--port", "80"),
                environment={"LEVEL": "3", "QUIET": "", "SOURCE": "web"},
                ports=(
                    PublishedPort(host="", published=6809, own=6809),
                    PublishedPort(host="127.0.0.1", published=81, own=80),
                ),
                volumes=(("front_data", "/run/data"), ("./etc.yml", "/etc/x.yml")),
                healthy_before=("store",),
                started_before=("gauge",),
                health=HealthPlan(
                    command=("probe", "1"),
                    interval=Seconds(15.0),
                    timeout=Seconds(0.5),
                    retries=2,
                    start_period=Seconds(3600.0),
                    start_interval=Seconds(0.5),
                ),
                restart="always",
                stop_grace=Seconds(90.0),
                cpus=0.15,
                memory=64 << 20,
                reserved=16 << 20,
            ),
        )

    def test_the_order(self) -> None:
        """Each service stands behind those that it needs."""
        self.assertEqual(list(self.read(WHOLE)), ["store", "gauge", "front"])

    def test_a_service_without_anything(self) -> None:
        """It has no limits, needs nobody, and stays down when it has ended."""
        store = self.read(WHOLE)["store"]
        self.assertEqual((store.needs, store.health, store.restart), ((), None, "no"))
        self.assertEqual((store.cpus, store.memory, store.reserved), (None,) * 3)


class VariableTests(ComposeTestCase):
    """What is taken from the environment."""

    def test_with_a_default(self) -> None:
        """It counts where there is no such variable; with a colon, also an empty."""
        self.assertEqual(self.environment("${A:-b}"), "b")
        self.assertEqual(self.environment("${A:-b}", A=""), "b")
        self.assertEqual(self.environment("${A-b}", A=""), "")
        self.assertEqual(self.environment("a${A:-b}c", A="x"), "axc")

    def test_without(self) -> None:
        """What is not there is empty."""
        self.assertEqual(self.environment("${A}$B.", B="b"), "b.")

    def test_a_dollar(self) -> None:
        """Two stand for one."""
        self.assertEqual(self.environment("$$A", A="x"), "$A")

    def test_a_form_that_is_not_known(self) -> None:
        """It is refused: whoever wrote it would not get what he meant."""
        with self.assertRaisesRegex(ComposeError, "due"):
            self.environment("${A:?must be}")


class RefusalTests(ComposeTestCase):
    """What cannot be used."""

    def test_no_services(self) -> None:
        """The file is named."""
        for text in ("", "services:", "[]", "services: [a]", "a: ]"):
            with self.assertRaises(ComposeError, msg=text):
                self.read(text)

    def test_no_file(self) -> None:
        """So it is where there is none."""
        with self.assertRaisesRegex(ComposeError, r"none\.yml"):
            read_compose(Path("none.yml"), {})

    def test_services_that_need_each_other_or_nobody(self) -> None:
        """Neither could ever be started."""
        both = "services: {a: {command: [a], depends_on: [%s]}, b: %s}"
        with self.assertRaisesRegex(ComposeError, "cycle"):
            self.read(both % ("b", "{command: [b], depends_on: [a]}"))
        with self.assertRaisesRegex(ComposeError, "needs c: no such service"):
            self.read(both % ("c", "{command: [b]}"))

    def test_single_mistakes(self) -> None:
        """Each is told with what was due, or with what is not known."""
        for service, why in (
            ("{}", "command"),
            ("{command: serve all}", "list of words"),
            ("{command: [a], ports: ['6809']}", "PORT:PORT"),
            ("{command: [a], volumes: [data]}", "SOURCE:/TARGET"),
            ("{command: [a], restart: often}", "'often'"),
            ("{command: [a], stop_grace_period: soon}", "no time"),
            ("{command: [a], stop_grace_period: 10sec}", "no time"),
            ("{command: [a], healthcheck: {test: [NONE]}}", "'NONE'"),
            ("{command: [a], healthcheck: {test: probe}}", "list of words"),
            ("{command: [a], depends_on: {b: {condition: later}}}", "'later'"),
            ("{command: [a], deploy: {resources: {limits: {memory: 9X}}}}", "size"),
        ):
            self.refuse(service, why)
