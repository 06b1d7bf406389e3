"""Queries and their answers."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.wire.codec import decode, encode
from rum_twisted.wire.errors import TooFewFields
from rum_twisted.wire.messages.query import (
    ClientQuery,
    ClientResponse,
    FrequencyAnswer,
    FrequencyRequest,
)


class ClientQueryTests(SynchronousTestCase):
    """Somebody asks."""

    def test_topic_and_subject_are_found(self) -> None:
        """The word behind the destination is the topic, the next one the subject."""
        query = decode(b"$CQEHAM_TWR:SERVER:FP:KLM123:more")
        self.assertEqual(query, ClientQuery("EHAM_TWR", "SERVER", "FP:KLM123:more"))
        self.assertEqual((query.topic, query.subject), ("FP", "KLM123"))

    def test_missing_subject_is_none(self) -> None:
        """A question about nobody differs from one about an empty name."""
        self.assertIsNone(decode(b"$CQEHAM_TWR:SERVER:FP").subject)
        self.assertEqual(decode(b"$CQEHAM_TWR:SERVER:FP:").subject, "")

    def test_topic_may_be_empty(self) -> None:
        """An empty query is a query."""
        self.assertEqual(decode(b"$CQEHAM_TWR:KLM123:").topic, "")

    def test_json_passes_unchanged(self) -> None:
        """Aircraft configurations are JSON, and full of colons."""
        line = b'$CQKLM123:@94836:ACC:{"config":{"lights":{"strobe_on":true}}}'
        self.assertEqual(encode(decode(line)), line + b"\r\n")


class ClientResponseTests(SynchronousTestCase):
    """Somebody answers."""

    def test_answer_is_read(self) -> None:
        """Topic and answer are passed on as one."""
        self.assertEqual(
            decode(b"$CRKLM123:EHAM_TWR:RN:Joe::1"),
            ClientResponse("KLM123", "EHAM_TWR", "RN:Joe::1"),
        )

    def test_answer_needs_a_field_behind_its_topic(self) -> None:
        """An empty one will do; none at all will not."""
        self.assertEqual(decode(b"$CRKLM123:EHAM_TWR:RN:").response, "RN:")
        self.assertRaises(TooFewFields, decode, b"$CRKLM123:EHAM_TWR:RN")


class OldFormTests(SynchronousTestCase):
    """The old way to ask for a frequency."""

    def test_request_is_passed_on_with_its_colon(self) -> None:
        """Two fields become three, the last of them empty."""
        request = decode(b"$C?EHAM_TWR:KLM123")
        self.assertEqual(request, FrequencyRequest("EHAM_TWR", "KLM123", ""))
        self.assertEqual(encode(request), b"$C?EHAM_TWR:KLM123:\r\n")

    def test_answer_is_passed_on_as_typed(self) -> None:
        """A frequency is text here: 018100 stays."""
        answer = decode(b"$CIKLM123:EHAM_TWR:018100:x")
        self.assertEqual(answer, FrequencyAnswer("KLM123", "EHAM_TWR", "018100:x"))
