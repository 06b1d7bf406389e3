"""Passwords in real threads: the reactor goes on, and memory comes back."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import TestCase
from typing_extensions import override

from rum_twisted.accounts.hashing import HashingPool
from rum_twisted.accounts.passwords import Argon2Parameters, Hasher, Verdict

RIGHT = Verdict(ok=True)
NICENESS = 15

_STARVED = """
import resource
from rum_twisted.accounts.passwords import Argon2Parameters, Hasher
hasher = Hasher(Argon2Parameters(memory=131072, passes=1))
resource.setrlimit(resource.RLIMIT_AS, (100 << 20, 100 << 20))
for act in (
    lambda: hasher.verify(None, "pw01"),
    lambda: hasher.verify("plain$pw02", "pw01"),
    lambda: hasher.hash("pw01"),
):
    try:
        act()
    except MemoryError as error:
        print(error)
"""

_GIVEN_BACK = """
import threading
from pathlib import Path
from rum_twisted.accounts.hashing import return_freed_memory
from rum_twisted.accounts.passwords import Hasher

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4

return_freed_memory()
hasher = Hasher()
before = resident()
for _ in range(3):
    thread = threading.Thread(target=hasher.verify, args=(None, "pw01"))
    thread.start()
    thread.join()
print(resident() - before)
"""


class WatchfulHasher(Hasher):
    """Remembers in which thread it worked, and how nice that was."""

    def __init__(self, parameters: Argon2Parameters) -> None:
        super().__init__(parameters)
        self.places: set[tuple[int, int]] = set()

    @override
    def verify(self, stored: str | None, password: str) -> Verdict:
        """Check a password, and look around."""
        nice = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        self.places.add((threading.get_native_id(), nice))
        return super().verify(stored, password)


class ThreadsTests(TestCase):
    """The pool on a real reactor."""

    async def test_reactor_goes_on_while_passwords_are_checked(self) -> None:
        """Ten checks in two threads: others have their turns meanwhile."""
        hasher = WatchfulHasher(Argon2Parameters())
        stored = hasher.hash("pw01")
        clock: Any = reactor
        pool = HashingPool(hasher, clock, at_once=2)
        pool.startService()
        self.addCleanup(pool.stopService)
        turns: list[int] = []
        ticking = LoopingCall(lambda: turns.append(1))
        ticking.start(0.001)
        self.addCleanup(ticking.stop)
        verdicts = await gatherResults([pool.verify(stored, "pw01") for _ in range(10)])
        self.assertEqual(verdicts, [RIGHT] * 10)
        # Checked on this thread, they would leave room for none but the first.
        self.assertGreater(len(turns), 5)
        here = threading.get_native_id()
        self.assertNotIn(here, {thread for thread, _ in hasher.places})
        self.assertLessEqual(len(hasher.places), 2)
        if sys.platform == "linux":
            mine = os.getpriority(os.PRIO_PROCESS, here)
            due = max(mine, NICENESS)
            self.assertEqual({nice for _, nice in hasher.places}, {due})

    async def test_stop_leaves_no_thread(self) -> None:
        """When the stop is told, the check under way and its thread are over."""
        clock: Any = reactor
        pool = HashingPool(Hasher(), clock)
        pool.startService()
        answer = pool.verify(None, "pw01")
        stopped = pool.stopService()
        assert stopped is not None
        await stopped
        self.assertFalse((await answer).ok)
        names = [thread.name for thread in threading.enumerate()]
        self.assertEqual([name for name in names if "passwords" in name], [])


class MemoryTests(TestCase):
    """What a hash does to the memory of a whole process."""

    def run_python(self, code: str) -> list[str]:
        """Return the lines that a program prints."""
        ran = subprocess.run(  # noqa: S603 - the code stands above
            (sys.executable, "-c", code),
            capture_output=True,
            text=True,
            check=True,
            timeout=180,
            cwd=Path(__file__).parents[2],
        )
        return ran.stdout.splitlines()

    def test_memory_of_a_hash_goes_back(self) -> None:
        """After the last logon a server is as small as before the first."""
        if not Path("/proc/self/statm").exists():
            self.skipTest("needs Linux to tell how much memory is used")
        (grown,) = self.run_python(_GIVEN_BACK)
        self.assertLess(int(grown), 2048, "KiB kept; a hash fills 9216")

    def test_machine_without_memory_is_told_from_a_wrong_password(self) -> None:
        """Where there is no room for a hash, nobody is called a liar."""
        if sys.platform != "linux":
            self.skipTest("needs Linux to bound the memory of a process")
        lines = self.run_python(_STARVED)
        self.assertEqual(lines, ["no memory for a hash of argon2id"] * 3)
