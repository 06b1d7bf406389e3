"""Who is there, and who is told."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.discovery.directory import Directory
from rum_twisted.terms.instance import Instance
from tests.support.instances import Told, make_instance


class DirectoryTests(SynchronousTestCase):
    """What listeners can rely on."""

    def test_instances_are_sorted_by_name(self) -> None:
        """Whatever order they come in, those of one service are read in one order."""
        directory = Directory()
        directory.replace(make_instance(name) for name in ("c", "a", "b"))
        self.assertEqual(
            [each.name for each in directory.instances("passport")], ["a", "b", "c"]
        )
        self.assertEqual(directory.services(), ("passport",))

    def test_nobody_plays_an_unknown_service(self) -> None:
        """Asking for it is no error, and is not remembered."""
        directory = Directory()
        self.assertEqual(directory.instances("weather"), ())
        self.assertEqual(directory.services(), ())

    def test_watch_is_told_of_its_service_only(self) -> None:
        """A change of another service wakes nobody."""
        directory, told = Directory(), Told()
        directory.watch("passport", told)
        directory.replace([make_instance("w", service="weather")])
        self.assertEqual(told.times, [])
        directory.replace([make_instance("a"), make_instance("w", service="weather")])
        self.assertEqual(told.names, ["a"])

    def test_watch_is_not_told_what_it_knows(self) -> None:
        """The same again is no change."""
        directory, told = Directory(), Told()
        directory.watch("passport", told)
        for _ in range(3):
            directory.replace([make_instance("a")])
        self.assertEqual(len(told.times), 1)

    def test_last_one_who_leaves_is_told(self) -> None:
        """An empty service is told as empty."""
        directory, told = Directory(), Told()
        directory.replace([make_instance("a")])
        directory.watch("passport", told)
        directory.replace([])
        self.assertEqual(told.times, [()])

    def test_watch_does_not_call_at_once(self) -> None:
        """Whoever watches asks first how things are."""
        directory, told = Directory(), Told()
        directory.replace([make_instance("a")])
        directory.watch("passport", told)
        self.assertEqual(told.times, [])

    def test_stopped_watch_is_told_nothing(self) -> None:
        """Stopping ends it at once, also while others are told; twice is fine."""
        directory, told = Directory(), Told()

        def stop_the_other(_: tuple[Instance, ...]) -> None:
            second.stop()

        directory.watch("passport", stop_the_other)
        second = directory.watch("passport", told)
        directory.replace([make_instance("a")])
        self.assertEqual(told.times, [])
        second.stop()
        self.assertEqual(directory.watches, 1)

    def test_one_listener_that_fails_silences_nobody(self) -> None:
        """The failure is logged, and the next listener is told."""
        directory, told = Directory(), Told()

        def fail(_: tuple[Instance, ...]) -> None:
            raise ZeroDivisionError

        directory.watch("passport", fail)
        directory.watch("passport", told)
        directory.replace([make_instance("a")])
        self.assertEqual(told.names, ["a"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_repr_tells_how_many(self) -> None:
        """One line says what it is."""
        directory = Directory()
        directory.replace([make_instance("a")])
        self.assertEqual(
            repr(directory), "<Directory: 1 instances of 1 services, 0 watches>"
        )
