"""What becomes of a container's words on this machine: addresses, paths, programs.

In a compose file each service has a network of its own and finds others by their
names; here all share one machine. So these are exchanged, in arguments, variables,
health checks, and in files of settings that are mounted:

- ``etcd_rum:2379``, ``0.0.0.0:7001``, ``127.0.0.1:6810``: the port on 127.0.0.1;
- ``tcp:6809`` of Twisted: the same; where it is published, on the address it is
  published at, under the port it is published as;
- ``/run/data``: a folder of the service's own, and so with each volume.

Everything else stays as it is. All ports can be shifted by a number, so that more than
one such stack, or another server, may run beside.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rum_twisted.stack.compose import ComposeError, HealthPlan, ServicePlan
from rum_twisted.terms.units import Seconds

__all__ = ["Machine", "Process"]

_HERE: Final = "127.0.0.1"
_ANYWHERE: Final = "0.0.0.0"  # noqa: S104 - looked for, not listened on
_OWN: Final = (_HERE, _ANYWHERE, "localhost")  # a service's words for itself
_LARGEST_PORT: Final = 65535
_WORDS_OF_SERVERS: Final = "RUM_"  # begins the names of Rum's own variables
_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")
_TWISTD: Final = "twistd"
_NO_FILES: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One service, as it is started on this machine."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    folder: Path  # where it is started
    files: tuple[tuple[Path, str], ...] = ()  # to be written before
    ports: tuple[tuple[str, int], ...] = ()  # that it listens at: address, number
    endpoint: str = ""  # where gRPC asks it how it is: host:port
    healthy_before: tuple[str, ...] = ()
    started_before: tuple[str, ...] = ()
    health: HealthPlan | None = None
    restart: str = "no"
    stop_grace: Seconds
    cpus: float | None = None  # cores
    memory: int | None = None  # bytes


class Machine:
    """Turns services into processes of this machine.

    Args:
        plans: all services of the file.
        folder: for what they keep, and for their words.
        compose: the folder of the file.
        programs: folders with the programs of the images.
        environ: what they get of the environment of whoever starts them.
        shift: of all ports.
    """

    def __init__(
        self,
        plans: Sequence[ServicePlan],
        folder: Path,
        *,
        compose: Path,
        programs: Sequence[Path],
        environ: Mapping[str, str],
        shift: int = 0,
    ) -> None:
        self._plans = tuple(plans)
        self._folder = folder
        self._compose = compose
        self._shift = shift
        kept = {
            name: value
            for name, value in environ.items()
            if name in _KEPT or name.startswith(_WORDS_OF_SERVERS)
        }
        path = [str(program) for program in programs]
        kept["PATH"] = ":".join([*path, kept.get("PATH", "/usr/bin:/bin")])
        self._environ = kept
        names = "|".join(re.escape(plan.name) for plan in self._plans)
        self._address = re.compile(
            rf"(?<![\w.-])(?P<host>{names}|0\.0\.0\.0|127\.0\.0\.1|localhost)"
            r":(?P<port>\d+)\b"
        )
        self._listen = re.compile(
            r"\btcp:(?P<port>\d+)(?::interface=(?P<host>[\d.]+))?"
        )

    @property
    def folder(self) -> Path:
        """Where everything is kept."""
        return self._folder

    def log_of(self, name: str) -> Path:
        """Return where a service's words go."""
        return self._folder / "logs" / f"{name}.log"

    def processes(self) -> tuple[Process, ...]:
        """Return the processes, each behind those that it needs.

        Raises:
            ComposeError: two services listen at one port, or a port is none.
        """
        processes = tuple(self._process(plan) for plan in self._plans)
        owners: dict[int, str] = {}
        for process in processes:
            for _, port in process.ports:
                if not 0 < port <= _LARGEST_PORT:
                    raise ComposeError(f"{process.name}: {port} is no port")
                if owners.setdefault(port, process.name) != process.name:
                    raise ComposeError(
                        f"{process.name} and {owners[port]} both listen at {port}"
                    )
        return processes

    def _process(self, plan: ServicePlan) -> Process:
        words = _Words(self, plan)
        health = plan.health
        environ = {name: words.of(text) for name, text in plan.environment.items()}
        command = self._with_log(plan.name, [words.of(word) for word in plan.command])
        files = tuple(words.files())
        return Process(
            name=plan.name,
            command=tuple(command),
            environ={**self._environ, **environ},
            folder=self._folder / plan.name,
            files=files,
            ports=tuple(dict.fromkeys(words.ports)),
            endpoint=environ.get("RUM_SERVICES__LISTEN", ""),
            healthy_before=plan.healthy_before,
            started_before=plan.started_before,
            health=None
            if health is None
            else HealthPlan(
                command=tuple(words.of(word) for word in health.command),
                interval=health.interval,
                timeout=health.timeout,
                retries=health.retries,
                start_period=health.start_period,
                start_interval=health.start_interval,
            ),
            restart=plan.restart,
            stop_grace=plan.stop_grace,
            cpus=plan.cpus,
            memory=plan.memory,
        )

    def _with_log(self, name: str, command: list[str]) -> list[str]:
        """Let twistd write, and turn over, a log: nobody else does so here."""
        if command[0] == _TWISTD:
            command.insert(1, f"--logfile={self.log_of(name)}")
        return command

    # For `_Words`.

    def place_of(self, plan: ServicePlan, source: str, target: str) -> Path:
        """Return what is at ``target`` of a service on this machine."""
        kind = _NO_FILES.sub("-", target).strip("-")
        if source.startswith("."):  # a file of settings, beside the compose file
            return self._folder / plan.name / Path(source).name
        return self._folder / plan.name / ("data" if kind == "run-data" else kind)

    def exchange(
        self, plan: ServicePlan, text: str, found: Callable[[str, int], None]
    ) -> str:
        """Return a text of a service with its addresses exchanged.

        Args:
            plan: the service.
            text: of the file.
            found: is told each address at which it listens.
        """
        published = {port.own: port for port in plan.ports}
        of_others = {
            other.name: {port.own: port for port in other.ports}
            for other in self._plans
        }

        def listen(match: re.Match[str]) -> str:
            own = int(match["port"])
            port = self._shift + own
            host = match["host"] or ""
            if own in published and host in ("", _ANYWHERE):
                host = published[own].host
                port = self._shift + published[own].published
            found(host, port)
            return f"tcp:{port}" + (f":interface={host}" if host else "")

        def address(match: re.Match[str]) -> str:
            own = int(match["port"])
            is_own = match["host"] in _OWN
            ports = published if is_own else of_others[match["host"]]
            number = self._shift + (ports[own].published if own in ports else own)
            if is_own:
                found(_HERE, number)
            return f"{_HERE}:{number}"

        return self._listen.sub(listen, self._address.sub(address, text))

    def beside(self, source: str) -> Path:
        """Return a file that stands beside the compose file."""
        return self._compose / source


class _Words:
    """The words of one service, and the ports that are found in them.

    Args:
        machine: exchanges them.
        plan: of the service.
    """

    def __init__(self, machine: Machine, plan: ServicePlan) -> None:
        self._machine = machine
        self._plan = plan
        self.ports: list[tuple[str, int]] = []

    def of(self, text: str) -> str:
        """Return a text as it is on this machine."""
        text = self._machine.exchange(
            self._plan, text, lambda host, port: self.ports.append((host, port))
        )
        for source, target in self._plan.volumes:
            place = str(self._machine.place_of(self._plan, source, target))
            pattern = rf"(?<![\w./-]){re.escape(target)}(?![\w.-])"
            text = re.sub(pattern, place.replace("\\", r"\\"), text)
        return text

    def files(self) -> Iterable[tuple[Path, str]]:
        """Yield each file that is mounted: where it is here, and what is in it.

        Raises:
            ComposeError: it cannot be read.
        """
        for source, target in self._plan.volumes:
            if not source.startswith("."):
                continue
            try:
                text = self._machine.beside(source).read_text("utf-8")
            except OSError as error:
                raise ComposeError(f"{self._plan.name}: {error}") from error
            place = self._machine.place_of(self._plan, source, target)
            yield place, self.of(text)
