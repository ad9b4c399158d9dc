"""Writes the project that `rsimport export` makes of a kernel: its Python side, and all of it to a folder."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rsimport import _engine
from rsimport._api import at, finished
from rsimport._editor import NAME, head
from rsimport._errors import ConfigError, RsimportError
from rsimport._python import ABI
from rsimport._writing import named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rsimport._engine import Exported

NEEDED = {"numpy": "numpy", "pyo3-polars": "polars"}
"""Crates that call a Python package, which has to be installed with them."""

LICENCES = ("LICENSE*", "LICENCE*", "COPYING*", "NOTICE*")


class Project:
    """A kernel as a project that needs no rsimport."""

    def __init__(self, path: str, settings: dict[str, object]) -> None:
        kernel = os.path.abspath(path)
        if os.path.isdir(kernel) and not os.path.isfile(os.path.join(kernel, "Cargo.toml")):
            hint = "name one kernel: a file, or the folder of a crate"
            raise ConfigError(f"{path} is a folder without a Cargo.toml, so it is no kernel", hint=hint)
        loader = at(kernel, None, settings)
        # What is exported compiles, and the compiler has said which files it is made of.
        artifact = finished(loader)
        self.kernel, self.settings = Path(kernel), loader.settings
        self.module = artifact.module
        self.untyped = ""
        """Why there are no stubs, once that is known."""
        self.found: Exported = _engine.export(kernel, self.module, ABI, self.settings, artifact.inputs)

    @property
    def name(self) -> str:
        """The distribution's name."""
        return self.found.name

    def write(self, folder: Path) -> None:
        """Writes all of it into an empty folder, and has cargo lock its versions."""
        texts = self.texts()
        for place, text in texts.items():
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        for place, source in self.copies().items():
            if place in texts:
                continue
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        _engine.lock_project(str(folder), str(self.kernel), self.module, ABI, self.settings)

    def texts(self) -> dict[str, str]:
        """Every file that is a text of ours, by its place."""
        package = f"python/{self.module}"
        texts = dict(self.found.texts)
        texts["Cargo.toml"] = self.found.manifest
        texts["Cargo.lock"] = self.found.lock
        texts["pyproject.toml"] = self._pyproject()
        texts["README.md"] = self._readme()
        texts[".gitignore"] = "/target/\n/dist/\n__pycache__/\n*.so\n*.pyd\n"
        texts[".github/workflows/wheels.yml"] = WORKFLOW.replace("MODULE", self.module)
        texts[f"{package}/__init__.py"] = self._package()
        if stubs := self._stubs:
            texts |= {f"{package}/{place}": text for place, text in stubs.items()}
            texts[f"{package}/py.typed"] = ""
        texts[f"tests/test_{self.module}_package.py"] = TEST.replace("MODULE", self.module)
        own = self._own_test()
        if own is not None:
            texts[f"tests/test_{self.module}.py"] = own
        return texts

    def copies(self) -> dict[str, str]:
        """Every file that is copied, by its place."""
        copies = {place: source for place, source in self.found.copied if not self._stays(place, source)}
        for pattern in LICENCES:
            for path in self._folder().glob(pattern):
                if path.is_file():
                    copies.setdefault(path.name, str(path))
        return copies

    def _stays(self, place: str, source: str) -> bool:
        """Is it a type of a crate, which the package has then, or what an editor is told on this machine?"""
        is_stub = self.kernel.is_dir() and place in self._stubs
        return is_stub or (place == NAME and head(source) is not None)

    def notes(self) -> list[str]:
        """What its user should know."""
        notes = list(self.found.notes)
        if self.untyped:
            notes.append(f"it has no types: {self.untyped}")
        if self.found.license is None:
            notes.append(
                "no licence is named: write one into pyproject.toml and Cargo.toml before you publish it"
            )
        test = self._test_beside()
        if test.is_file() and self._own_test() is None:
            notes.append(f"{test} is left out, since it uses rsimport")
        return notes

    def _folder(self) -> Path:
        return self.kernel if self.kernel.is_dir() else self.kernel.parent

    @cached_property
    def _stubs(self) -> dict[str, str]:
        """The types that lie beside the kernel, or what `rsimport stubs` would write."""
        stem = self.kernel.with_suffix("") if self.kernel.is_file() else self.kernel
        for path in (Path(f"{stem}.pyi"), stem / f"{self.module}.pyi"):
            if path.is_file():
                return {"__init__.pyi": path.read_text(encoding="utf-8")}
        own = {path.name: path.read_text(encoding="utf-8") for path in self._folder().glob("*.pyi")}
        if self.kernel.is_dir() and "__init__.pyi" in own:
            return own
        from rsimport.toolbox.stubs import texts

        try:
            return texts(self.kernel, self.module, self.settings)
        except RsimportError as exc:
            self.untyped = str(exc).splitlines()[0]
            return {}

    def _test_beside(self) -> Path:
        return self.kernel.with_name(f"test_{self.module}.py")

    def _own_test(self) -> str | None:
        """The test beside the kernel without the import hook; none if it uses rsimport for more."""
        path = self._test_beside()
        if not path.is_file():
            return None
        text = path.read_text(encoding="utf-8")
        hook = (
            r"^import rsimport\.import_hook\b.*\n(?:\n?# isort: split\n(?:# The hook has to be there .*\n)?)?"
        )
        text = re.sub(hook, "", text, flags=re.MULTILINE)
        return None if "rsimport" in text else text

    def _pyproject(self) -> str:
        found = self.found
        lines = ["[build-system]", 'requires = ["maturin>=1.16,<2"]', 'build-backend = "maturin"', ""]
        lines += [
            "[project]",
            f"name = {_toml(found.name)}",
            'dynamic = ["version"]  # It is that of Cargo.toml.',
        ]
        if found.description:
            lines.append(f"description = {_toml(found.description)}")
        lines += ['readme = "README.md"', 'requires-python = ">=3.10"']
        if found.license:
            lines.append(f"license = {_toml(found.license)}")
            if present := [pattern for pattern in LICENCES if any(self._folder().glob(pattern))]:
                lines.append(f"license-files = [{', '.join(map(_toml, present))}]")
        else:
            lines.append('# license = "MIT"  # An SPDX expression, which belongs into Cargo.toml too.')
        if found.authors:
            lines.append(f"authors = [{', '.join(map(_author, found.authors))}]")
        lines += ["classifiers = [", '    "Programming Language :: Python :: 3",']
        lines += ['    "Programming Language :: Rust",']
        lines += ['    "Typing :: Typed",'] if self._stubs else []
        lines.append("]")
        needed = [NEEDED[crate] for crate in found.crates if crate in NEEDED]
        if needed:
            lines.append(f"dependencies = [{', '.join(map(_toml, needed))}]")
        if found.repository:
            lines += ["", "[project.urls]", f"Repository = {_toml(found.repository)}"]
        lines += [
            "",
            "[tool.maturin]",
            f'module-name = "{self.module}.{found.library}"',
            'python-source = "python"',
            # Outside of a repository nothing else keeps what was built, and environments, out of an sdist.
            'exclude = ["dist/**", ".venv/**"]',
        ]
        features = list(found.features)
        if found.old:
            features.append("pyo3/extension-module")
        if features:
            lines.append(f"features = [{', '.join(map(_toml, features))}]")
        if found.rustflags:
            lines.append(f"rustc-args = [{', '.join(map(_toml, found.rustflags))}]")
        lines += ["", "[tool.pytest.ini_options]", 'testpaths = ["tests"]', ""]
        return "\n".join(lines)

    def _package(self) -> str:
        doc = self.found.doc
        head = _docstring(doc) + "\n\n" if doc else ""
        # Where the kernel says nothing, what the generated module says of itself is not for its users.
        own = f"{self.found.library}.__doc__" if doc is None else '""'
        said = "" if doc else f"__doc__ = {own}\n"
        return head + PACKAGE.format(name=self.module, library=self.found.library, said=said)

    def _readme(self) -> str:
        found = self.found
        doc = found.doc or found.description or ""
        return README.format(name=found.name, module=self.module, doc=f"{doc.strip()}\n\n" if doc else "")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside a new one, which becomes that when all is written.

    Raises ConfigError if there is something already.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        what = "exists and is not empty" if folder.is_dir() else "is a file"
        raise ConfigError(f"{folder} {what}", hint="name a folder that does not exist yet")
    if not folder.parent.is_dir():
        raise ConfigError(
            f"{folder}: there is no folder {folder.parent}",
            hint=shlex.join(["mkdir", "-p", str(folder.parent)]),
        )
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as own:
        made = Path(own) / "made"
        with named(folder):
            made.mkdir()
            yield made
        if folder.is_dir():
            folder.rmdir()
        made.rename(folder)


def _toml(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)


def _author(author: str) -> str:
    name, _, address = author.partition("<")
    parts = [f"name = {_toml(name.strip())}"] if name.strip() else []
    parts += [f"email = {_toml(address.rstrip('> '))}"] if address else []
    return "{ " + ", ".join(parts) + " }"


def _docstring(text: str) -> str:
    """A text as a docstring that has this very value."""
    if '"""' in text or text.endswith(('"', "\\")):
        return repr(text)
    return f'r"""{text}"""' if "\\" in text else f'"""{text}"""'


PACKAGE = """\
from {name} import {library}
from {name}.{library} import *  # noqa: F403

{said}__all__ = getattr({library}, "__all__", None) or [name for name in dir({library}) if name[0] != "_"]


def _settle(value: object) -> None:
    \"\"\"Tells a function or a class that it is in this package, where pickle and help look for it.\"\"\"
    if getattr(value, "__module__", None) in ("builtins", "{library}", f"{{__name__}}.{library}", None):
        try:
            value.__module__ = __name__
        except (AttributeError, TypeError):
            return  # It is a constant.
    if isinstance(value, type):
        for inner in vars(value).values():
            if isinstance(inner, type) and issubclass(inner, value):
                _settle(inner)  # The variants of an enum are classes in it.


for _name in __all__:
    _settle(globals()[_name])
del _name
"""

TEST = '''\
"""Tests of the package: `pip install . pytest`, then `pytest`."""

import pickle

import MODULE


def test_everything_that_is_offered_is_there_under_its_name() -> None:
    assert MODULE.__all__
    for name in MODULE.__all__:
        value = getattr(MODULE, name)
        if callable(value) and value.__module__ == "MODULE":
            assert pickle.loads(pickle.dumps(value)) is value
'''

README = """\
# {name}

{doc}```console
$ pip install .
$ python -c "import {module}; help({module})"
```

It is written in Rust with [PyO3](https://pyo3.rs) and built by [maturin](https://www.maturin.rs):
`maturin develop` compiles it into the current environment, `maturin build --release` makes a wheel, and with
`--features abi3` one for all Pythons from 3.10 on, if the code keeps to Python's stable ABI. The workflow in
`.github/workflows/wheels.yml` builds wheels for Linux, macOS and Windows.
"""

WORKFLOW = """\
# Wheels for three systems and an sdist. PyO3/maturin-action builds those for Linux in a manylinux container.
name: wheels

on:
  push:
    branches: [main]
    tags: ["v*"]
  pull_request:
  workflow_dispatch:

permissions:
  contents: read

jobs:
  wheels:
    runs-on: ${{ matrix.runner }}
    strategy:
      fail-fast: false
      matrix:
        include:
          - { name: linux-x86_64, runner: ubuntu-latest, target: x86_64 }
          - { name: linux-aarch64, runner: ubuntu-24.04-arm, target: aarch64 }
          - { name: macos-aarch64, runner: macos-latest, target: aarch64 }
          - { name: windows-x86_64, runner: windows-latest, target: x64 }
    steps:
      - uses: actions/checkout@v6
      - uses: actions/setup-python@v6
        with:
          python-version: |
            3.10
            3.11
            3.12
            3.13
            3.14
      - uses: PyO3/maturin-action@v1
        with:
          target: ${{ matrix.target }}
          args: --release --locked --out dist --find-interpreter
          manylinux: auto
      - name: Test
        shell: bash
        run: |
          python -m pip install pytest
          python -m pip install dist/*-cp314-cp314-*.whl
          python -m pytest
      - uses: actions/upload-artifact@v6
        with:
          name: wheels-${{ matrix.name }}
          path: dist

  sdist:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6
      - uses: PyO3/maturin-action@v1
        with:
          command: sdist
          args: --out dist
      - uses: actions/upload-artifact@v6
        with:
          name: sdist
          path: dist
"""
