"""The counterpart for setuptools: packages are built with the libraries of their kernels.

In pyproject.toml: `[build-system] requires = ["setuptools", "rsimport"]`, and `[tool.setuptools-rsimport]`, a
table that may be empty. setuptools asks here in every build, so nothing else is imported where it is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from setuptools import Distribution

TABLE = "setuptools-rsimport"


def finalize(distribution: Distribution) -> None:
    """Where setuptools asks."""
    try:
        with open("pyproject.toml", encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return
    if TABLE not in text:
        return
    given = _table(text)
    if given is not None:
        from rsimport._errors import RsimportError
        from rsimport.toolbox._setuptools_commands import add_commands

        try:
            add_commands(distribution, given)
        except RsimportError as error:
            raise SystemExit(f"error: {error}") from None


def _table(text: str) -> dict[str, Any] | None:
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        from setuptools._vendor import tomli as tomllib  # type: ignore[no-redef]

    return tomllib.loads(text).get("tool", {}).get(TABLE)  # type: ignore[no-any-return]


finalize.order = 100  # type: ignore[attr-defined]
