"""What PyO3 leaves in a library that was built with `experimental-inspect`: each item described in JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Item: TypeAlias = "dict[str, Any]"


class Inspected:
    """The descriptions of a library, of which nobody has said yet where Python finds them."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.by_id: dict[str, Item] = {}
        self.below: dict[str, list[Item]] = defaultdict(list)
        """The members of a class, by its id."""
        self.free: dict[str, list[Item]] = defaultdict(list)
        """Functions, classes, modules and constants by their name."""
        for item in sorted((json.loads(text) for text in texts), key=lambda item: json.dumps(item)):
            if item.get("id"):
                self.by_id[item["id"]] = item
            if item.get("parent"):
                self.below[item["parent"]].append(item)
            else:
                self.free[item["name"]].append(item)

    def find(self, kind: str, name: str, doc: str | None, among: list[str]) -> Item | None:
        """The item of a module's member. Others may have its name in other modules: these have other
        documentation, or another module that says what is in it.
        """
        found = [item for item in self.free[name] if item["type"] == kind]
        ours = [item for item in found if item.get("id") in among] or found
        return next((item for item in ours if item.get("doc") == doc), ours[0] if ours else None)

    def member(self, owner: str | None, name: str) -> list[Item]:
        """The descriptions of a class's member: several of a property that can be set."""
        return [item for item in self.below.get(owner or "", []) if item["name"] == name]
