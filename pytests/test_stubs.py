"""The texts that repeat the engine: the typed settings, and the page of settings."""

from __future__ import annotations

import importlib
import pkgutil
import typing

from helpers import REPOSITORY

import rsimport
from rsimport import _engine

KINDS = {"str": str, "bool": bool, "float": float, "path": str}


def _typed_settings():
    """The one TypedDict of the package that holds the settings."""
    found = {}
    for module in pkgutil.iter_modules(rsimport.__path__):
        if module.name.startswith("_") and module.name != "__main__":
            for thing in vars(importlib.import_module(f"rsimport.{module.name}")).values():
                if typing.is_typeddict(thing) and "profile" in thing.__annotations__:
                    found[id(thing)] = thing
    assert len(found) == 1, found
    return next(iter(found.values()))


def test_the_typed_settings_are_those_of_the_engine():
    hints = typing.get_type_hints(_typed_settings())
    table = {setting.name: setting.kind for setting in _engine.settings_table()}
    assert set(hints) == set(table)
    for name, kind in table.items():
        allowed = {
            typing.get_origin(part) or part for part in (typing.get_args(hints[name]) or (hints[name],))
        }
        if kind == "list":
            assert typing.get_origin(hints[name]) is not None, name
        else:
            # A Literal is given by its texts.
            assert KINDS[kind] in allowed | {type(part) for part in allowed}, (name, hints[name])


def test_the_page_of_settings_has_a_row_for_every_setting_and_no_other():
    lines = (REPOSITORY / "docs" / "reference" / "settings.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|") and "RSIMPORT_" in line]
    for setting in _engine.settings_table():
        assert any(f"`{setting.name}`" in row and f"`{setting.env}`" in row for row in rows), setting.name
    assert len(rows) == len(_engine.settings_table())


def test_the_version_stands_in_the_changelog():
    assert rsimport.__version__ in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
