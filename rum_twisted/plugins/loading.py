"""Finds Python plugins, and makes them.

A plugin is found by its name: among those that Rum brings, then in the folder (a file
``NAME.py`` that has a class ``plugin``), then among what installed packages offer in
the group of entry points ``rum.plugins``. Only what the settings name is imported: it
may run any code.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from rum_twisted.config import Config, ConfigError, Mistake
from rum_twisted.plugins.context import PluginContext
from rum_twisted.plugins.host import PluginHost
from rum_twisted.plugins.local import LocalGuest
from rum_twisted.plugins.manifest import (
    MAY_KICK,
    Manifest,
    OptionValue,
    UnfitPlugin,
    checked,
)

__all__ = ["GROUP", "Found", "find_plugins", "install", "settings_of"]

GROUP: Final = "rum.plugins"  # of entry points
BUNDLED: Final = ("dots", "greeter", "webhooks")
_PACKAGE: Final = "rum_twisted.plugins.bundled"
_MODULES: Final = "rum_plugin_"  # how modules of files are called
_ENABLED: Final = "plugins.enabled"
_SETTINGS: Final = "plugins.settings"


class Found:
    """A plugin that was found and may be made, and its settings.

    Args:
        manifest: what it declares.
        make: see `IPlugin`.
        settings: checked.
    """

    __slots__ = ("make", "manifest", "settings")

    def __init__(
        self,
        manifest: Manifest,
        make: Callable[[PluginContext, Mapping[str, OptionValue]], object],
        settings: Mapping[str, OptionValue],
    ) -> None:
        self.manifest = manifest
        self.make = make
        self.settings = settings


def find_plugins(config: Config) -> list[Found]:
    """Find all plugins that the settings enable, and check their settings.

    Raises:
        ConfigError: with every mistake.
    """
    found: list[Found] = []
    mistakes: list[Mistake] = []
    for name in config.plugins.enabled:
        source = config.sources.get(_ENABLED, _ENABLED)
        try:
            kind = _find(name, config.plugins.folder)
            manifest = _manifest_of(name, kind)
            settings = settings_of(config, manifest)
        except UnfitPlugin as error:
            mistakes.extend(_mistakes_of(error, source))
        else:
            found.append(Found(manifest, kind, settings))
    mistakes.extend(_mistakes_of_tables(config))
    if mistakes:
        raise ConfigError(mistakes)
    return found


def settings_of(config: Config, manifest: Manifest) -> Mapping[str, OptionValue]:
    """Return a plugin's settings.

    Raises:
        UnfitPlugin: with each mistake, in lines that name the place, the value and
            what was due.
    """
    table = config.plugins.settings.get(manifest.name, {})
    return checked(manifest, table, config.sources.get(_SETTINGS, "(nowhere)"))


def install(found: Found, host: PluginHost) -> object:
    """Make a plugin, give it to the host, and return it.

    Raises:
        UnfitPlugin: it raises while it is made, or the host has one that is like it.
    """
    manifest = found.manifest
    context = host.context(manifest.name)
    try:
        plugin = found.make(context, found.settings)
    except Exception as error:
        raise UnfitPlugin(
            f"plugin {manifest.name!r} cannot be made: {type(error).__name__}: {error}"
        ) from error
    methods = {hook: getattr(plugin, hook.value) for hook in manifest.hooks}
    guest = LocalGuest(plugin, manifest.name, methods, host.reactor)
    may_kick = found.settings[MAY_KICK.name] is True
    context.bind(host.add(guest, manifest, may_kick=may_kick))
    return plugin


def _find(name: str, folder: Path) -> Any:
    """Return what a plugin is made by.

    Raises:
        UnfitPlugin: there is none of this name, or its code cannot be run.
    """
    try:
        if name in BUNDLED:
            return import_module(f"{_PACKAGE}.{name}").plugin
        path = folder / f"{name}.py"
        if path.exists():
            return _module_of(name, path).plugin
        for entry in entry_points(group=GROUP, name=name):
            return entry.load()
    except Exception as error:
        raise UnfitPlugin(
            f"plugin {name!r} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    raise UnfitPlugin(
        f'{_ENABLED} = "{name}": due is one of {", ".join(BUNDLED)}, a file '
        f"{folder / name}.py, or what a package offers as {GROUP}"
    )


def _module_of(name: str, path: Path) -> ModuleType:
    known = sys.modules.get(_MODULES + name)
    if known is not None and known.__file__ == str(path):
        return known  # the settings have been checked before
    spec = spec_from_file_location(_MODULES + name, path)
    assert spec is not None, "it is a Python file"
    assert spec.loader is not None, "and so it is loaded like one"
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for it there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


def _manifest_of(name: str, kind: Any) -> Manifest:
    manifest = getattr(kind, "manifest", None)
    if not isinstance(manifest, Manifest):
        raise UnfitPlugin(f"plugin {name!r}: due is a class with a manifest")
    if manifest.name != name:
        raise UnfitPlugin(f"plugin {name!r} calls itself {manifest.name!r}")
    for hook in manifest.hooks:
        if not callable(getattr(kind, hook.value, None)):
            raise UnfitPlugin(
                f"plugin {name!r}: due is a method {hook.value}() for the hook "
                f"{hook.name}"
            )
    return manifest


def _mistakes_of(error: UnfitPlugin, source: str) -> list[Mistake]:
    """Return the mistakes; those in settings name their source already."""
    mistakes = []
    for line in str(error).splitlines():
        place, colon, text = line.partition(": ")
        is_told = bool(colon) and text.startswith(_SETTINGS)
        mistakes.append(Mistake(place, text) if is_told else Mistake(source, line))
    return mistakes


def _mistakes_of_tables(config: Config) -> list[Mistake]:
    """Return a mistake for each table of a plugin that nobody runs."""
    known = {*config.plugins.enabled, *config.plugins.remote}
    return [
        Mistake(
            config.sources.get(_SETTINGS, _SETTINGS),
            f"{_SETTINGS}.{name}: no such plugin; due is one of plugins.enabled or "
            "plugins.remote",
        )
        for name in config.plugins.settings
        if name not in known
    ]
