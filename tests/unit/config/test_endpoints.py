"""What can be told from an endpoint's description without building it."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.config.endpoints import (
    UnfitDescription,
    check,
    host_and_port,
    is_inherited,
    needs_tls,
)

GOOD = (
    "tcp:6809",
    "tcp:0",
    "tcp:65535:interface=127.0.0.1",
    "tcp:port=6809",
    "tcp6:6809:interface=\\:\\:1",
    "ssl:6810:privateKey=key.pem",
    "tls:/etc/rum/certificates",
    "tls:/etc/rum/certificates:6810",
    "haproxy:tcp:6809",
    "unix:/run/rum.socket",
    "systemd:INET:index=0",
    "onion:6809",
)
BAD = (
    "",
    ":",
    "6809",
    "tcp",
    "tcp:",
    "tcp:x",
    "tcp:-1",
    "tcp:65536",
    "tcp:\u0663",
    "tcp:port=x",
    "tcp:interface=127.0.0.1",
    "tls:/etc/rum/certificates:x",
    "ssl:99999",
    "haproxy",
    "haproxy:tcp",
    "haproxy:tcp:99999",
    "one two:6809",
    "tcp :6809",
)


class CheckTests(SynchronousTestCase):
    """Mistakes of typing are found."""

    def test_descriptions_are_taken(self) -> None:
        """Every kind of endpoint that Twisted has may stand in the settings."""
        for description in GOOD:
            check(description)

    def test_mistakes_are_refused(self) -> None:
        """A port out of range, or none, and a missing kind are found."""
        for description in BAD:
            with self.assertRaises(UnfitDescription, msg=description):
                check(description)


class NeedsTLSTests(SynchronousTestCase):
    """Only who needs OpenSSL pays for it."""

    def test_plain_listeners_do_not(self) -> None:
        """Ports, sockets and inherited sockets do without, behind a proxy too."""
        for description in ("tcp:1", "tcp6:1", "unix:/a", "systemd:INET:index=0"):
            self.assertFalse(needs_tls(description))
            self.assertFalse(needs_tls(f"haproxy:{description}"))

    def test_tls_listeners_do(self) -> None:
        """Encrypted ones need it, behind a proxy too, and so may unknown ones."""
        for description in ("ssl:1", "tls:/a", "onion:1"):
            self.assertTrue(needs_tls(description))
            self.assertTrue(needs_tls(f"haproxy:{description}"))


class IsInheritedTests(SynchronousTestCase):
    """Sockets of the service manager are told from Rum's own."""

    def test_only_systemd_hands_sockets_over(self) -> None:
        """A port is opened by Rum, a systemd socket is not."""
        self.assertTrue(is_inherited("systemd:INET:index=0"))
        self.assertTrue(is_inherited("haproxy:systemd:INET:index=0"))
        self.assertFalse(is_inherited("tcp:6809"))


class HostAndPortTests(SynchronousTestCase):
    """Where a plain listener listens."""

    def test_a_place(self) -> None:
        """An address and a port; without an interface it is everywhere."""
        for description, place in (
            ("tcp:6810", ("0.0.0.0", 6810)),  # noqa: S104 - as Twisted has it
            ("tcp:6810:interface=127.0.0.1", ("127.0.0.1", 6810)),
            ("tcp:port=0:interface=127.0.0.1:backlog=5", ("127.0.0.1", 0)),
            ("tcp6:6810", ("::", 6810)),
            ("tcp6:6810:interface=\\:\\:1", ("::1", 6810)),
        ):
            self.assertEqual(host_and_port(description), place, description)

    def test_other_kinds(self) -> None:
        """They are refused, and so are names and odd ports."""
        for description in (
            *("", "tcp", "tcp:", "tcp:65536", "tcp:x", "ssl:6810", "tls:/a:6810"),
            *("unix:/a", "systemd:INET:index=0", "haproxy:tcp:1"),
            "tcp:6810:interface=localhost",
        ):
            with self.assertRaises(UnfitDescription, msg=description):
                host_and_port(description)
