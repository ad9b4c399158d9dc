"""Rust in its own colours while it is typed into IPython's terminal; JupyterLab has an extension for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell


def colour_cells(shell: InteractiveShell, magic: str) -> Callable[[], None]:
    """Colours what is below the magic as Rust from now on; returns what undoes it."""
    own: Any = shell
    # A terminal makes a lexer for each prompt, and each knows the same few magics.
    given: Any = getattr(own, "_extra_prompt_options", None)
    if given is None:
        return lambda: None

    def with_rust() -> Any:
        from prompt_toolkit.lexers import PygmentsLexer
        from pygments.lexers import RustLexer

        options = given()
        lexers = getattr(options.get("lexer"), "magic_lexers", None)
        if lexers is not None:
            lexers[magic] = PygmentsLexer(RustLexer)
        return options

    own._extra_prompt_options = with_rust

    def undo() -> None:
        if vars(own).get("_extra_prompt_options") is with_rust:
            del own._extra_prompt_options

    return undo
