"""Who sees and hears whom: the range rules, as a table.

A client has two ranges. His *radio range* follows from his altitude or his
facility; his *visual range* is what a controller declares in his own reports. How
far something carries depends on what it is, on who sends it and on who receives it,
and on nothing else: in particular, seeing need not be mutual.

A one-word slip here would send every pilot's message to the wrong people, and
nobody would notice: the tests walk the whole truth table.

Source: docs/protocol.md, "Ranges".
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from rum_twisted.terms.identity import ClientKind
from rum_twisted.world.client import Client
from rum_twisted.world.geodesy import distance

__all__ = ["RULES", "Channel", "Rule", "is_in_range", "reach"]


class Channel(Enum):
    """What is sent, as far as ranges care."""

    POSITION = "position"  # @ and %
    TEXT = "text"  # #TM to a frequency
    DATA = "data"  # anything else to a frequency: $CQ, $PI, $PO


class Rule(Enum):
    """Which of the two clients' ranges is the limit."""

    SUM_OF_RADIOS = "sum"
    LARGER_RADIO = "larger"
    SENDERS_RADIO = "sender"
    RECEIVERS_SIGHT = "sight"


_PILOT: Final = ClientKind.PILOT
_CONTROLLER: Final = ClientKind.CONTROLLER

RULES: Final[Mapping[tuple[Channel, ClientKind, ClientKind], Rule]] = {
    (Channel.POSITION, _PILOT, _PILOT): Rule.SUM_OF_RADIOS,
    (Channel.POSITION, _PILOT, _CONTROLLER): Rule.RECEIVERS_SIGHT,
    (Channel.POSITION, _CONTROLLER, _PILOT): Rule.LARGER_RADIO,
    (Channel.POSITION, _CONTROLLER, _CONTROLLER): Rule.RECEIVERS_SIGHT,
    (Channel.TEXT, _PILOT, _PILOT): Rule.SUM_OF_RADIOS,
    (Channel.TEXT, _PILOT, _CONTROLLER): Rule.LARGER_RADIO,
    (Channel.TEXT, _CONTROLLER, _PILOT): Rule.LARGER_RADIO,
    (Channel.TEXT, _CONTROLLER, _CONTROLLER): Rule.LARGER_RADIO,
    (Channel.DATA, _PILOT, _PILOT): Rule.SENDERS_RADIO,
    (Channel.DATA, _PILOT, _CONTROLLER): Rule.SENDERS_RADIO,
    (Channel.DATA, _CONTROLLER, _PILOT): Rule.SENDERS_RADIO,
    (Channel.DATA, _CONTROLLER, _CONTROLLER): Rule.SENDERS_RADIO,
}
"""The rule for (channel, kind of the sender, kind of the receiver)."""


def reach(rule: Rule, sender_radio: int, receiver_radio: int, sight: int) -> int:
    """Return the limit in nautical miles that ``rule`` sets.

    It never falls when one of the receiver's ranges grows; `airspace` builds on
    that when it judges many receivers at once.
    """
    match rule:
        case Rule.SUM_OF_RADIOS:
            return sender_radio + receiver_radio
        case Rule.LARGER_RADIO:
            return max(sender_radio, receiver_radio)
        case Rule.SENDERS_RADIO:
            return sender_radio
        case Rule.RECEIVERS_SIGHT:
            return sight


def is_in_range(channel: Channel, sender: Client, receiver: Client) -> bool:
    """Tell whether ``receiver`` gets what ``sender`` sends, by the plain formula.

    This is the rule as docs/protocol.md states it, for one pair. `airspace` answers
    the same for everybody at once and is tested against it.
    """
    if sender.position is None or receiver.position is None:
        return False
    limit = reach(
        RULES[channel, sender.kind, receiver.kind],
        sender.radio_range,
        receiver.radio_range,
        receiver.visual_range,
    )
    return distance(sender.position, receiver.position) <= limit
