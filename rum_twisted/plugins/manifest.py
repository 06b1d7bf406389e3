"""What a plugin declares: its name, its hooks, its time, and its settings."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

from rum_twisted.session.hooks import Hook
from rum_twisted.terms.units import Seconds
from rum_twisted.wire.packets import FROM_CLIENT

__all__ = [
    "MAY_KICK",
    "USUAL_BUDGET",
    "Manifest",
    "Option",
    "OptionValue",
    "UnfitPlugin",
    "checked",
]

OptionValue: TypeAlias = bool | int | float | str | tuple[str, ...]

MOST: Final = 64  # hooks, commands, prefixes and settings of one plugin, each
LONGEST_TEXT: Final = 4096  # characters of one value
MOST_TEXTS: Final = 100  # in a list of them
USUAL_BUDGET: Final = Seconds(0.1)
_LONGEST_BUDGET: Final = Seconds(5.0)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_COMMAND: Final = re.compile(r"[a-z0-9]{1,16}\Z")
_SHOWN: Final = 60  # characters of a wrong value

UNSEEN: Final = frozenset({"@", "%", "#AP", "#AA"})
"""Packets that no plugin sees: positions are sampled, and logons hold passwords."""

PREFIXES: Final = frozenset(
    prefix
    for prefix, packet in FROM_CLIENT.items()
    if packet.message is not None and prefix not in UNSEEN
)
"""Packets whose lines a plugin may want to see."""


class UnfitPlugin(Exception):
    """A plugin, or what its settings say, cannot be used; each line is a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One setting that a plugin understands.

    The kind of its value is that of the default: yes or no, a whole number, a number,
    a text, or texts (a tuple).
    """

    name: str
    default: OptionValue
    about: str  # a sentence for operators
    least: float = -math.inf  # for numbers
    most: float = math.inf
    is_required: bool = False  # the default only tells the kind
    is_secret: bool = False  # never shown

    def __post_init__(self) -> None:
        """Refuse what is no setting.

        Raises:
            UnfitPlugin: the name or the default is none.
        """
        if not _NAME.match(self.name):
            raise UnfitPlugin(f"setting {self.name!r}: due lower-case letters, _, 0-9")
        if not self.is_required and self._read(self.default) is None:
            raise UnfitPlugin(f"setting {self.name}: default is not {self.due}")

    @property
    def due(self) -> str:
        """What a value has to be, in words."""
        default = self.default
        if isinstance(default, bool):
            return "true or false"
        if isinstance(default, str):
            return f"a text of at most {LONGEST_TEXT} characters"
        if isinstance(default, tuple):
            return f"a list of at most {MOST_TEXTS} texts"
        kind = "a whole number" if isinstance(default, int) else "a number"
        if math.isinf(self.least) and math.isinf(self.most):
            return kind
        return f"{kind} from {self.least:g} to {self.most:g}"

    def read(self, value: object) -> OptionValue:
        """Return a value as the plugin gets it.

        Raises:
            ValueError: it does not fit; the text says what was due.
        """
        found = self._read(value)
        if found is None:
            raise ValueError(self.due)
        return found

    def _read(self, value: object) -> OptionValue | None:
        default = self.default
        if isinstance(value, bool):
            return value if isinstance(default, bool) else None
        if isinstance(value, str):
            is_due = isinstance(default, str) and len(value) <= LONGEST_TEXT
            return value if is_due else None
        if isinstance(default, tuple):
            return _texts(value)
        is_number = isinstance(default, int | float) and not isinstance(default, bool)
        return self._number(value) if is_number else None

    def _number(self, value: object) -> int | float | None:
        is_whole = isinstance(self.default, int)
        if not isinstance(value, int if is_whole else (int, float)):
            return None
        if not self.least <= value <= self.most:
            return None
        return value if is_whole else float(value)


def _texts(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list | tuple) or len(value) > MOST_TEXTS:
        return None
    texts = tuple(each for each in value if isinstance(each, str))
    is_fit = len(texts) == len(value) and all(
        len(each) <= LONGEST_TEXT for each in texts
    )
    return texts if is_fit else None


MAY_KICK: Final = Option(
    name="may_kick", default=False, about="Whether it may end clients' sessions."
)
"""A setting that every plugin has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a plugin is, to whoever runs it.

    Raises:
        UnfitPlugin: it is none.
    """

    name: str
    hooks: frozenset[Hook]
    commands: tuple[str, ...] = ()  # words that it answers, without the dot
    prefixes: tuple[str, ...] = ()  # of packets, for `Hook.LINE`: "#TM"
    options: tuple[Option, ...] = ()
    budget: Seconds = field(default=USUAL_BUDGET)  # for the answer to a question

    def __post_init__(self) -> None:
        """Check all of it."""
        mistakes = list(self._mistakes())
        if mistakes:
            raise UnfitPlugin(
                "\n".join(f"plugin {self.name[:_SHOWN]!r}: {each}" for each in mistakes)
            )

    def _mistakes(self) -> Iterator[str]:
        if not _NAME.match(self.name):
            yield "name: due lower-case letters, digits and _, at most 32"
        if not self.hooks:
            yield "hooks: due is at least one"
        if not 0 < self.budget <= _LONGEST_BUDGET:
            yield f"budget {self.budget:g}: due up to {_LONGEST_BUDGET:g} seconds"
        yield from self._mistakes_of_words()
        names = [option.name for option in self.options]
        if len(set(names)) != len(names) or MAY_KICK.name in names:
            yield "options: due are different names, and not may_kick"
        for what in (self.commands, self.prefixes, self.options):
            if len(what) > MOST:
                yield f"due are at most {MOST} commands, prefixes and options"

    def _mistakes_of_words(self) -> Iterator[str]:
        if (Hook.COMMAND in self.hooks) != bool(self.commands):
            yield "commands: due are words exactly if the hook is there"
        if not all(map(_COMMAND.match, self.commands)):
            yield "commands: due are lower-case letters and digits, at most 16"
        if (Hook.LINE in self.hooks) != bool(self.prefixes):
            yield "prefixes: due are some exactly if the hook LINE is there"
        if not PREFIXES.issuperset(self.prefixes):
            yield f"prefixes: due are some of {' '.join(sorted(PREFIXES))}"


def checked(
    manifest: Manifest, table: Mapping[str, object], source: str
) -> Mapping[str, OptionValue]:
    """Return the settings of a plugin: what the operator says, else the defaults.

    Args:
        manifest: the plugin's.
        table: what the operator says, unchecked.
        source: where he says it: a file's name, or ``--set``.

    Raises:
        UnfitPlugin: with a line for each mistake.
    """
    options = {option.name: option for option in (*manifest.options, MAY_KICK)}
    values = {name: option.default for name, option in options.items()}
    where = f"{source}: plugins.settings.{manifest.name}"
    mistakes = [
        f"{where}.{name}: due is {option.due}"
        for name, option in options.items()
        if option.is_required and name not in table
    ]
    for name, value in table.items():
        option = options.get(name)
        if option is None:
            known = ", ".join(sorted(options))
            mistakes.append(f"{where}.{name}: no such setting; there are {known}")
            continue
        try:
            values[name] = option.read(value)
        except ValueError as error:
            shown = "(not shown)" if option.is_secret else _shown(value)
            mistakes.append(f"{where}.{name} = {shown}: due is {error}")
    if mistakes:
        raise UnfitPlugin("\n".join(mistakes))
    return MappingProxyType(values)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return f"{shown[:_SHOWN]}…" if len(shown) > _SHOWN else shown
