"""Installs the peers, each for itself: one that cannot be installed leaves the others alone."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys

_PEER = re.compile(r"(.+?)\s*;.*extra == ['\"]peers['\"]")


def main() -> None:
    for requirement in importlib.metadata.requires("rsimport") or []:
        if found := _PEER.fullmatch(requirement):
            _install(found[1])


def _install(peer: str) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", peer]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "pip failed")
        print(f"{peer} cannot be installed and is left out: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
