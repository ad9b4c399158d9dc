"""Command-line options for the settings, made from the engine's table of them."""

from __future__ import annotations

from inspect import cleandoc
from typing import TYPE_CHECKING, Any

import click

from rsimport import _engine

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., Any]


SHOWN = ("profile", "target_cpu", "force_rebuild")
"""The settings that most people look for in a command's help; `rsimport settings` has all."""


def setting_options(*names: str) -> Callable[[Command], Command]:
    """Options for these settings, or for all that there are, of which the help then has the usual ones."""

    def decorate(command: Command) -> Command:
        for setting in reversed(_engine.settings_table()):
            if not names or setting.name in names:
                command = _option(setting, hidden=not names and setting.name not in SHOWN)(command)
        if not names:
            # A docstring has its indentation, which what is added has not.
            own = cleandoc(command.__doc__ or "")
            command.__doc__ = f"{own}\n\nEvery setting is an option; `rsimport settings` lists them."
        return command

    return decorate


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The settings that the command line gives; all others are left to the environment and the files."""
    settings = {name: value for name, value in options.items() if value not in (None, ())}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}


def option_of(setting: _engine.Setting) -> str:
    """The option for a setting."""
    return "--force" if setting.name == "force_rebuild" else f"--{setting.name.replace('_', '-')}"


def _option(setting: _engine.Setting, *, hidden: bool) -> Callable[[Command], Command]:
    flag = option_of(setting)
    if setting.kind == "bool":
        both = f"{flag}/--no-{flag.removeprefix('--')}"
        return click.option(both, setting.name, default=None, help=setting.help, hidden=hidden)
    types: dict[str, Any] = {"float": float, "path": click.Path()}
    return click.option(
        flag,
        setting.name,
        type=types.get(setting.kind, str),
        multiple=setting.kind == "list",
        help=f"{setting.help} [default: {setting.default}]" if setting.default else setting.help,
        hidden=hidden,
    )
