"""How the CPU limit of a control group is found."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.pergola.cpu import cores_allowed


class CoresAllowedTests(SynchronousTestCase):
    """The limit, as both kinds of control groups tell it."""

    @override
    def setUp(self) -> None:
        """Make a file system of our own."""
        self.root = Path(self.mktemp())
        self.write("proc/self/cgroup", "")

    def write(self, path: str, text: str) -> None:
        """Write a file of the system."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "ascii")

    def group(self, folder: str, quota: int, period: int = 100_000) -> None:
        """Make a group of the first kind."""
        self.write(f"sys/fs/cgroup/cpu/{folder}cpu.cfs_quota_us", f"{quota}\n")
        self.write(f"sys/fs/cgroup/cpu/{folder}cpu.cfs_period_us", f"{period}\n")

    def test_the_machine_it_runs_on(self) -> None:
        """Whatever machine this is, the answer is a number of cores or none."""
        cores = cores_allowed()
        self.assertTrue(cores is None or cores > 0)

    def test_no_control_groups(self) -> None:
        """A system without them sets no limit."""
        self.assertIsNone(cores_allowed(self.root))
        self.assertIsNone(cores_allowed(self.root / "nothing"))

    def test_second_kind(self) -> None:
        """``cpu.max`` holds quota and period."""
        self.write("proc/self/cgroup", "0::/system/rum\n")
        self.write("sys/fs/cgroup/system/rum/cpu.max", "15000 100000\n")
        self.assertEqual(cores_allowed(self.root), 0.15)

    def test_second_kind_without_limit(self) -> None:
        """``max`` is no limit."""
        self.write("proc/self/cgroup", "0::/\n")
        self.write("sys/fs/cgroup/cpu.max", "max 100000\n")
        self.assertIsNone(cores_allowed(self.root))

    def test_first_kind(self) -> None:
        """The quota stands in a file of its own, -1 for none."""
        self.write("proc/self/cgroup", "3:memory:/m\n2:cpu,cpuacct:/box\n0::/\n")
        self.group("box/", 15_000)
        self.group("", -1)
        self.assertEqual(cores_allowed(self.root), 0.15)

    def test_groups_above_count(self) -> None:
        """The narrowest limit on the way up is the one."""
        self.write("proc/self/cgroup", "2:cpu:/a/b/c\n")
        self.group("a/b/c/", 50_000)
        self.group("a/b/", 20_000)
        self.group("a/", 90_000)
        self.assertEqual(cores_allowed(self.root), 0.2)

    def test_container_sees_its_own_root_only(self) -> None:
        """Where a group's path is not to be seen, the mount's root counts."""
        self.write("proc/self/cgroup", "2:cpu:/docker/0123\n")
        self.group("", 30_000)
        self.assertEqual(cores_allowed(self.root), 0.3)

    def test_other_controllers_do_not_count(self) -> None:
        """The group of another controller says nothing of CPU time."""
        self.write("proc/self/cgroup", "2:cpuset:/box\n")
        self.group("box/", 15_000)
        self.assertIsNone(cores_allowed(self.root))

    def test_garbage(self) -> None:
        """What cannot be read is no limit."""
        self.write("proc/self/cgroup", "0::/\nx\n::\n2:cpu\n")
        for text in ("", "x y", "1", "5 0", "-3 10"):
            self.write("sys/fs/cgroup/cpu.max", text)
            self.assertIsNone(cores_allowed(self.root), text)
