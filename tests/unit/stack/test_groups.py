"""Where control groups are made, and what is written there.

Folders of a test stand for the kernel's; `tests.integration.test_stack` has those.
"""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.stack.groups import GroupUse, find_groups

NAME = "rum-stack"


class GroupsTestCase(SynchronousTestCase):
    """A file system that a test fills."""

    @override
    def setUp(self) -> None:
        """Make it, empty."""
        self.root = Path(self.mktemp())
        self.mounted = self.root / "sys/fs/cgroup"

    def own(self, text: str) -> None:
        """Let the kernel say which groups we are in."""
        path = self.root / "proc/self/cgroup"
        path.parent.mkdir(parents=True)
        path.write_text(text, "ascii")

    def write(self, **contents: str) -> None:
        """Write files below ``sys/fs/cgroup``; ``__`` stands for a slash."""
        for name, text in contents.items():
            path = self.mounted / name.replace("__", "/").replace("DOT", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "ascii")

    def read(self, name: str) -> str:
        """Return what a file below ``sys/fs/cgroup`` says."""
        return (self.mounted / name).read_text("ascii")


class FirstVersionTests(GroupsTestCase):
    """A tree for each controller."""

    @override
    def setUp(self) -> None:
        """Be in a group for memory, and in none for the CPU."""
        super().setUp()
        self.own("4:memory:/box\n2:cpu,cpuacct:/\n0::/\n")
        self.write(memory__box__cgroupDOTprocs="1\n", cpu__cgroupDOTprocs="1\n")

    def test_limits(self) -> None:
        """They stand below our own group, so that its limits go on to hold."""
        groups = find_groups(NAME, root=self.root)
        assert groups is not None
        groups.make("front").limit(memory=64 << 20, cpus=0.15)
        memory = f"memory/box/{NAME}/front"
        self.assertEqual(self.read(f"{memory}/memory.limit_in_bytes"), str(64 << 20))
        self.assertEqual(self.read(f"cpu/{NAME}/front/cpu.cfs_quota_us"), "15000")
        self.assertEqual(self.read(f"cpu/{NAME}/front/cpu.cfs_period_us"), "100000")

    def test_no_limits(self) -> None:
        """It is said that there are none."""
        groups = find_groups(NAME, root=self.root)
        assert groups is not None
        groups.make("front").limit(memory=None, cpus=None)
        memory = f"memory/box/{NAME}/front"
        self.assertEqual(self.read(f"{memory}/memory.limit_in_bytes"), "-1")
        self.assertEqual(self.read(f"cpu/{NAME}/front/cpu.cfs_quota_us"), "-1")

    def test_use(self) -> None:
        """What the kernel counts, in bytes and seconds."""
        groups = find_groups(NAME, root=self.root)
        assert groups is not None
        group = groups.make("front")
        self.assertEqual(group.use().kills, None)
        (self.mounted / f"memory/box/{NAME}/front/memory.stat").write_text(
            "inactive_file 1\ntotal_inactive_file 500\n"
        )
        for name, text in (
            ("memory.usage_in_bytes", "2000\n"),
            ("memory.max_usage_in_bytes", "3000\n"),
            ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
        ):
            (self.mounted / f"memory/box/{NAME}/front" / name).write_text(text)
        (self.mounted / f"cpu/{NAME}/front/cpu.stat").write_text(
            "nr_throttled 9\nthrottled_time 1500000000\n"
        )
        self.assertEqual(
            group.use(),
            GroupUse(memory=2000, working=1500, peak=3000, kills=2, throttled=1.5),
        )

    def test_only_one_controller(self) -> None:
        """Half of the limits is none."""
        (self.mounted / "cpu" / "cgroup.procs").unlink()
        self.assertIsNone(find_groups(NAME, root=self.root))


class SecondVersionTests(GroupsTestCase):
    """One tree; a group with processes in it hands nothing out."""

    @override
    def setUp(self) -> None:
        """Be in a session's group, below one that hands out what is needed."""
        super().setUp()
        self.own("0::/user/app/session\n")
        self.write(
            user__cgroupDOTsubtree_control="cpu memory pids\n",
            user__app__cgroupDOTsubtree_control="pids\n",
            user__app__session__cgroupDOTsubtree_control="",
        )

    def test_limits(self) -> None:
        """They stand in the nearest group above that can have them."""
        groups = find_groups(NAME, root=self.root)
        assert groups is not None
        self.assertEqual(
            self.read(f"user/{NAME}/cgroup.subtree_control"), "+memory +cpu"
        )
        groups.make("front").limit(memory=64 << 20, cpus=0.15)
        self.assertEqual(self.read(f"user/{NAME}/front/memory.max"), str(64 << 20))
        self.assertEqual(self.read(f"user/{NAME}/front/cpu.max"), "15000 100000")

    def test_no_limits(self) -> None:
        """It is said that there are none."""
        groups = find_groups(NAME, root=self.root)
        assert groups is not None
        groups.make("front").limit(memory=None, cpus=None)
        self.assertEqual(self.read(f"user/{NAME}/front/memory.max"), "max")
        self.assertEqual(self.read(f"user/{NAME}/front/cpu.max"), "max 100000")

    def test_use(self) -> None:
        """What the kernel counts, in bytes and seconds."""
        groups = find_groups(NAME, root=self.root)
        assert groups is not None
        group = groups.make("front")
        for name, text in (
            ("memory.current", "2000\n"),
            ("memory.peak", "3000\n"),
            ("memory.stat", "anon 7\ninactive_file 500\n"),
            ("memory.events", "low 0\noom 3\noom_kill 2\n"),
            ("cpu.stat", "usage_usec 9\nthrottled_usec 1500000\n"),
        ):
            (self.mounted / f"user/{NAME}/front" / name).write_text(text)
        self.assertEqual(
            group.use(),
            GroupUse(memory=2000, working=1500, peak=3000, kills=2, throttled=1.5),
        )

    def test_nobody_hands_out(self) -> None:
        """Then limits are only shown."""
        self.write(user__cgroupDOTsubtree_control="pids\n")
        self.assertIsNone(find_groups(NAME, root=self.root))


class NothingTests(GroupsTestCase):
    """A system without control groups."""

    def test_none(self) -> None:
        """There is nothing to be made."""
        self.assertIsNone(find_groups(NAME, root=self.root))
