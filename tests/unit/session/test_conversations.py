"""Whole dialogues, as text: the protocol as clients live it.

Each dialogue of ``tests/conversations`` becomes one test, which plays it three times:
each line whole, byte by byte, and two lines to a chunk.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import (
    Delivery,
    Dialogue,
    DialogueRunner,
    read_dialogues,
)

_CONVERSATIONS: Final = Path(__file__).parents[2] / "conversations"


class ConversationTests(SynchronousTestCase):
    """Everybody reads what is written, and nothing else."""


def _test_of(dialogue: Dialogue) -> Callable[[ConversationTests], None]:
    def test(case: ConversationTests) -> None:
        for delivery in Delivery:
            DialogueRunner(dialogue, delivery).run()
            case.assertEqual(case.flushLoggedErrors(), [])

    test.__doc__ = f"{dialogue.title}."
    return test


for _path in sorted(_CONVERSATIONS.glob("*.txt")):
    for _dialogue in read_dialogues(_path):
        _name = f"test_{_path.stem}__{_dialogue.name}"
        if hasattr(ConversationTests, _name):
            raise ValueError(f"two dialogues are called {_dialogue.title!r}")
        setattr(ConversationTests, _name, _test_of(_dialogue))
