"""Kills of whoever puts a kernel into a cache that others read, or takes one in that was sent."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from random import Random

from faults.lab import Broken, Lab

BUNDLE = "import sys; from rsimport._cli import main; sys.exit(main({arguments}))"

SEND = """
import rsimport, sys
from pathlib import Path
from rsimport import _engine
from rsimport._python import ABI
found = _engine.lookup("k.rs", "k", ABI, {})
needs, _, data = _engine.pack(found)
Path("sent").write_bytes(data)
Path("content").write_text(found.content)
"""
ARRIVE = """
from pathlib import Path
from rsimport import _engine
content = Path("content").read_text()
for _ in range(200):
    with _engine.hold(content):
        path = _engine.unpack(content, Path("sent").read_bytes())
        _engine.write_source(content, [("k.rs", Path("k.rs").read_bytes())])
print('{"value": 0}')
"""
ARRIVED = """
import json
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from rsimport import _engine
content = Path("content").read_text()
with _engine.hold(content):
    path = _engine.unpack(content, Path("sent").read_bytes())
    folder = Path(_engine.write_source(content, [("k.rs", Path("k.rs").read_bytes())]))
assert (folder / "k.rs").read_bytes() == Path("k.rs").read_bytes()
spec = spec_from_loader("k", ExtensionFileLoader("k", path))
print(json.dumps({"value": module_from_spec(spec).value()}))
"""


def one(lab: Lab, random: Random) -> str:
    """Returns what was tried, for the table."""
    way = random.choice(("bundle", "arrival"))
    lab.write(1)
    lab.expect(1, "before the fault", built=True)
    lab.quiet()
    (_bundle if way == "bundle" else _arrival)(lab, random)
    lab.quiet()
    lab.tidy()
    return f"travel: {way}"


def _bundle(lab: Lab, random: Random) -> None:
    bundle = lab.project / "bundle"
    arguments = ["export", "k.rs", str(bundle), "--bundle"]
    code = BUNDLE.format(arguments=arguments)
    for value in (1, 2):
        lab.write(value)
        _killed(lab, code, random.random() * random.choice((0.1, 0.5, 2.0)))
        # Whoever reads it meanwhile has the kernel of the text, from there or built by himself.
        own = {"RSIMPORT_SHARED_CACHES": str(bundle), "RSIMPORT_CACHE_DIR": str(lab.tmp / f"own-{value}")}
        seen = lab.look(own)
        if seen.value != value:
            raise Broken(f"from a bundle whose maker was killed: {seen} instead of {value}")
    made = lab.start(code)
    if (seen := lab.end(made)).status != 0:
        raise Broken(f"the bundle cannot be made any more: {seen}")
    nothing = {"PATH": "/nowhere", "CARGO": "", "CARGO_HOME": "/nowhere", "HOME": "/nowhere"}
    own = {"RSIMPORT_SHARED_CACHES": str(bundle), "RSIMPORT_CACHE_DIR": str(lab.tmp / "without")}
    seen = lab.look({**nothing, **own})
    if (seen.value, seen.built) != (2, False):
        raise Broken(f"from a whole bundle, without Rust: {seen}")
    _nothing_staged(lab, bundle)


def _arrival(lab: Lab, random: Random) -> None:
    if (seen := lab.end(lab.start(SEND))).status != 0:
        raise Broken(f"the kernel cannot be sent: {seen}")
    built, lab.cache = lab.cache, lab.tmp / "arrived"
    try:
        _killed(lab, ARRIVE, random.random() * 0.5)
        seen = lab.end(lab.start(ARRIVED))
        if seen.value != 1:
            raise Broken(f"what arrived after a kill: {seen}")
        lab.imports += 1
        lab.tidy()
    finally:
        lab.cache = built


def _killed(lab: Lab, code: str, after: float) -> None:
    process = lab.start(code)
    time.sleep(after)
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    lab.end(process)
    left = lab.left(10.0)
    if left:
        raise Broken(f"left running: {left}")


def _nothing_staged(lab: Lab, bundle: os.PathLike[str]) -> None:
    own, lab.cache = lab.cache, lab.project / "bundle"
    try:
        lab.tidy()
    finally:
        lab.cache = own
