"""What the hooks are measured against: the compiler, cargo, and Python's own import."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from crate import Build, Crate
from measure import seconds

from peers.contestant import Contestant, Edit, Entry
from peers.hook import HookEntry
from peers.interpreter import Failed, Interpreter
from peers.kernels import Kernel


class Cargo(Contestant):
    """A crate, built by hand."""

    name = "cargo build --release"
    note = "no import; a new kernel is a new crate with the same target folder"

    def enter(self, folder: Path, kernel: Kernel, others: Mapping[str, Entry]) -> Entry:
        """Writes the crate."""
        return CargoEntry(folder, kernel)


class CargoEntry(Entry):
    """The clock runs for cargo alone; afterwards the library is imported to check its result."""

    def __init__(self, folder: Path, kernel: Kernel) -> None:
        super().__init__()
        self.folder, self.kernel = folder, kernel
        self.crate = self._crate(kernel.name, 1)
        self.built: Build | None = None

    def first(self) -> float:
        """With an empty target folder."""
        return seconds(self._build)

    def edit(self, number: int) -> Edit:
        """In the target folder of the builds before."""
        self.crate.write(self.kernel.edited(number))
        taken = seconds(self._build)
        assert self.built
        return Edit(taken, _value(self.folder, self.built.library, self.kernel))

    def new(self, number: int) -> float:
        """A new crate that finds its dependencies compiled."""
        crate = self._crate(f"new_{number}", number)
        return seconds(lambda: crate.build(self.folder / "target"))

    def _build(self) -> None:
        self.built = self.crate.build(self.folder / "target")

    def _crate(self, name: str, number: int) -> Crate:
        text = self.kernel.edited(number)
        return Crate(self.folder / name, text, name, crates=self.kernel.crates, flags="")


class Rustc(Contestant):
    """The compiler as cargo calls it."""

    name = "rustc -C opt-level=3"
    note = "the call that cargo makes for the crate, repeated without cargo; no import"

    def enter(self, folder: Path, kernel: Kernel, others: Mapping[str, Entry]) -> Entry:
        """Takes a copy of cargo's folder, or has cargo make one."""
        return RustcEntry(folder, kernel, others.get("cargo"))


class RustcEntry(Entry):
    """The call with the folder in it replaced."""

    def __init__(self, folder: Path, kernel: Kernel, cargo: Entry | None) -> None:
        super().__init__()
        self._folder, self._cargo = folder, CargoEntry(folder / "own", kernel)
        self._given = cargo if isinstance(cargo, CargoEntry) else None

    def first(self) -> None:
        """Not measured: the dependencies are cargo's."""
        if self._given and self._given.built:
            shutil.copytree(self._given.folder / "target", self._cargo.folder / "target")
            built, old, new = self._given.built, str(self._given.folder), str(self._cargo.folder)
            command = [argument.replace(old, new) for argument in built.rustc]
            self._cargo.built = Build(Path(str(built.library).replace(old, new)), command)
        else:
            self._cargo.first()

    def edit(self, number: int) -> Edit:
        """The compiler's run."""
        built, crate, kernel = self._cargo.built, self._cargo.crate, self._cargo.kernel
        assert built
        crate.write(kernel.edited(number))
        taken = seconds(lambda: crate.rustc(built.rustc))
        # cargo links what the compiler wrote to the place that it names.
        library = built.library.parent / "deps" / built.library.name
        return Edit(taken, _value(self._folder, library, kernel))


class Cpython(Contestant):
    """Python's import of the library that rsimport built."""

    name = "CPython's own import"
    note = "of the library that rsimport built"

    def enter(self, folder: Path, kernel: Kernel, others: Mapping[str, Entry]) -> Entry:
        """Takes the library from rsimport's entry."""
        return CpythonEntry(folder, kernel, others.get("rsimport"))


class CpythonEntry(Entry):
    """Only has warm imports."""

    def __init__(self, folder: Path, kernel: Kernel, rsimport: Entry | None) -> None:
        super().__init__()
        self._folder, self._kernel, self._rsimport = folder, kernel, rsimport

    def warm(self) -> float:
        """The import statement in a fresh interpreter."""
        copy = self._folder / f"{self._kernel.name}{EXTENSION_SUFFIXES[0]}"
        if not copy.exists():
            if not isinstance(self._rsimport, HookEntry) or not self._rsimport.file:
                raise Failed("rsimport does not take part, and it is its library")
            shutil.copyfile(self._rsimport.file, copy)
        with Interpreter(self._folder, "", {}) as interpreter:
            return interpreter.load(self._kernel.name, self._kernel.call).seconds


def _value(folder: Path, library: Path, kernel: Kernel) -> float:
    """What the call returns, in an interpreter that imports a copy of the library."""
    shutil.copyfile(library, folder / f"{kernel.name}{EXTENSION_SUFFIXES[0]}")
    with Interpreter(folder, "", {}) as interpreter:
        return interpreter.load(kernel.name, kernel.call).value
