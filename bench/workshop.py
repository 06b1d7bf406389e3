"""What a bench run needs and the project does not carry: it is built under bench/out.

The load generator and the relay are compiled. pyfsd and matplotlib come from PyPI,
each into an environment of its own, so that nothing of them is near the server. What
is there already is used again; ``rm -r bench/out`` begins anew.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.processes import ROOT

__all__ = ["OUT", "CannotBuild", "compile_source", "environment_with"]

OUT: Final = ROOT / "bench" / "out"
"""Everything that a bench run makes; not committed."""

_PATIENCE: Final = 90  # seconds for pip, so that a quick run stays quick
_COMPILERS: Final = ("g++", "clang++", "c++")


class CannotBuild(Exception):
    """Something cannot be had on this machine; the message says why."""


def compile_source(source: Path) -> Path:
    """Compile one C++ file, unless that is done already; return the program.

    Raises:
        CannotBuild: there is no compiler, or it refused.
    """
    program = OUT / source.stem
    if program.exists() and program.stat().st_mtime >= source.stat().st_mtime:
        return program
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        raise CannotBuild(f"no C++ compiler for {source.name}: install g++")
    OUT.mkdir(exist_ok=True)
    _run([compiler, "-O2", "-std=c++17", "-o", str(program), str(source)])
    return program


def environment_with(requirement: str, name: str) -> Path:
    """Install a package into an environment of its own; return its ``bin`` folder.

    Raises:
        CannotBuild: pip could not install it.
    """
    folder = OUT / name
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text("utf-8") == requirement:
        return folder / "bin"
    OUT.mkdir(exist_ok=True)
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    _run([*pip, "--disable-pip-version-check", requirement])
    stamp.write_text(requirement, "utf-8")
    return folder / "bin"


def _run(command: Sequence[str]) -> None:
    try:
        subprocess.run(  # noqa: S603 - only the commands above
            command,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE,
        )
    except subprocess.CalledProcessError as error:
        lines = (error.output or "").strip().splitlines()
        raise CannotBuild(lines[-1] if lines else str(error)) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBuild(str(error)) from error
