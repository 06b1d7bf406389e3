"""A thread of a plugin's own."""

import threading
from collections.abc import Callable
from queue import SimpleQueue

from typing_extensions import override

__all__ = ["Worker"]

Job = Callable[[], None]


class Worker:
    """Runs one job after the other, elsewhere.

    The thread is begun with the first job. A job that never ends keeps nobody from
    ending the process: the thread is left behind.

    Args:
        name: of the thread, for who looks at the process.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    @override
    def __repr__(self) -> str:
        return f"<Worker {self._name}: {'idle' if self._thread is None else 'begun'}>"

    def run(self, job: Job) -> None:
        """Run ``job`` after those that came before; it must not raise."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._work, name=self._name, daemon=True
            )
            self._thread.start()
        self._jobs.put(job)

    def end(self) -> None:
        """Run no more after what is under way; this does not wait."""
        if self._thread is not None:
            self._thread = None
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
