"""Queries and their answers: ``$CQ`` ``$CR`` and the old ``$C?`` ``$CI``."""

from dataclasses import dataclass

__all__ = [
    "ClientQuery",
    "ClientResponse",
    "FrequencyAnswer",
    "FrequencyRequest",
]


@dataclass(frozen=True, slots=True)
class ClientQuery:
    """A client asks another, a group or the server something.

    Example: ``$CQEHAM_CTR:KLM123:RN``
    """

    source: str
    destination: str
    query: str  # the topic and what belongs to it, colons included

    @property
    def topic(self) -> str:
        """What is asked for, e.g. ``RN``, ``CAPS`` or ``FP``."""
        return self.query.partition(":")[0]

    @property
    def subject(self) -> str | None:
        """The field behind the topic; ``None`` where there is none."""
        _, colon, rest = self.query.partition(":")
        return rest.partition(":")[0] if colon else None


@dataclass(frozen=True, slots=True)
class ClientResponse:
    """The answer to a `ClientQuery`.

    Example: ``$CRKLM123:EHAM_CTR:RN:Joe Pilot EHAM::1``
    """

    source: str
    destination: str
    response: str


@dataclass(frozen=True, slots=True)
class FrequencyRequest:
    """Asks for the frequency somebody listens on, in the old form.

    Example: ``$C?EHAM_CTR:KLM123``
    """

    source: str
    destination: str
    rest: str


@dataclass(frozen=True, slots=True)
class FrequencyAnswer:
    """Answers a `FrequencyRequest`.

    Example: ``$CIKLM123:EHAM_CTR:18100``
    """

    source: str
    destination: str
    frequency: str
