"""Writes the tables of README.md that come from elsewhere: the settings as the engine declares them.

`make docs` runs it; a test holds the README against the engine.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from rsimport import _engine

README = Path(__file__).resolve().parent.parent / "README.md"


def main() -> None:
    text = README.read_text(encoding="utf-8")
    README.write_text(filled(text, "settings", settings()), encoding="utf-8")


def settings() -> str:
    """One row for each declared setting."""
    rows = ["| setting | default | variable | in a kernel | what it does |", "|---|---|---|---|---|"]
    for setting in _engine.settings_table():
        where = "yes" if setting.in_kernel else "no"
        default = json.dumps(setting.default)
        rows.append(f"| `{setting.name}` | `{default}` | `{setting.env}` | {where} | {setting.help} |")
    return "\n".join(rows)


def filled(text: str, name: str, table: str) -> str:
    """The text with a table between the comments that mark its place."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{table}\n{end}", text, flags=re.DOTALL)


if __name__ == "__main__":
    main()
