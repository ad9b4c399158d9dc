"""Command-line options for the settings, made from the engine's table of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rsimport import _engine

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., Any]


def setting_options(*names: str) -> Callable[[Command], Command]:
    """Options for these settings, or for all that there are."""

    def decorate(command: Command) -> Command:
        for setting in reversed(_engine.settings_table()):
            if not names or setting.name in names:
                command = _option(setting)(command)
        return command

    return decorate


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The settings that the command line gives; all others are left to the environment and the files."""
    settings = {name: value for name, value in options.items() if value not in (None, ())}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}


def _option(setting: _engine.Setting) -> Callable[[Command], Command]:
    flag = "force" if setting.name == "force_rebuild" else setting.name.replace("_", "-")
    if setting.kind == "bool":
        return click.option(f"--{flag}/--no-{flag}", setting.name, default=None, help=setting.help)
    types: dict[str, Any] = {"float": float, "path": click.Path()}
    return click.option(
        f"--{flag}",
        setting.name,
        type=types.get(setting.kind, str),
        multiple=setting.kind == "list",
        help=f"{setting.help} [default: {setting.default}]" if setting.default else setting.help,
    )
