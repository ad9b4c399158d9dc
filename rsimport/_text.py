"""Kernels that are texts of a program: no file, no import hook, no magic."""

from __future__ import annotations

import keyword
import re
import sys
from hashlib import sha256
from importlib.util import find_spec

from rsimport import _engine
from rsimport._arrival import kept
from rsimport._errors import ConfigError, concise
from rsimport._finder import plain
from rsimport._loader import KernelLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from typing_extensions import Unpack

    from rsimport._settings import Settings


@concise
def compile(
    text: str,
    name: str | None = None,
    dependencies: Iterable[str] | None = None,
    **settings: Unpack[Settings],
) -> ModuleType:
    """Compiles the text of a kernel, unless that was done before, loads it and returns the module.

    The text needs neither a marker nor a #[pymodule]. `dependencies` are crates as `"numpy=0.30"`; the text
    may have a manifest block as well. `name` is the module's name; without it, one is made from the names in
    the text. Messages call the text `<kernel NAME>`, and count its lines from 1. Relative paths in it start
    from the current folder.

    The same text is the same module, and another text of the same name is another one beside it. The module
    is in sys.modules, under its name if nothing else has it, and its functions and classes pickle, for other
    processes of this host too.

    Raises CompileError if the code does not compile, and ConfigError, ToolchainError, CacheError or
    RsimportError as imp() does.
    """
    for what, value in (("text", text), ("name", "" if name is None else name)):
        if not isinstance(value, str):
            raise TypeError(f"the {what} of a kernel is a str, not {type(value).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        hint = "it was decoded with `surrogateescape`, or has half of a pair: Rust source is UTF-8"
        raise ConfigError("the text of the kernel is not Unicode", hint=hint) from exc
    if name is None:
        name = default_name(text, "kernel")
    elif not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
        hint = "use ASCII letters, digits and underscores"
        raise ConfigError(f"{name!r} cannot be the name of a kernel", hint=hint)
    given, specs = plain(settings), [dependencies] if isinstance(dependencies, str) else dependencies
    path = _engine.write_text(name, text, list(specs or ()), given)
    loader = KernelLoader(name, path, given)
    kernel = kept(name, bytes.fromhex(loader.find_artifact().content))
    if kernel.names is None and name not in sys.modules:
        # Whoever imports a file of this name later is to get the file.
        kernel.may_have_name = find_spec(name) is None
    kernel.load(build=True, loader=loader)
    return sys.modules[kernel.entered()]


_ITEM = re.compile(r"#\[py(?:function|class)\b[^{}]*?\b(?:fn|struct|enum)\s+(\w+)")


def default_name(text: str, prefix: str) -> str:
    """The name of the text's own `#[pymodule]`, or one that is made from the names that the text defines.

    So a text that is edited stays the same kernel, and its compiler's incremental data serve.
    """
    own = re.search(r"#\[pymodule\]\s*(?:pub\s+)?(?:fn|mod)\s+(\w+)", text)
    names = " ".join(_ITEM.findall(text)) or text
    return own[1] if own else f"{prefix}_{sha256(names.encode()).hexdigest()[:8]}"
