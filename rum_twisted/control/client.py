"""Asks a running server: the side of rumctl. It blocks, and needs no Twisted."""

import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from rum_twisted.control.address import socket_name
from rum_twisted.control.lines import (
    LONGEST_ANSWER,
    Question,
    Refused,
    Unreadable,
    read_answer,
    write_question,
)

__all__ = ["ControlClient", "NotAnswering", "Refused"]

PATIENCE: Final = 35.0  # seconds; the server itself gives a command up after 30


class NotAnswering(Exception):
    """No server can be asked; the text says which one, and why."""


class ControlClient:
    """Asks the server behind a socket file.

    Args:
        path: the socket file, `rum_twisted.config` has it as ``control.socket``.
        patience: how many seconds to wait for each step of an answer.
    """

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        self._path = path
        self._patience = patience

    def ask(self, command: str, **arguments: Any) -> Any:
        """Have the server carry out a command, on a connection of its own.

        Args:
            command: its name, e.g. ``lockouts.list``.
            arguments: what it is about; values that JSON can hold.

        Returns:
            the result, as JSON gives it.

        Raises:
            NotAnswering: no server listens, or it has not answered.
            Refused: the server does not do it; the text says why.
        """
        line = write_question(Question(command, arguments))
        try:
            answer = self._exchange(line)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotAnswering(f"no server listens at {self._path}") from error
        except ConnectionResetError as error:
            raise NotAnswering(self._hung_up) from error
        except TimeoutError as error:
            raise NotAnswering(
                f"the server at {self._path} has not answered within"
                f" {self._patience:g} s"
            ) from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise NotAnswering(f"{self._path} cannot be asked: {reason}") from error
        if not answer:
            raise NotAnswering(self._hung_up)
        try:
            return read_answer(answer)
        except Unreadable as error:
            raise NotAnswering(
                f"what listens at {self._path} is no Rum: {error}"
            ) from error

    @property
    def _hung_up(self) -> str:
        return f"the server at {self._path} has hung up; it may answer others just now"

    def _exchange(self, line: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self._patience)
            with socket_name(self._path) as name:
                connection.connect(name)
            with suppress(BrokenPipeError):  # it has said why before it closed
                connection.sendall(line)
            with connection.makefile("rb") as answers:
                return answers.readline(LONGEST_ANSWER)
