"""A page of the documentation, followed word by word.

A fenced block whose info string names a file is that file. A block ``console`` is a
terminal: lines behind ``$ `` are typed, what follows is what is shown, where ``...``
stands for anything; of several lines any may come first. A terminal with a name whose
block has one command that does not end is left running; the last line is waited for.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.twistd import PATIENCE, ROOT

__all__ = ["Block", "Reader", "blocks_of"]

_BLOCK: Final = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.M | re.S)
_BETWEEN_LOOKS: Final = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    kind: str  # ``python``, ``console`` …
    name: str  # of the file, or the terminal; may be empty
    text: str


def blocks_of(page: str) -> Iterator[Block]:
    """Yield the blocks that are to be followed, in their order."""
    for kind, name, text in _BLOCK.findall(page):
        if name or kind == "console":
            yield Block(kind, name, text)


class Reader:
    """Somebody who does what a page says.

    Args:
        folder: where he is.
        words: what he reads otherwise: paths, and ports that are free here.
    """

    def __init__(self, folder: Path, words: Mapping[str, str]) -> None:
        self._folder = folder
        self._words = words
        self._left_running: list[subprocess.Popen[bytes]] = []
        environ = {key: value for key, value in os.environ.items() if key[:4] != "RUM_"}
        programs = Path(sys.executable).parent
        self._environ = {
            **environ,
            "PATH": f"{programs}:{environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }

    def follow(self, block: Block) -> None:
        """Do what one block says.

        Raises:
            AssertionError: something else is shown than the page has.
        """
        text = block.text
        for word, other in self._words.items():
            text = text.replace(word, other)
        if block.kind != "console":
            path = self._folder / block.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            return
        typed = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.M)
        for command, shown in typed:
            if block.name and len(typed) == 1 and shown:
                self._leave_running(command, shown)
            else:
                self._run(command, shown)

    def end(self) -> None:
        """End what was left running."""
        for process in self._left_running:
            process.send_signal(signal.SIGTERM)
        for process in self._left_running:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _run(self, command: str, due: str) -> None:
        done = subprocess.run(  # noqa: S603 - the page is ours
            ("/bin/bash", "-c", command),
            capture_output=True,
            check=False,
            cwd=self._folder,
            env=self._environ,
            timeout=6 * PATIENCE,
        )
        shown = (done.stdout + done.stderr).decode()
        if not _has_lines(shown, due):
            raise AssertionError(f"$ {command}\n{shown}\ninstead of\n{due}")

    def _leave_running(self, command: str, due: str) -> None:
        log = self._folder / f"terminal-{len(self._left_running)}"
        with log.open("wb") as terminal:
            process = subprocess.Popen(  # noqa: S603 - the page is ours
                ("/bin/bash", "-c", f"exec {command}"),
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=subprocess.STDOUT,
            )
        self._left_running.append(process)
        deadline = time.monotonic() + PATIENCE
        while not any(
            _is_like(f"{line}\n", due) for line in log.read_text("utf-8").splitlines()
        ):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"$ {command}\n{log.read_text('utf-8')}")
            time.sleep(_BETWEEN_LOOKS)  # noqa: TID251 - another process is awaited


def _has_lines(shown: str, due: str) -> bool:
    """Tell whether just the due lines are shown; plugins may overtake each other."""
    left = shown.splitlines(keepends=True)
    for line in due.splitlines(keepends=True):
        like = next((each for each in left if _is_like(each, line)), None)
        if like is None:
            return False
        left.remove(like)
    return not left


def _is_like(shown: str, due: str) -> bool:
    pattern = re.escape(due).replace(r"\.\.\.", r"[^\n]*")
    return re.fullmatch(pattern, shown) is not None
