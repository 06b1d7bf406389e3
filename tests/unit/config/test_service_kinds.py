"""The kinds of value that services and their discovery need."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rum_twisted.config import ConfigError, load
from rum_twisted.config.interfaces import IKind, Unfit
from rum_twisted.config.service_kinds import (
    Address,
    KeyPath,
    Members,
    Roles,
    Secret,
    Switch,
    Word,
)

HERE = Path("/srv/rum")


class ServiceKindTests(SynchronousTestCase):
    """What fits each, and what does not."""

    def accept(self, kind: IKind, *values: object) -> None:
        """Assert that these values fit and stay as they are."""
        for value in values:
            self.assertEqual(kind.read(value, HERE), value)

    def refuse(self, kind: IKind, *values: object) -> None:
        """Assert that none of these values fits, nor one of another type."""
        for value in (*values, None, 1.5, {}, [1], [""], object()):
            with self.assertRaises(Unfit, msg=repr(value)):
                kind.read(value, HERE)

    def test_every_kind_keeps_the_contract(self) -> None:
        """Each can be asked in the same way."""
        for kind in (
            Address(),
            KeyPath(),
            Members(3),
            Roles(("a",)),
            Secret(),
            Switch(),
            Word(),
        ):
            self.assertTrue(verifyObject(IKind, kind))

    def test_switch(self) -> None:
        """Yes and no are written as TOML does."""
        for answer in (True, False):
            self.accept(Switch(), answer)
        self.refuse(Switch(), 1, 0, "true", "yes")

    def test_word(self) -> None:
        """It has no blanks, and may be missing."""
        self.accept(Word(), "", "4.0.0+b1", "x" * 64)
        self.refuse(Word(), "a b", "é", "a\n", "x" * 65)

    def test_secret(self) -> None:
        """Any text; what was wrong is told without it."""
        self.accept(Secret(), "", "a b:c é")
        self.refuse(Secret(), "x" * 1025)
        with self.assertRaises(Unfit) as caught:
            Secret().read("hush" * 1000, HERE)
        self.assertNotIn("hush", str(caught.exception))

    def test_address(self) -> None:
        """A host and a port; nothing, or port 0, only where that is allowed."""
        self.accept(Address(), "h:1", "10.0.0.1:65535", "[::1]:7001", "a-b.c:1")
        self.refuse(Address(), "", "h", "h:", ":1", "h:0", "h:65536", "::1:1", "h:1\n")
        self.accept(Address(may_be_off=True), "")
        self.accept(Address(may_be_open=True), "127.0.0.1:0")

    def test_members(self) -> None:
        """Addresses, or instances of services; at most so many."""
        self.assertEqual(Members(2).read(["a:1", "b=c:2"], HERE), ("a:1", "b=c:2"))
        self.refuse(
            Members(2), [], ["a:1"] * 3, ["a"], ["=a:1"], ["a b=c:1"], "a:1", ["a:0"]
        )

    def test_roles(self) -> None:
        """One or more of the words, each once, in their own order."""
        kind = Roles(("pergola", "passport", "weather"))
        self.assertEqual(
            kind.read(["weather", "pergola"], HERE), ("pergola", "weather")
        )
        self.refuse(kind, [], ["pergola", "pergola"], ["voice"], "pergola")

    def test_key_path(self) -> None:
        """Names behind slashes, with none at the end."""
        self.accept(KeyPath(), "/rum", "/a/b-c/d_1.x", "/a" * 8)
        self.refuse(KeyPath(), "", "/", "rum", "/rum/", "/a//b", "/a b", "/a" * 9)


class SecretSettingTests(SynchronousTestCase):
    """The password of etcd."""

    def test_wrong_value_is_not_shown(self) -> None:
        """A mistake in it is told without it."""
        with self.assertRaises(ConfigError) as caught:
            load(overrides=[f'discovery.password = "{"hush" * 1000}"'])
        self.assertIn("discovery.password", str(caught.exception))
        self.assertNotIn("hush", str(caught.exception))
