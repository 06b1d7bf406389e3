"""Text messages."""

from dataclasses import replace

from rum_twisted.session.hooks import Command, Hook, Text
from rum_twisted.session.interfaces import IPlugins
from rum_twisted.session.relay import relay
from rum_twisted.session.session import Session
from rum_twisted.terms.identity import fold
from rum_twisted.wire.messages.text import TextMessage
from rum_twisted.world.visibility import Channel

__all__ = ["text"]


def text(session: Session, message: TextMessage) -> None:
    """Pass a text on; what is said to the server itself is swallowed.

    So is a command that a plugin answers, whoever it was said to.
    """
    sender = session.identify(message.source)
    plugins = session.network.plugins
    if plugins.wanted:
        if _is_command(plugins, sender.callsign, message.text):
            return
        if Hook.TEXT in plugins.wanted:
            plugins.tell(Text(sender.callsign, message.destination, message.text))
    relay(session, sender, replace(message, source=sender.callsign), Channel.TEXT)


def _is_command(plugins: IPlugins, callsign: str, text: str) -> bool:
    """Tell whether ``text`` is a command of a plugin; if so, the plugin is told."""
    if not text.startswith(".") or Hook.COMMAND not in plugins.wanted:
        return False
    word, _, rest = text[1:].partition(" ")
    word = fold(word)
    if not plugins.answers(callsign, word):
        return False
    plugins.tell(Command(callsign, word, rest.strip()))
    return True
