"""Notebooks: `%%rsimport` before a cell that is a kernel, and `%rsimport`, which looks after all kernels."""

from __future__ import annotations

import keyword
import os
import re
import shlex
import sys
from argparse import SUPPRESS, RawDescriptionHelpFormatter
from functools import partial
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser

from rsimport import _api, _engine, _progress
from rsimport._autoreload import Auto, stopped_build
from rsimport._errors import CompileError, RsimportError
from rsimport._finder import install
from rsimport._loader import LOADED, KernelLoader, loader_of
from rsimport._notebook_completer import complete
from rsimport._notebook_inspector import inspect_rust
from rsimport._notebook_lexer import colour_cells
from rsimport._notebook_notes import Strangers, elsewhere, no_rust, say
from rsimport._rust_source import typed
from rsimport._text import default_name

if TYPE_CHECKING:
    from collections.abc import Callable
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
      Where a kernel came from, when and why it was built; without NAME, all that are loaded.
  %rsimport doctor [FILE]
      What a build or an import needs, and what to do about what is missing."""

COMMANDS = ("auto", "off", "info", "doctor")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Registers the magics and installs the import hook; `%load_ext rsimport` calls this."""
    unload_ipython_extension(shell)  # `%reload_ext`, and who calls this twice.
    magic = Magic(shell)
    register: Any = shell.register_magic_function
    register(magic.rsimport, "line_cell", MAGIC)
    magic.enter()


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Takes away what loading has brought, and ends `%rsimport auto`; loaded kernels stay."""
    magics = shell.magics_manager.magics
    magics["line"].pop(MAGIC, None)
    registered = magics["cell"].pop(MAGIC, None)
    if registered is not None:
        registered.__self__.leave()


def _explain_syntax(result: Any) -> None:
    """Says why a cell was no Python in which Rust begins further down."""
    if isinstance(result.error_before_exec, SyntaxError):
        lines = str(result.info.raw_cell).strip().splitlines()
        if not lines[0].startswith("%%") and any(line.startswith(f"%%{MAGIC}") for line in lines):
            say(
                f"%%{MAGIC} has to be the first line of its cell: move what stands above it into another cell"
            )


class Magic:
    """The magics of one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell: Any = shell  # Many of its methods have no types.
        self.strangers = Strangers(shell)
        self.auto = Auto(shell, self.strangers.look)
        self.cells: dict[str, tuple[object, str]] = {}
        """Which cell of the notebook was compiled last under a name, and its text."""
        self.input = ""
        """What was typed into the cell that runs, its magics included."""
        self.undo: list[Callable[[], object]] = []

    def enter(self) -> None:
        """Installs the import hook, and all that the shell is to know of Rust."""
        shell, events = self.shell, self.shell.events
        events.register("pre_run_cell", self._note_input)
        events.register("post_run_cell", _explain_syntax)
        self.undo = [
            install().uninstall,
            inspect_rust(shell),
            colour_cells(shell, MAGIC),
            complete(shell),
            partial(events.unregister, "pre_run_cell", self._note_input),
            partial(events.unregister, "post_run_cell", _explain_syntax),
            self.auto.stop,
        ]

    def leave(self) -> None:
        """Undoes that."""
        while self.undo:
            self.undo.pop()()

    def rsimport(self, line: str, cell: str | None = None) -> None:
        parser = _parser()
        try:
            options = parser.parse_args(shlex.split(line))
        except ValueError as exc:  # A quotation mark is left open.
            raise UsageError(f"{exc}: {line}") from None
        if options.help:
            print(parser.format_help())
        elif cell is None:
            _look_after(self.auto, line, options)
        elif options.words:
            raise UsageError(_not_taken(options))
        else:
            self._compile(options, cell)

    rsimport.__doc__ = "Compile a cell of Rust, or look after kernels.\n\n" + DESCRIPTION

    def _note_input(self, info: Any) -> None:
        self.input = str(info.raw_cell)

    def _compile(self, options: Any, cell: str) -> None:
        name = options.name or default_name(cell, "cell")
        if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
            raise UsageError(
                f"{name!r} cannot be the name of a kernel; use ASCII letters, digits and underscores"
            )
        loaded = sys.modules.get(name)
        if loaded is not None and LOADED not in vars(loaded):
            raise UsageError(f"a module named {name} is loaded already; give the kernel another name with -n")
        settings: dict[str, object] = {"profile": options.profile} if options.profile else {}
        before = _names(loaded)
        text = _lines_above(self.input, cell) * "\n" + cell
        try:
            module = _load(name, text, _specs(options.deps or []), settings, options.force)
        except CompileError as error:
            error.hint = no_rust(error, text) or elsewhere(error, name) or error.hint
            self.auto.was_told(loaded, error)
            raise
        except KeyboardInterrupt as stopped:
            raise stopped_build(stopped, name) from None
        after = _names(module)
        self._note_other_cell(name, cell, before, after)
        # Names that the last version of this cell has put here, and that the new one does not define.
        for gone in before.keys() - after.keys():
            if self.shell.user_ns.get(gone) is before[gone]:
                self.shell.del_var(gone)
        self.shell.push(after)
        self.strangers.look(name, before, after)

    def _note_other_cell(self, name: str, text: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Tells if another cell had this name, whose functions are gone then."""
        # Front ends name their cells. Where none does, an edit leaves at least one name of a cell as it was.
        parent = self.shell.get_parent() if hasattr(self.shell, "get_parent") else {}
        cell = (parent.get("metadata") or {}).get("cellId")
        former, former_text = self.cells.get(name, (cell, text))
        self.cells[name] = cell, text
        gone = sorted(before.keys() - after.keys())
        is_other = former != cell if cell and former else not before.keys() & after.keys()
        if former_text != text and is_other and gone:
            lost = f"{', '.join(gone)} of that cell {'are' if len(gone) > 1 else 'is'} gone"
            say(f"another cell was called {name} before: {lost}; give one of them another name with -n")


def _not_taken(options: Any) -> str:
    """What is wrong with words after %%rsimport, which takes options only."""
    first, *more = options.words
    if first in COMMANDS:
        return f"%%rsimport takes no {first!r}; did you mean %rsimport {first}, with one %?"
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", first) and not more and not options.name:
        return f"%%rsimport takes no {first!r}; did you mean %%rsimport -n {first}?"
    return f"%%rsimport takes no {first!r}; {HELP}"


def _look_after(auto: Auto, line: str, options: Any) -> None:
    words = options.words
    if options.name or options.profile or options.force or options.deps:
        raise UsageError(f"%rsimport {line} is for a cell of Rust: write %%rsimport {line} above it")
    match words:
        case ["auto"]:
            auto.start()
        case ["off"] | ["auto", "off"]:
            auto.stop()
        case ["info", *names] if len(names) < 2:
            from rsimport._notebook_info import show

            show(*names)
        case ["doctor", *files]:
            from rsimport._cli import main

            main(["doctor", *files])
        case _:
            from difflib import get_close_matches

            near = get_close_matches(words[0], COMMANDS, 1) if words else []
            raise UsageError(
                f"did you mean %rsimport {near[0]}?" if near else f"%rsimport takes {_CHOICE}; {HELP}"
            )


_CHOICE = "auto, off, info [NAME] or doctor [FILE]"


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
                typed[path] = loader_of(module).path, written.decode()
                return module
    raise RsimportError(
        f"cell {name} is being compiled by another process", hint="run the cell again", name=name
    )


def _lines_above(typed_in: str, cell: str) -> int:
    """How many lines stand above the line of the magic: blank ones, or those of other magics."""
    above, found, _ = typed_in.rpartition(cell.rstrip())
    return max(above.count("\n") - 1, 0) if found else 0


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
