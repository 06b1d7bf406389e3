"""What is said of an instance."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.instance import (
    HIGHEST_WEIGHT,
    LONGEST_WORD,
    InvalidInstance,
)
from tests.support.instances import make_instance


class InstanceTests(SynchronousTestCase):
    """An instance exists only if it can be called."""

    def refuse(self, field: str, *values: object) -> None:
        """Assert that no instance has any of these values, and that it is named."""
        for value in values:
            with self.assertRaises(InvalidInstance, msg=repr(value)) as caught:
                replace(make_instance(), **{field: value})  # type: ignore[arg-type]
            self.assertIn(field, str(caught.exception))

    def accept(self, field: str, *values: object) -> None:
        """Assert that an instance may have each of these values."""
        for value in values:
            changed = replace(make_instance(), **{field: value})  # type: ignore[arg-type]
            self.assertEqual(getattr(changed, field), value)

    def test_names_fit_into_a_key(self) -> None:
        """They have no slash, no blank, and no end of their own making."""
        for field in ("service", "name"):
            self.accept(field, "a", "rum-4.weather_2", "a" * LONGEST_WORD)
            self.refuse(field, "", "a/b", "a b", ".a", "é", "a\n", "a" * 65)

    def test_words_have_no_blanks(self) -> None:
        """A version, a group and a zone may be missing; they are single words."""
        for field in ("version", "group", "zone"):
            self.accept(field, "", "4.0.0+local", "é"[:0], "a" * LONGEST_WORD)
            self.refuse(field, "a b", "é", "a\n", "a" * 65)

    def test_address_has_host_and_port(self) -> None:
        """Names, IPv4 and IPv6 in brackets; a port is from 1 to 65535."""
        self.accept("address", "10.0.0.1:1", "rum.example:65535", "[::1]:7001")
        self.refuse(
            "address",
            "",
            "host",
            "host:",
            ":7001",
            "host:0",
            "host:65536",
            "::1:7001",
            "a b:1",
            "host:1\n",
            f"{'a' * 260}:7001",
        )

    def test_weight_has_bounds(self) -> None:
        """An instance may weigh nothing, and not more than the bound."""
        self.accept("weight", 0, HIGHEST_WEIGHT)
        self.refuse("weight", -1, HIGHEST_WEIGHT + 1)

    def test_start_is_a_time(self) -> None:
        """It is finite, and not before 1970."""
        self.accept("started", 0.0, 1_790_000_000.5)
        self.refuse("started", -1.0, float("inf"), float("nan"))
