"""Writes docs/reference/ from the code: the settings, the functions and classes, the command line.

    python scripts/reference.py [--check]

`make docs` runs it; `--check` writes nothing and fails where a page is not current, as a test does.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import rsimport
from rsimport import _cli, _engine, _notebook

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
WIDTH = 120
OF_ENGINE = ("Artifact", "Diagnostic")
"""Classes of the engine that the functions return or the errors carry."""

SETTINGS = """\
Most settings can be given in four places, and the table says which cannot. A later one beats an earlier one:

1. `[tool.rsimport]` in the nearest `pyproject.toml` above the kernel that has such a table,
2. `[package.metadata.rsimport]` in the kernel's manifest block or in a crate's `Cargo.toml`,
3. the environment variable,
4. the argument of a function (`rsimport.install(profile="dev")`) or the option of a command
   (`--profile dev`).

An unknown name or a wrong value is a `ConfigError` that names the file and the line. In the environment a
list is split as a shell does (`RSIMPORT_RUSTFLAGS="-C debuginfo=1"`), and a switch is `1`, `true`, `yes` or
`on`, or their opposites.
"""


def main() -> int:
    pages = {"settings.md": settings(), "api.md": api(), "command_line.md": command_line()}
    stale = [name for name, text in pages.items() if _text_of(FOLDER / name) != text]
    if stale and "--check" in sys.argv:
        print(f"not current: {', '.join(stale)}")
        return 1
    FOLDER.mkdir(exist_ok=True)
    for name in stale:
        (FOLDER / name).write_text(pages[name], encoding="utf-8")
    return 0


def settings() -> str:
    """One row for each setting that the engine declares."""
    rows = ["| setting | default | variable | in a kernel | what it does |", "|---|---|---|---|---|"]
    for setting in _engine.settings_table():
        where = "yes" if setting.in_kernel else "no"
        default = json.dumps(setting.default)
        rows.append(f"| `{setting.name}` | `{default}` | `{setting.env}` | {where} | {setting.help} |")
    return "\n".join([*_head("Settings"), SETTINGS, *rows, ""])


def api() -> str:
    """Every name that the package offers, and what these return."""
    lines = _head("Functions and classes")
    lines += ["What `rsimport` offers. The settings that functions take are [here](settings.md).", ""]
    offered = {name: getattr(rsimport, name) for name in rsimport.__all__ if name != "__version__"}
    functions = {name: value for name, value in offered.items() if inspect.isfunction(value)}
    errors = {name: value for name, value in offered.items() if _is_error(value)}
    classes = {name: value for name, value in offered.items() if name not in functions | errors}
    for title, group in (("Functions", functions), ("Errors", errors), ("Classes", classes)):
        lines += [f"## {title}", ""]
        for name, value in sorted(group.items(), key=lambda pair: (pair[0] != "RsimportError", pair[0])):
            lines += _of(f"rsimport.{name}", value)
    if others := [name for name in OF_ENGINE if name not in offered]:
        lines += ["## What they return", ""]
        for name in others:
            lines += _of(name, getattr(_engine, name))
    lines += ["## rsimport.bench", "", 'Needs `pip install "rsimport[bench]"`.', ""]
    bench = importlib.import_module("rsimport.bench")
    for name in sorted(bench.__all__, key=lambda name: (name != "crossing", name)):
        lines += _of(f"rsimport.bench.{name}", getattr(bench, name))
    lines += ["## rsimport.dask", "", 'Needs `pip install "rsimport[dask]"`.', ""]
    dask = importlib.import_module("rsimport.dask")
    for name in sorted(dask.__all__, key=lambda name: (name != "enable", name)):
        lines += _of(f"rsimport.dask.{name}", getattr(dask, name))
    lines += ["## Magics", "", "`%load_ext rsimport` in IPython or a notebook registers these.", ""]
    lines += ["```text", textwrap.dedent(_notebook.DESCRIPTION), "```", ""]
    return "\n".join(lines)


def command_line() -> str:
    """Every command with its arguments and options."""
    lines = _head("Command line")
    lines += [
        "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted, 143 terminated.",
        "`rsimport COMMAND --help` says what stands here.",
        "",
    ]
    for words, command in _commands(_cli.cli, ("rsimport",)):
        if isinstance(command, click.Group):
            continue
        arguments = [
            found.make_metavar(click.Context(command)) for found in command.params if _is_argument(found)
        ]
        lines += [f"## {' '.join(words)}", "", *_prose(command.help)]
        lines += ["```text", " ".join([*words, "[OPTIONS]", *arguments]), "```", ""]
        lines += [*_options(command), *_examples(command)]
    return "\n".join(lines)


def _commands(
    command: click.Command, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if below := command.get_command(context, name):
                yield from _commands(below, (*words, name))


def _is_argument(found: click.Parameter) -> bool:
    return isinstance(found, click.Argument)


def _options(command: click.Command) -> list[str]:
    """The options of a command; the settings among them are named only."""
    settings = {setting.name for setting in _engine.settings_table()}
    options = [found for found in command.params if isinstance(found, click.Option)]
    own = [found for found in options if found.name not in settings and not found.hidden]
    lines = []
    if own:
        lines += ["| option | what it does |", "|---|---|"]
        lines += [f"| {_flags(found)} | {_cell(found.help or '')} |" for found in own] + [""]
    if shared := [f"`{found.opts[0]}`" for found in options if found.name in settings]:
        named = f"Settings ([what they do](settings.md)): {', '.join(shared)}."
        lines += [*textwrap.wrap(named, WIDTH, break_on_hyphens=False), ""]
    return lines


def _flags(option: click.Option) -> str:
    value = "" if option.is_flag else f" {option.metavar or (option.name or '').upper()}"
    if isinstance(option.type, click.Choice):
        value = " NAME"
    return ", ".join(f"`{flag}{value}`" for flag in [*option.opts, *option.secondary_opts])


def _examples(command: click.Command) -> list[str]:
    """The examples below the help, as commands."""
    text = textwrap.dedent((command.epilog or "").replace("\b\n", "")).partition("Examples:\n")[2]
    text, _, rest = text.strip("\n").partition("\n\n")
    if not text.strip():
        return []
    return ["```console", *(f"$ {line}" for line in _joined(text)), "```", "", *_prose(textwrap.dedent(rest))]


def _joined(text: str) -> list[str]:
    """The lines of a shell, those that continue in one."""
    return [line.strip() for line in re.sub(r"\\\n\s*", "", textwrap.dedent(text)).strip().splitlines()]


def _of(name: str, value: Any) -> list[str]:
    """A function or class under its name."""
    lines = [f"### {name}", ""]
    if inspect.isfunction(value):
        return [*lines, *_code(f"{name}{_signature(value)}"), *_prose(inspect.getdoc(value))]
    lines += _prose(inspect.getdoc(value))
    if _is_error(value):
        return lines
    if name.rpartition(".")[2] in OF_ENGINE:
        stub = Path(rsimport.__path__[0], "_engine.pyi").read_text(encoding="utf-8")
        found = next(node for node in ast.parse(stub).body if getattr(node, "name", "") == value.__name__)
    else:
        found = ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]
    return [*lines, *_members(found)]


def _is_error(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, BaseException)


def _members(node: ast.ClassDef) -> list[str]:
    """The public methods and attributes of a class, with what their docstrings say."""
    rows = []
    for at, item in enumerate(node.body):
        said = node.body[at + 1] if at + 1 < len(node.body) else None
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            text = (
                said.value.value
                if isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant)
                else ""
            )
            rows.append((item.target.id, ast.unparse(item.annotation), text))
        elif isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
            result = ast.unparse(item.returns) if item.returns else ""
            text = ast.get_docstring(item) or ""
            if any(isinstance(mark, ast.Name) and mark.id == "property" for mark in item.decorator_list):
                rows.append((item.name, result, text))
            else:
                rows.append((f"{item.name}({_parameters(item)})", result, text))
    if not rows:
        return []
    lines = ["| member | type | what it is |", "|---|---|---|"]
    for member, kind, text in rows:
        cells = (f"`{member}`", f"`{kind}`" if kind else "", text)
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return [*lines, ""]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _parameters(item: ast.FunctionDef) -> str:
    return re.sub(r"^self(, )?", "", ast.unparse(item.args))


def _signature(function: object) -> str:
    return str(inspect.signature(function)).replace("'", "")


def _code(call: str) -> list[str]:
    """A call as a block, with one argument a line where it is long."""
    if len(call) > 88:
        head, _, rest = call.partition("(")
        body, _, result = rest.rpartition(")")
        parts = re.split(r", (?![^\[\]]*\])", body)
        call = "\n".join([f"{head}(", *(f"    {part}," for part in parts), f"){result}"])
    return ["```python", call, "```", ""]


def _prose(text: str | None) -> list[str]:
    """A docstring as paragraphs."""
    found = [" ".join(part.split()) for part in (text or "").split("\n\n")]
    return [line for part in found for line in (*textwrap.wrap(part, WIDTH, break_on_hyphens=False), "")]


def _head(title: str) -> list[str]:
    return [f"# {title}", "", "<!-- Written by scripts/reference.py from the code. -->", ""]


def _text_of(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
