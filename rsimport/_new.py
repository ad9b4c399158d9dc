"""`rsimport new`: a kernel to start from, made of a template or of a kernel that comes with rsimport."""

from __future__ import annotations

import keyword
import os
import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from rsimport import _engine, kernels
from rsimport._errors import ConfigError
from rsimport._writing import write


def new(name: str, origin: str, folder: Path, *, overwrite: bool) -> list[Path]:
    """Writes a kernel and its test into a folder, and returns the paths.

    Raises ConfigError if the name cannot be a module's name or is that of another module, or if a file is
    there already.
    """
    _check_name(name, folder)
    templates = _engine.templates()
    texts = _filled(templates[origin], name) if origin in templates else _copied(_shipped()[origin], name)
    files = {folder / file: text for file, text in texts.items()}
    for file in files:
        if file.exists() and not overwrite:
            raise ConfigError(f"{file} is there already", hint="--force overwrites it")
    for file, text in files.items():
        write(file, text)
    return list(files)


def _check_name(name: str, folder: Path) -> None:
    if not (name.isidentifier() and name.isascii()) or keyword.iskeyword(name):
        hint = f"use ASCII letters, digits and underscores, as in `rsimport new {_proposed(name)}`"
        raise ConfigError(f"{name!r} cannot be the name of a kernel", hint=hint)
    hint = f"rsimport new my_{name}"
    if name in sys.stdlib_module_names:
        raise ConfigError(f"{name} is a module of Python's own, which the kernel would hide", hint=hint)
    elsewhere = [entry for entry in sys.path if os.path.realpath(entry) != os.path.realpath(folder)]
    found = PathFinder.find_spec(name, elsewhere)
    # A folder without a module is no module, whatever it is called.
    if found is not None and found.origin is not None:
        raise ConfigError(
            f"{name} is a module already, which the kernel would hide: {found.origin}", hint=hint
        )
    own = folder / f"{name}.py"
    if own.exists():
        raise ConfigError(f"{own} is there already, and the kernel would hide it", hint=hint)


def _proposed(name: str) -> str:
    """A name like this one that a kernel can have."""
    letters = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "kernel"
    return f"my_{letters}" if letters[0].isdigit() or keyword.iskeyword(letters) else letters


def origins() -> list[str]:
    """What a new kernel can be made of."""
    return [*_engine.templates(), *sorted(_shipped())]


def _shipped() -> dict[str, Path]:
    return {path.stem: path for folder in kernels.__path__ for path in Path(folder).glob("*.rs")}


def _filled(template: dict[str, str], name: str) -> dict[str, str]:
    return {file.replace("NAME", name): text.replace("NAME", name) for file, text in template.items()}


def _copied(source: Path, name: str) -> dict[str, str]:
    files = {f"{name}.rs": _renamed(source.read_text(encoding="utf-8"), source.stem, name)}
    # What it is made of besides lies in a folder of its name, under which it asks for it.
    parts = sorted(source.with_suffix("").glob("*.rs"))
    files |= {f"{source.stem}/{part.name}": part.read_text(encoding="utf-8") for part in parts}
    stub = source.with_suffix(".pyi")
    if stub.exists():
        files[f"{name}.pyi"] = stub.read_text(encoding="utf-8")
    return {**files, f"test_{name}.py": _COPY_TEST.replace("NAME", name).replace("ORIGIN", source.stem)}


def _renamed(text: str, old: str, new: str) -> str:
    """A module has its file's name, and its exceptions say so; whatever else has that name is not ours."""
    module = r"#\[pymodule\b.*\n(?:\s*(?:#\[|//).*\n)*\s*(?:pub\s+)?(?:fn|mod)\s+"
    exception = r"\bcreate_exception!\s*\(\s*"
    return re.sub(rf"({module}|{exception}){re.escape(old)}\b", rf"\g<1>{new}", text)


_COPY_TEST = '''"""Tests of NAME.rs: run `pytest` in this folder."""

import rsimport.import_hook  # noqa: F401
from rsimport.kernels import ORIGIN

# isort: split
# The hook has to be there before the kernel is imported.
import NAME


def test_it_offers_what_its_origin_offers() -> None:
    assert NAME.__name__ == "NAME"
    offered = {name for name in dir(ORIGIN) if name[0] != "_"}
    assert offered <= set(dir(NAME))
    kinds = [value for name in offered if isinstance(value := getattr(NAME, name), type)]
    assert {kind.__module__ for kind in kinds} <= {"NAME"}
'''
