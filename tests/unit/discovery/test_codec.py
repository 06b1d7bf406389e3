"""Instances as they stand in etcd."""

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.discovery.codec import (
    LONGEST_VALUE,
    UnreadableInstance,
    decode,
    encode,
)
from rum_twisted.discovery.keys import (
    instance_key,
    service_and_name,
    services_prefix,
    unique_name,
)
from rum_twisted.terms.instance import Instance, InstanceState
from rum_twisted.terms.units import Seconds
from tests.support.fabric import chance
from tests.support.instances import make_instance

BASE = "/rum"
KEY = "/rum/services/passport/a-1"
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=64)


class KeyTests(SynchronousTestCase):
    """Where instances lie."""

    def test_key_has_service_and_name(self) -> None:
        """A person who reads the keys sees who it is."""
        self.assertEqual(instance_key(BASE, make_instance()), KEY)
        self.assertEqual(service_and_name(BASE, KEY), ("passport", "a-1"))

    def test_base_path_may_end_with_a_slash(self) -> None:
        """It makes no other key."""
        self.assertEqual(services_prefix("/rum/"), services_prefix("/rum"))

    def test_names_differ_and_fit_into_a_key(self) -> None:
        """Each process has another name, whatever its host is called."""
        random = chance()
        for host in ("box-1.example", "", "Büro 7/2", "x" * 300, "..", "-a"):
            names = {unique_name(host, random) for _ in range(100)}
            self.assertEqual(len(names), 100)
            for name in names:
                self.assertEqual(make_instance(name).name, name)

    def test_other_keys_are_nobodys(self) -> None:
        """A neighbor's key, or one that is too short or too long, is not ours."""
        for key in (
            "/rum/services/passport",
            "/rum/services/passport/a/b",
            "/rum2/services/passport/a",
            "/rum/other/passport/a",
            "",
        ):
            self.assertIsNone(service_and_name(BASE, key), key)


class CodecTests(SynchronousTestCase):
    """The value under such a key."""

    def refuse(self, value: bytes, key: str = KEY) -> str:
        """Return the message with which a value is refused."""
        with self.assertRaises(UnreadableInstance, msg=repr(value)) as caught:
            decode(BASE, key, value)
        return str(caught.exception)

    @given(
        st.builds(
            make_instance,
            weight=st.integers(0, 10_000),
            version=WORDS,
            group=WORDS,
            zone=WORDS,
            state=st.sampled_from(InstanceState),
            started=st.floats(0, 1e12).map(Seconds),
        )
    )
    def test_comes_back_as_it_was(self, instance: Instance) -> None:
        """What one process writes, another reads."""
        key = instance_key(BASE, instance)
        self.assertEqual(decode(BASE, key, encode(instance)), instance)

    def test_can_be_read_by_people(self) -> None:
        """The value is JSON with the names of the fields."""
        self.assertEqual(
            json.loads(encode(make_instance())),
            {
                "address": "127.0.0.1:7001",
                "weight": 100,
                "version": "4.0.0",
                "group": "",
                "zone": "",
                "state": "up",
                "started": 1_790_000_000.5,
            },
        )

    def test_what_is_missing_has_its_default(self) -> None:
        """An address is enough; what a later version adds is passed over."""
        found = decode(BASE, KEY, b'{"address":"h:1","color":"red"}')
        self.assertEqual((found.address, found.weight, found.version), ("h:1", 100, ""))
        self.assertIs(found.state, InstanceState.UP)

    def test_unknown_state_is_not_called(self) -> None:
        """A state that a later version invented is taken for standing aside."""
        found = decode(BASE, KEY, b'{"address":"h:1","state":"sleeping"}')
        self.assertIs(found.state, InstanceState.INACTIVE)

    def test_each_field_is_checked(self) -> None:
        """A value of the wrong type or range is refused, and the key is named."""
        wrong: dict[str, tuple[object, ...]] = {
            "address": (None, 1, "", "host"),
            "weight": ("1", 1.5, True, -1, None),
            "version": (None, 4),
            "group": ([],),
            "zone": ({},),
            "started": ("now", True, -1, 10**400),
        }
        for field, values in wrong.items():
            for value in values:
                fields = {"address": "h:1", field: value}
                self.assertIn(KEY, self.refuse(json.dumps(fields).encode()))

    def test_what_is_no_instance(self) -> None:
        """Any bytes are refused with a message, and nothing else happens."""
        for value in (b"", b"\xff\xfe", b"[]", b"1", b"null", b'{"address":'):
            self.refuse(value)
        self.refuse(b"[" * 4000)

    def test_value_has_a_bound(self) -> None:
        """One byte past it, a value is not even looked into."""
        whole = b'{"address":"h:1"}'
        self.assertEqual(decode(BASE, KEY, whole.ljust(LONGEST_VALUE)).address, "h:1")
        self.refuse(whole.ljust(LONGEST_VALUE + 1))

    def test_key_that_is_nobodys(self) -> None:
        """A value elsewhere is no instance, whatever it says."""
        self.refuse(b'{"address":"h:1"}', "/rum/services/passport")

    @given(st.binary(max_size=200))
    def test_nothing_but_the_refusal_comes_out(self, value: bytes) -> None:
        """No bytes make it fail in another way."""
        with contextlib.suppress(UnreadableInstance):
            decode(BASE, KEY, value)
