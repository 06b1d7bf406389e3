"""Where settings come from: command line, environment, file, default, in this order.

Everything is read before anything is refused, so that an operator sees all of his
mistakes at once. A value in a file, and behind ``--set``, is TOML. In a variable it
is TOML too, but where text is due (a name, a word, a path) the bare text will do:
``RUM_DATA_DIR=/srv/rum``. Relative paths in a file are relative to the file's
folder, all others to the working directory.
"""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from typing_extensions import override

from rum_twisted.config.interfaces import Unfit
from rum_twisted.config.settings import DATA_DIR, SETTINGS, TABLES, Config

__all__ = ["ConfigError", "Mistake", "load"]

COMMAND_LINE: Final = "--set"
_PREFIX: Final = "RUM_"
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_SHOWN_LENGTH: Final = 60  # signs of a wrong value in a message


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing in a source that cannot be used."""

    source: str  # a file's name, ``--set``, or a variable's name
    text: str  # key, value and what was due

    @override
    def __str__(self) -> str:
        """Return the line that an operator reads; it never breaks into two."""
        line = f"{self.source}: {self.text}"
        return "".join(
            sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line
        )


class ConfigError(Exception):
    """The settings cannot be used; ``str`` gives one line for each mistake."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))


@dataclass(frozen=True, slots=True)
class _Assignment:
    """A value that a source gives to a key; both are still unchecked."""

    source: str
    key: str
    value: object
    folder: Path  # what a relative path is relative to


def load(
    path: Path | None = None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = _NOTHING,
) -> Config:
    """Read and check all settings.

    Args:
        path: a TOML file, or ``None`` for none.
        overrides: what stood behind each ``--set``, e.g. ``status.interval=5``;
            of two for one key, the later counts.
        environ: variables, of which those that start with ``RUM_`` count, e.g.
            ``RUM_STATUS__INTERVAL``.

    Raises:
        ConfigError: with every mistake in any of the sources, even one whose key
            another source sets as well.
    """
    here = Path.cwd()
    found: list[_Assignment | Mistake] = []
    if path is not None:
        found.extend(_from_file(path, here / path.parent))
    found.extend(_from_environment(environ, here))
    found.extend(_from_command_line(overrides, here))

    mistakes = [item for item in found if isinstance(item, Mistake)]
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for item in found:
        if isinstance(item, _Assignment):
            try:
                values[item.key] = _checked(item)
                sources[item.key] = item.source
            except Unfit as error:
                mistakes.append(Mistake(item.source, str(error)))
    if mistakes:
        raise ConfigError(mistakes)
    config = _config(values, sources, here)
    if config.guard.flaws:  # each value fits, but not beside the others
        raise ConfigError(
            Mistake(next(sources[key] for key in sources if key in flaw), flaw)
            for flaw in config.guard.flaws
        )
    return config


def _from_file(path: Path, folder: Path) -> Iterator[_Assignment | Mistake]:
    """Yield what a file says."""
    source = str(path)
    try:
        # Windows editors write a byte order mark, which TOML does not know.
        content = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        yield Mistake(source, f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        yield Mistake(source, f"is not UTF-8 text at byte {error.start + 1}")
    except tomllib.TOMLDecodeError as error:
        yield Mistake(source, f"is not TOML: {error}")
    else:
        for key, value in _flattened(content):
            yield _Assignment(source, key, value, folder)


def _flattened(content: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the settings in a file; an unknown table counts as one."""
    for name, value in content.items():
        if name in TABLES and isinstance(value, dict):
            for key, inner in value.items():
                yield f"{name}.{key}", inner
        else:
            yield name, value


def _from_environment(
    environ: Mapping[str, str], folder: Path
) -> Iterator[_Assignment | Mistake]:
    """Yield what variables say."""
    keys = {_variable(key): key for key in SETTINGS}
    for name, text in environ.items():
        if not name.startswith(_PREFIX):
            continue
        key = keys.get(name)
        if key is None:
            yield Mistake(name, f"no such setting{_hint(name, keys)}")
            continue
        try:
            value = _toml(text)
        except tomllib.TOMLDecodeError:
            value = text
        if SETTINGS[key].kind.is_text and not isinstance(value, str):
            value = text  # RUM_PERGOLA__NAME=1903 is a name
        yield _Assignment(name, key, value, folder)


def _variable(key: str) -> str:
    """Return the variable of a setting: ``RUM_STATUS__INTERVAL``."""
    return _PREFIX + key.replace(".", "__").upper()


def _from_command_line(
    overrides: Sequence[str], folder: Path
) -> Iterator[_Assignment | Mistake]:
    """Yield what the command line says."""
    for assignment in overrides:
        key, equals, text = assignment.partition("=")
        key = key.strip()
        if not equals:
            yield Mistake(COMMAND_LINE, f"{assignment}: due key=value")
            continue
        try:
            value = _toml(text)
        except tomllib.TOMLDecodeError:
            yield Mistake(
                COMMAND_LINE,
                f"{key} = {text}: due a TOML value; text stands in quotes, "
                f"which a shell wants to be quoted too: '{key}=\"{text}\"'",
            )
            continue
        yield _Assignment(COMMAND_LINE, key, value, folder)


def _toml(text: str) -> object:
    """Read one TOML value.

    Raises:
        tomllib.TOMLDecodeError: it is none, or more than one.
    """
    content = tomllib.loads(f"value = {text}")
    if len(content) > 1:
        raise tomllib.TOMLDecodeError
    return content["value"]


def _checked(assignment: _Assignment) -> object:
    """Return the value as the server holds it.

    Raises:
        Unfit: there is no such setting, or the value does not fit it.
    """
    key, value = assignment.key, assignment.value
    setting = SETTINGS.get(key)
    if setting is None:
        if key in TABLES:
            raise Unfit(f"{key} is a table; its settings are {key}.name = value")
        raise Unfit(f"{key}: no such setting{_hint(key, [*SETTINGS, *TABLES])}")
    try:
        return setting.kind.read(value, assignment.folder)
    except Unfit as error:
        shown = "(not shown)" if setting.is_secret else _shown(value)
        raise Unfit(f"{key} = {shown}: due {error}") from error


def _hint(name: str, known: Iterable[str]) -> str:
    """Return a question that names the nearest known name, or nothing."""
    import difflib  # noqa: PLC0415 - for mistakes only

    candidates = list(known)
    nearest = difflib.get_close_matches(name, candidates, n=1)
    if not nearest:  # the right name in the wrong table, perhaps
        last = name.rpartition(".")[2]
        nearest = [known for known in candidates if known.endswith(f".{last}")]
    return f"; did you mean {nearest[0]}?" if nearest else ""


def _shown(value: object) -> str:
    """Return a value as TOML would write it, cut to a readable length."""
    shown = json.dumps(value, ensure_ascii=False, default=str)
    if len(shown) > _SHOWN_LENGTH:
        return shown[:_SHOWN_LENGTH] + "…"
    return shown


def _config(
    values: Mapping[str, Any], sources: Mapping[str, str], folder: Path
) -> Config:
    """Build the tree from checked values and, where there is none, defaults."""
    data_dir: Path = values.get("data_dir", folder / DATA_DIR)
    tables: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
    for key, setting in SETTINGS.items():
        table, _, name = key.rpartition(".")
        if key in values:
            value = values[key]
        elif setting.file_name is not None:
            value = data_dir / setting.file_name
        else:
            continue  # the class knows its default
        if table:
            tables[table][name] = value
    return Config(
        data_dir=data_dir,
        sources=MappingProxyType(dict(sources)),
        **{name: table(**tables[name]) for name, table in TABLES.items()},
    )
