"""Notebooks: `%%rsimport` before a cell that is a kernel, and `%rsimport`, which looks after all kernels."""

from __future__ import annotations

import keyword
import os
import re
import shlex
import sys
from argparse import SUPPRESS, RawDescriptionHelpFormatter
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser

from rsimport import _api, _engine, _progress
from rsimport._autoreload import Auto
from rsimport._errors import RsimportError
from rsimport._loader import LOADED, KernelLoader

if TYPE_CHECKING:
    from types import ModuleType

    from IPython.core.interactiveshell import InteractiveShell

MAGIC = "rsimport"
HELP = "%rsimport -h shows what there is"

DESCRIPTION = """\
  %%rsimport [-n NAME] [--profile P] [-f] [--deps "numpy=0.30 rand=0.9"]
      The cell is a kernel, without marker or #[pymodule] if it likes: it is compiled, and its public names
      come into the namespace. It may have a manifest block of its own. Messages call it <cell NAME> and
      count its lines as the notebook does: the line of the magic is line 1.
  %rsimport auto
      Before each cell, load kernels again whose source has changed, also for those who imported names
      from them.
  %rsimport off
      No longer.
  %rsimport info [NAME]
      Where a kernel came from, when and why it was built; without NAME, all that are loaded."""


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Registers the magics; `%load_ext rsimport` calls this."""
    register: Any = shell.register_magic_function
    register(Magic(shell).rsimport, "line_cell", MAGIC)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Takes the magics away again and ends `%rsimport auto`; loaded kernels stay."""
    magics = shell.magics_manager.magics
    magics["line"].pop(MAGIC, None)
    registered = magics["cell"].pop(MAGIC, None)
    if registered is not None:
        registered.__self__.auto.stop()


class Magic:
    """The magics of one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell: Any = shell  # Many of its methods have no types.
        self.auto = Auto(shell)

    def rsimport(self, line: str, cell: str | None = None) -> None:
        """Compile a cell of Rust, or look after kernels; `%rsimport -h` says how."""
        parser = _parser()
        try:
            options = parser.parse_args(shlex.split(line))
        except ValueError as exc:  # A quotation mark is left open.
            raise UsageError(f"{exc}: {line}") from None
        if options.help:
            print(parser.format_help())
        elif cell is None:
            self._look_after(options.words)
        elif options.words:
            raise UsageError(f"%%rsimport takes no {options.words[0]!r}; {HELP}")
        else:
            self._compile(options, cell)

    def _compile(self, options: Any, cell: str) -> None:
        name = options.name or _default_name(cell)
        if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
            raise UsageError(
                f"{name!r} cannot be the name of a kernel; use ASCII letters, digits and underscores"
            )
        loaded = sys.modules.get(name)
        if loaded is not None and LOADED not in vars(loaded):
            raise UsageError(f"a module named {name} is loaded already; give the kernel another name with -n")
        settings: dict[str, object] = {"profile": options.profile} if options.profile else {}
        before = _names(loaded)
        module = _load(name, cell, _specs(options.deps or []), settings, options.force)
        after = _names(module)
        # Names that the last version of this cell has put here, and that the new one does not define.
        for gone in before.keys() - after.keys():
            if self.shell.user_ns.get(gone) is before[gone]:
                self.shell.del_var(gone)
        self.shell.push(after)

    def _look_after(self, words: list[str]) -> None:
        match words:
            case ["auto"]:
                self.auto.start()
            case ["off"] | ["auto", "off"]:
                self.auto.stop()
            case ["info", *names] if len(names) < 2:
                from rsimport._notebook_info import show

                show(*names)
            case _:
                raise UsageError(f"%rsimport takes auto, off, or info [NAME]; {HELP}")


def _load(name: str, cell: str, deps: list[str], settings: dict[str, object], force: bool) -> ModuleType:
    # Nothing but the magic can have written to this cell's output.
    _progress.owns_cell = True
    try:
        return _load_written(name, cell, deps, settings, force)
    finally:
        _progress.owns_cell = False


def _load_written(
    name: str, cell: str, deps: list[str], settings: dict[str, object], force: bool
) -> ModuleType:
    # Two kernels of one notebook are rare, but then the file may be the other's by the time it is compiled.
    for _ in range(10):
        path = _engine.write_cell(name, cell, deps, _notebook(), settings)
        with open(path, "rb") as file:
            written = file.read()
        if force:
            _api.finished(KernelLoader(name, path, {**settings, "force_rebuild": True}))
        module = _api.imp_from_filepath(path, name, **settings)  # type: ignore[arg-type]
        with open(path, "rb") as file:
            if file.read() == written:
                return module
    raise RsimportError(
        f"cell {name} is being compiled by another process", hint="run the cell again", name=name
    )


_ITEM = re.compile(r"#\[py(?:function|class)\b[^{}]*?\b(?:fn|struct|enum)\s+(\w+)")


def _default_name(cell: str) -> str:
    """The name of the cell's own `#[pymodule]`, or one that is made from the names that the cell defines.

    So a cell that is edited stays the same kernel, and its compiler's incremental data serve.
    """
    own = re.search(r"#\[pymodule\]\s*(?:pub\s+)?(?:fn|mod)\s+(\w+)", cell)
    names = " ".join(_ITEM.findall(cell)) or cell
    return own[1] if own else "cell_" + sha256(names.encode()).hexdigest()[:8]


def _notebook() -> str:
    """What tells one notebook in a folder from another, if the front end says it."""
    from_front_end = sys.modules["__main__"].__dict__.get("__vsc_ipynb_file__")
    if from_front_end or "JPY_SESSION_NAME" in os.environ:
        return str(from_front_end or os.environ["JPY_SESSION_NAME"])
    try:
        return os.ttyname(0)
    except (OSError, AttributeError):
        return ""


def _specs(given: list[str]) -> list[str]:
    """`numpy=0.30, rand = 0.9` as a list; a comma or space inside brackets belongs to its specification."""
    text = re.sub(r"\s*([=@])\s*", r"\1", " ".join(given))
    return re.findall(r"(?:\{[^}]*\}|[^\s,{])+", text)


def _names(module: ModuleType | None) -> dict[str, Any]:
    """The public names of a kernel's module."""
    if module is None or LOADED not in vars(module):
        return {}
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    return {name: getattr(module, name) for name in names}


def _parser() -> MagicArgumentParser:
    make: Any = MagicArgumentParser
    parser: MagicArgumentParser = make(
        usage=SUPPRESS, description=DESCRIPTION, formatter_class=RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("words", nargs="*", help=SUPPRESS)
    add("-n", "--name", help="the module's name; without it, one that is made from the names in it")
    add("--profile", metavar="P", help="cargo profile to build with: release or dev")
    add("-f", "--force", action="store_true", help="build even if the cache has the kernel")
    add("--deps", nargs="+", metavar="SPEC", help="crates to build with, as numpy=0.30")
    add("-h", "--help", action="store_true", help="show this text")
    return parser
