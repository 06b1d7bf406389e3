"""What a control group allows and counts."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.cgroup import (
    MemoryGroup,
    MemoryUse,
    Throttled,
    cores_allowed,
    throttled,
)


class GroupTestCase(SynchronousTestCase):
    """A file system of our own."""

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


class CoresAllowedTests(GroupTestCase):
    """The limit, as both kinds of control groups tell it."""

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


class ThrottledTests(GroupTestCase):
    """How often the CPU limit was felt."""

    def test_second_kind(self) -> None:
        """Microseconds, beside other facts."""
        self.write("proc/self/cgroup", "0::/rum\n")
        self.write(
            "sys/fs/cgroup/rum/cpu.stat",
            "usage_usec 90\nnr_periods 9\nnr_throttled 4\nthrottled_usec 2500000\n",
        )
        self.assertEqual(throttled(self.root), Throttled(4, 2.5))

    def test_first_kind(self) -> None:
        """Nanoseconds."""
        self.write("proc/self/cgroup", "2:cpu:/rum\n")
        self.write(
            "sys/fs/cgroup/cpu/rum/cpu.stat",
            "nr_periods 9\nnr_throttled 4\nthrottled_time 2500000000\n",
        )
        self.assertEqual(throttled(self.root), Throttled(4, 2.5))

    def test_nobody_counts(self) -> None:
        """A group without a CPU controller tells nothing, which is not zero."""
        self.write("proc/self/cgroup", "0::/rum\n")
        self.write("sys/fs/cgroup/rum/cpu.stat", "usage_usec 90\n")
        self.assertIsNone(throttled(self.root))


class MemoryGroupTests(GroupTestCase):
    """The limit of memory, and what is used of it."""

    def second(self, folder: str, used: int, limit: str) -> None:
        """Make a group of the second kind, of which 1000 bytes can be dropped."""
        self.write(f"sys/fs/cgroup/{folder}memory.current", f"{used}\n")
        self.write(f"sys/fs/cgroup/{folder}memory.max", f"{limit}\n")
        self.write(f"sys/fs/cgroup/{folder}memory.stat", "anon 5\ninactive_file 1000\n")

    def first(self, folder: str, used: int, limit: int) -> None:
        """Make one of the first kind."""
        mount = f"sys/fs/cgroup/memory/{folder}"
        self.write(f"{mount}memory.usage_in_bytes", f"{used}\n")
        self.write(f"{mount}memory.limit_in_bytes", f"{limit}\n")
        self.write(f"{mount}memory.stat", "inactive_file 7\ntotal_inactive_file 1000\n")

    def test_second_kind(self) -> None:
        """What the kernel drops first is told apart."""
        self.write("proc/self/cgroup", "0::/rum\n")
        self.second("rum/", 50_000, "64000")
        self.assertEqual(
            MemoryGroup(self.root).look(),
            MemoryUse(used=50_000, working=49_000, limit=64_000),
        )

    def test_first_kind(self) -> None:
        """The same, in other files; the group's children are counted."""
        self.write("proc/self/cgroup", "4:memory:/rum\n0::/\n")
        self.first("rum/", 50_000, 64_000)
        self.assertEqual(
            MemoryGroup(self.root).look(),
            MemoryUse(used=50_000, working=49_000, limit=64_000),
        )

    def test_no_limit(self) -> None:
        """``max``, or the first kind's number near two to the sixty-third."""
        self.write("proc/self/cgroup", "4:memory:/rum\n")
        self.first("rum/", 50_000, 9_223_372_036_854_771_712)
        found = MemoryGroup(self.root).look()
        assert found is not None
        self.assertIsNone(found.limit)
        self.write("proc/self/cgroup", "0::/rum\n")
        self.second("rum/", 50_000, "max")
        found = MemoryGroup(self.root).look()
        assert found is not None
        self.assertEqual((found.used, found.limit), (50_000, None))

    def test_the_narrowest_above_counts(self) -> None:
        """Its use counts then, too: neighbors in it may use it up."""
        self.write("proc/self/cgroup", "0::/pod/rum\n")
        self.second("pod/rum/", 50_000, "max")
        self.second("pod/", 80_000, "96000")
        found = MemoryGroup(self.root).look()
        assert found is not None
        self.assertEqual((found.used, found.limit), (80_000, 96_000))

    def test_a_limit_that_is_changed(self) -> None:
        """It is read anew at each look."""
        self.write("proc/self/cgroup", "0::/rum\n")
        self.second("rum/", 50_000, "64000")
        group = MemoryGroup(self.root)
        self.second("rum/", 51_000, "96000")
        found = group.look()
        assert found is not None
        self.assertEqual((found.used, found.limit), (51_000, 96_000))

    def test_a_limit_that_comes_and_goes(self) -> None:
        """On any of the groups: the narrowest of now counts."""
        self.write("proc/self/cgroup", "0::/pod/rum\n")
        self.second("pod/rum/", 50_000, "max")
        self.second("pod/", 80_000, "max")
        group = MemoryGroup(self.root)
        for inner, outer, used, limit in (
            ("max", "max", 50_000, None),
            ("max", "96000", 80_000, 96_000),
            ("64000", "96000", 50_000, 64_000),
            ("96000", "96000", 50_000, 96_000),
            ("max", "max", 50_000, None),
        ):
            self.second("pod/rum/", 50_000, inner)
            self.second("pod/", 80_000, outer)
            found = group.look()
            assert found is not None
            self.assertEqual((found.used, found.limit), (used, limit))

    def test_no_control_groups(self) -> None:
        """A system without them knows nothing."""
        self.assertIsNone(MemoryGroup(self.root).look())

    def test_the_machine_it_runs_on(self) -> None:
        """Whatever machine this is, there is no trouble."""
        found = MemoryGroup().look()
        self.assertTrue(found is None or found.used > 0)
