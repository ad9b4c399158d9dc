"""`rsimport asm`."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import click

from rsimport import _engine
from rsimport._api import at
from rsimport._cli_options import given, setting_options
from rsimport._errors import RsimportError, ToolchainError
from rsimport._python import ABI
from rsimport.toolbox._verb import Verb, kernel, near, pasted

MISSING = {
    "darwin": "xcode-select --install",
    "win32": "rustup component add llvm-tools",
}
OTHERS = ("__rsimport_glue", "alloc", "core", "pyo3", "pyo3_ffi", "std")
"""The crates whose functions are shown only where no other has the name."""


@click.command(
    cls=Verb,
    epilog="""\b
    Examples:
      rsimport asm logistic.rs                       list the functions that there are
      rsimport asm logistic.rs::logistic
      rsimport asm sketch.rs::Sketch::add
      rsimport asm logistic.rs::logistic -- -M att   further arguments for objdump

    \b
    Exit codes: 0 done, 1 there is no such function or no objdump, 2 wrong usage.
    """,
)
@click.argument("target", metavar="PATH[::FUNCTION]")
@setting_options()
def command(target: str, behind: list[str], **options: Any) -> int:
    """Show the machine code of a function in the library that an import loads.

    Nothing is built where that is in the cache. A function that the compiler has put into the one that Python
    calls is shown there. Where the library has line tables, the source lines are shown as well.
    """
    path, _, name = target.partition("::")
    if not os.path.exists(path):
        raise click.BadParameter(f"Path {path!r} does not exist.", param_hint="'PATH[::FUNCTION]'")
    settings = given(options)
    named = kernel(path)
    artifact = _artifact(named, settings)
    tool = _objdump()
    functions = _functions(tool, artifact.path)
    if not name:
        _list(functions, artifact)
        return 0
    found = _named(functions, name) or _called(functions, artifact, named, name, settings)
    if not found:
        raise _nothing(name, functions, artifact, path)
    click.echo(f"{near(artifact.path)} ({artifact.profile}, {artifact.tier})", err=True)
    text = [_disassembly(tool, artifact, function, behind) for function in found]
    click.echo("\n".join(text), nl=False)
    if not _has_lines(tool, artifact.path):
        note = "this build has no line tables; with --profile profiling it has them, and is as fast"
        click.echo(f"note: no source lines: {note}", err=True)
    return 0


@dataclass(frozen=True)
class Function:
    """A function in a library."""

    name: str
    address: int
    size: int


def _artifact(path: str, settings: dict[str, Any]) -> _engine.Artifact:
    loader = at(path, None, settings)
    found = _engine.lookup(loader.kernel, loader.name, ABI, settings)
    return found or loader.find_artifact()


def _objdump() -> str:
    for name in ("objdump", "llvm-objdump"):
        if path := shutil.which(name):
            return path
    hint = MISSING.get(sys.platform, "apt install binutils (or dnf, pacman: the package has the same name)")
    raise ToolchainError("objdump was not found, which shows machine code", hint=hint)


def _run(tool: str, *arguments: str) -> str:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            [tool, *arguments], capture_output=True, encoding="utf-8", errors="replace", env=environment
        )
    except OSError as error:
        raise ToolchainError(f"{tool} cannot be started: {error}") from error
    if done.returncode != 0:
        raise ToolchainError(f"{tool} failed: {done.stderr.strip()}")
    return done.stdout


def _functions(tool: str, library: str) -> list[Function]:
    """The functions in a library, by address."""
    found = {}
    for line in _run(tool, "--syms", "--demangle", library).splitlines():
        match = re.match(r"([0-9a-f]+) .{5}.F \S+\s+([0-9a-f]+)\s+(?:\.hidden |\.protected )?(.+)", line)
        if match and int(match[2], 16):
            found[int(match[1], 16)] = Function(match[3], int(match[1], 16), int(match[2], 16))
    return [found[address] for address in sorted(found)]


def _parts(name: str) -> list[str]:
    """The names in a demangled path, without what PyO3 and rsimport put around a function's own name."""
    plain = r"^(?:__pyfunction_|__pymethod_(?:get_|set_|delete_)?|fastcall_\d+_)(.+?)(?:__)?$"
    parts = re.findall(r"\w+", name if name.startswith("<") else name.split("::<", 1)[0])
    # The first is the crate.
    return [re.sub(plain, r"\1", part) for part in (parts[1:] or parts)]


def _named(functions: Iterable[Function], name: str) -> list[Function]:
    wanted = name.split("::")

    def fits(function: Function) -> bool:
        parts = iter(_parts(function.name))
        return all(part in parts for part in wanted)

    found = [function for function in functions if fits(function)]
    own = [function for function in found if not _is_others(function)]
    return own or found


def _called(
    functions: list[Function],
    artifact: _engine.Artifact,
    kernel: str,
    name: str,
    settings: dict[str, Any],
) -> list[Function]:
    """The function that Python calls by this name: that of a method may have the name that PyO3 gives all."""
    code = "from rsimport.toolbox._address import main; main()"
    command = [sys.executable, "-c", code, os.path.abspath(kernel), name, json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    library, _, offset = done.stdout.strip().rpartition(" ")
    if done.returncode != 0 or library != artifact.path:
        return []
    at = int(offset)
    return [one for one in functions if one.address <= at < one.address + one.size]


def _is_others(function: Function) -> bool:
    match = re.match(r"<*(?:dyn |&(?:mut )?|\[)*(\w+)", function.name)
    return match is not None and match[1] in OTHERS


def _own(functions: Iterable[Function], artifact: _engine.Artifact) -> list[Function]:
    # Names that rustc cannot take for a crate's have something in front.
    crates = (artifact.module, f"kernel_{artifact.module.lstrip('_')}")
    own = re.compile(rf"<*(?:{'|'.join(crates)})::|(?!_|rust_)\w+$")
    return [function for function in functions if own.match(function.name)]


def _list(functions: list[Function], artifact: _engine.Artifact) -> None:
    for function in _own(functions, artifact):
        click.echo(f"{function.size:>8}  {_engine.shown(function.name)}")


def _nothing(name: str, functions: list[Function], artifact: _engine.Artifact, path: str) -> RsimportError:
    where = f"{near(path)} has no function {name} in its library"
    with open(artifact.source, encoding="utf-8", errors="replace") as file:
        written = re.search(rf"\bfn\s+{re.escape(name.rsplit('::', 1)[-1])}\b", file.read())
    if not functions:
        return RsimportError(
            f"{where}: its symbols were stripped", hint="strip = false in its profile keeps them"
        )
    if written:
        why = "the compiler has put it into those that call it, or nobody calls it"
        return RsimportError(
            f"{where}: {why}", hint=f"`rsimport asm {pasted(path)}` lists those that there are"
        )
    return RsimportError(where, hint=f"`rsimport asm {pasted(path)}` lists those that there are")


def _disassembly(tool: str, artifact: _engine.Artifact, function: Function, further: list[str]) -> str:
    syntax = ["-M", "intel"] if platform.machine() in ("x86_64", "AMD64", "i686") else []
    # Where the line tables name a kernel's files as seen from its folder.
    lookup = [] if "llvm" in os.path.basename(tool) else [f"--include={os.path.dirname(artifact.source)}"]
    span = [f"--start-address={function.address:#x}", f"--stop-address={function.address + function.size:#x}"]
    lines = _run(
        tool,
        *("--disassemble", "--demangle", "--no-show-raw-insn", "--source", "--line-numbers"),
        *(*syntax, *lookup, *span, *further, artifact.path),
    ).splitlines()
    start = next((at for at, line in enumerate(lines) if re.match(r"[0-9a-f]+ <", line)), 0)
    # rustc was started in the cache, and knows the kernel's files as seen from their folder.
    staged = re.compile(r"^/.*/work/[0-9a-f]{40}(-\w+)?/package/(?=[^:]+:\d+)")
    base = os.path.join(os.path.dirname(artifact.source), "")
    return "\n".join(staged.sub(base, line.rstrip()) for line in lines[start:]) + "\n"


def _has_lines(tool: str, library: str) -> bool:
    return "debug_line" in _run(tool, "--section-headers", library)
