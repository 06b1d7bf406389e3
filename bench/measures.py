"""The ways to measure a server once: under a steady load, in a storm, with frozen ones.

Each starts a fresh server, lets fsdload loose on it, and returns the figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.confines import Prefix, cpu_box, small_buffers
from bench.load import Load
from bench.processes import pause
from bench.servers import Server

__all__ = ["BOX", "Frozen", "Pace", "Place", "Steady", "Storm"]

BOX: Final = 0.15  # of a core
_KERNEL_BUFFER: Final = 65_536  # bytes
_QUICK: Final = 3.0  # seconds: a quick run measures no longer
_LOGIN_RATE: Final = 200  # per second
_LOGIN_RATE_IN_BOX: Final = 150
_FLYING: Final = 200  # pilots who do not want to notice a storm
_WARM_UP: Final = 7.0  # seconds of theirs: a report of each, and fsdload's two more
_INTO_WINDOW: Final = 1.0  # seconds of theirs before the storm
_STORM: Final = (
    *("--storm", "--pilot-prefix", "STM", "--interval", "0", "--no-flight-plans"),
    *("--login-timeout", "60", "--warmup", "0", "--duration", "1", "--drain", "0"),
)
_FROZEN: Final = 10
_KB: Final = 1024


@dataclass(frozen=True, slots=True)
class Pace:
    """How long runs measure."""

    is_quick: bool = False

    def window(self, seconds: float) -> tuple[str, ...]:
        """Return fsdload's options for a window that usually takes ``seconds``."""
        if self.is_quick:
            return ("--duration", str(min(_QUICK, seconds)), "--drain", "1")
        return ("--duration", str(seconds))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scenario runs.

    Args:
        load: fsdload.
        folder: for the server's files.
        pace: how long it may take.
    """

    load: Load
    folder: Path
    pace: Pace


@dataclass(frozen=True, slots=True)
class Steady:
    """Everybody logs on, then everybody reports at his interval.

    Args:
        pilots: how many.
        options: further ones of fsdload.
        seconds: of the window.
        in_box: whether the server has only `BOX` of a core.
    """

    pilots: int
    options: tuple[str, ...] = ()
    seconds: float = 10.0
    in_box: bool = False

    def __call__(self, server: Server, place: Place) -> Mapping[str, float]:
        """Run it once; see `bench.scenarios.Measure`."""
        rate = _LOGIN_RATE_IN_BOX if self.in_box else _LOGIN_RATE
        options = (
            *("--pilots", str(self.pilots), "--login-rate", str(rate), "--hold"),
            *place.pace.window(self.seconds),
            *self.options,
        )
        if self.in_box:
            with cpu_box(BOX) as prefix, server.serve(place.folder, prefix) as running:
                found = place.load.run(running, *options)
                del found["waited"]  # to stand still is the nature of the box
                return found
        with server.serve(place.folder) as running:
            return place.load.run(running, *options)


@dataclass(frozen=True, slots=True)
class Storm:
    """Many connect at one instant, while some are flying.

    Those who fly are measured twice, without a storm and in one, over a window so
    short that a hiccup of a tenth of a second shows in the 99th percentile.

    Args:
        pilots: how many connect.
        seconds: of the window.
        flying: how many fly.
        accounts: files of accounts, of those who fly and of those who connect;
            ``None``: all share one.
        options: further ones of those who fly.
        prefix: of fsdload; see `bench.confines`.
        login_rate: at which those who fly log on, per second; where the server cannot
            keep up, the storm would begin before they are all on.
    """

    pilots: int
    seconds: float = 6.0
    flying: int = _FLYING
    accounts: tuple[Path, Path] | None = None
    options: tuple[str, ...] = ()
    prefix: Prefix = ()
    login_rate: int = _LOGIN_RATE

    def __call__(self, server: Server, place: Place) -> Mapping[str, float]:
        """Run it once; see `bench.scenarios.Measure`.

        Returns:
            beside fsdload's figures ``early_s``: how many seconds before the window of
            those who fly the storm began, since they were not all on in time.
        """
        options = (
            *("--pilots", str(self.flying), "--hold"),
            *("--login-rate", str(self.login_rate)),
            *("--warmup", str(_WARM_UP), *self.options),
            *place.pace.window(self.seconds),
            *self._accounts(0),
        )
        with server.serve(place.folder) as running:
            calm = place.load.run(running, *options, prefix=self.prefix)
        with (
            server.serve(place.folder) as running,
            place.load.started(
                running, *options, prefix=self.prefix, name="flying"
            ) as flying,
        ):
            pause(self.flying / self.login_rate + _WARM_UP + _INTO_WINDOW)
            found = place.load.run(
                running,
                *("--pilots", str(self.pilots), *_STORM, *self._accounts(1)),
                prefix=self.prefix,
            )
            shaken = flying.figures()
        # CPU and lines of the storm's own window, when all is over, say nothing.
        kept = {name: found[name] for name in ("missing", "last_login_s", "peak_mb")}
        in_time = self.flying / self.login_rate + _INTO_WINDOW
        kept["early_s"] = max(0.0, shaken.get("last_login_s", 0.0) - in_time)
        heard = ("p99_ms", "wire_p99_ms", "lag_p99_ms", "waited")
        kept |= {name: shaken[name] for name in heard if name in shaken}
        # Whoever flies and hears nothing has no latency at all.
        if "p99_ms" in shaken and "p99_ms" in calm:
            kept["calm_ms"] = calm["p99_ms"]
            kept["others_ms"] = shaken["p99_ms"] - calm["p99_ms"]
            kept["others_share"] = shaken["p99_ms"] / calm["p99_ms"] - 1.0
        if "wire_p99_ms" in shaken and "wire_p99_ms" in calm:
            kept["calm_wire_ms"] = calm["wire_p99_ms"]
            kept["wire_share"] = shaken["wire_p99_ms"] / calm["wire_p99_ms"] - 1.0
        return kept

    def _accounts(self, number: int) -> tuple[str, ...]:
        """Return fsdload's options for one of the two files of accounts."""
        return ("--accounts", str(self.accounts[number])) if self.accounts else ()


@dataclass(frozen=True, slots=True)
class Frozen:
    """Some log on and never read, while the kernel holds little for them.

    The rest is measured twice, with everybody reading and with some frozen.
    """

    pilots: int
    seconds: float = 60.0  # a frozen one is to be cut within that

    def __call__(self, server: Server, place: Place) -> Mapping[str, float]:
        """Run it once; see `bench.scenarios.Measure`."""
        options = (
            *("--pilots", str(self.pilots), "--hold"),
            *("--interval", "0.08"),  # 48 kB/s for each receiver
        )
        with small_buffers(_KERNEL_BUFFER) as prefix:
            with server.serve(place.folder, prefix) as running:
                calm = place.load.run(
                    running, *options, "--duration", "15", prefix=prefix
                )
            with server.serve(place.folder, prefix) as running:
                found = place.load.run(
                    running,
                    *options,
                    *("--slow-readers", str(_FROZEN)),
                    *("--duration", str(self.seconds)),
                    prefix=prefix,
                )
        if "p99_ms" in found and "p99_ms" in calm:
            found["others_share"] = found["p99_ms"] / calm["p99_ms"] - 1.0
        grown = max(0.0, found["peak_mb"] - calm["peak_mb"])
        found["frozen_kb"] = grown * _KB / _FROZEN
        return found
