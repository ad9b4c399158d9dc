"""Makes stubs of kernels, and has every type checker look at them that is there.

    python checkers.py KERNEL... [--user PROGRAM]

mypy has to find nothing in them, for the oldest Python that is supported and for the running one, nor pyright
if it is there with the Node that runs it, nor may stubtest find a difference to the modules as the import
hook loads them. A program that uses them has to have an error on every line behind `# wrong on purpose`, and
no other.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

OLDEST = "3.10"
MARK = "# wrong on purpose"

STUBTEST = """
import importlib, pkgutil, sys, types
import rsimport.import_hook
from mypy import stubtest
sys.path.insert(0, {folder!r})
for name in {names}:
    for below, value in list(vars(importlib.import_module(name)).items()):
        if isinstance(value, types.ModuleType) and value.__name__ not in sys.modules:
            sys.modules[name + "." + below] = value  # stubtest imports what a stub is for.
sys.exit(stubtest.test_stubs(stubtest.parse_options({names})))
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kernels", nargs="+", type=Path)
    parser.add_argument("--user", type=Path)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        found = (sorted(path.glob("*.rs")) if path.is_dir() else [path] for path in given.kernels)
        kernels = [path.resolve() for paths in found for path in paths]
        running = f"{sys.version_info.major}.{sys.version_info.minor}"
        return check(kernels, given.user, Path(folder), (OLDEST, running))


def check(kernels: list[Path], user: Path | None, folder: Path, versions: Sequence[str] = (OLDEST,)) -> int:
    """Runs everything; what is found wrong is printed."""
    typings, copies = folder / "typings", folder / "kernels"
    copies.mkdir()
    for kernel in kernels:
        # As modules of their own, whatever package they are in at home.
        shutil.copyfile(kernel, copies / kernel.name)
        if kernel.with_suffix("").is_dir():
            shutil.copytree(kernel.with_suffix(""), copies / kernel.stem)
    python = [sys.executable, "-m"]
    failed = run([*python, "rsimport", "stubs", copies, "--out", typings, "--no-progress"], folder)
    wrong: set[int] = set()
    if user is not None:
        shutil.copyfile(user, typings / user.name)
        lines = user.read_text(encoding="utf-8").splitlines()
        wrong = set(range(lines.index(MARK) + 2, len(lines) + 1))
    checkers: list[list[object]] = [
        [*python, "mypy", "--strict", "--python-version", version] for version in versions
    ]
    beside = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    if shutil.which("node") and (pyright := shutil.which("pyright", path=beside)) is not None:
        checkers.append([pyright, "--pythonpath", sys.executable])
    for checker in checkers:
        command = [str(part) for part in [*checker, "."]]
        said = subprocess.run(command, cwd=typings, capture_output=True, text=True).stdout
        found = re.findall(r"(\S+\.pyi?):(\d+)(?::\d+)?:? .*?error", said)
        expected = {(user.name, line) for line in wrong} if user is not None else set()
        if {(Path(file).name, int(line)) for file, line in found} != expected:
            print("$", *checker, f"\nexpected errors on {expected}\n{said}")
            failed = 1
    names = [kernel.stem for kernel in kernels]
    if user is not None:
        (typings / user.name).unlink()
    failed |= run([sys.executable, "-c", STUBTEST.format(folder=str(copies), names=names)], typings)
    return failed


def run(command: list[object], folder: Path) -> int:
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        print("$", *command[:4], "...\n", done.stdout, done.stderr)
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
