"""Runs a test harness that was linked as a library, with the interpreter that it is loaded into."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from rsimport._errors import ConfigError, RsimportError
from rsimport.toolbox._project import Kernel

FLAGS = ("-Clink-arg=-shared",)
CHECKED = (
    "-Copt-level=0",
    "-Cdebug-assertions=on",
    "-Coverflow-checks=on",
    "-Cdebuginfo=line-tables-only",
    "-Cstrip=none",
    "-Clto=off",
)
"""What cargo's test profile has and its bench profile has not, for the kernel alone."""

FAILED = 101
"""How a harness ends in which a test has failed."""

STARTED = "from rsimport.toolbox._harness import main; main()"


class Harness:
    """The compiled tests of a kernel."""

    def __init__(self, path: str, settings: dict[str, Any], *, release: bool = False) -> None:
        if sys.platform == "win32":
            raise ConfigError(
                "tests of kernels cannot be run on Windows",
                hint="run them in the Windows Subsystem for Linux",
            )
        kernel = Kernel(path, settings)
        # The dependencies of release builds are there already; those of tests would be compiled as well.
        profile = "test" if kernel.project.profile == "dev" else "bench"
        flags = [*FLAGS, *(() if release or profile == "test" else CHECKED)]
        if os.path.isfile(path):
            # In a backtrace, names as seen from the kernel's folder start from there.
            flag = f"--remap-path-prefix={kernel.project.folder}={kernel.project.base}"
            # A folder need not be text, and messages show it as well as can be.
            flags.append(os.fsencode(flag).decode("utf-8", "replace"))
        self.run = kernel.run("rustc", flags=flags, profile=profile, kept=True)
        if self.run.failure is not None:
            raise self.run.failure
        if self.run.executable is None:
            raise RsimportError(f"cargo made no tests of {path}", kernel=path)
        self.path = path
        self.folder = kernel.project.base
        self.program = self.run.executable
        self.places = {name: (file, line) for name, file, line in kernel.project.tests()}

    def start(self, arguments: Sequence[str], **how: Any) -> subprocess.Popen[str]:
        """Starts the tests in a child of this Python, in the kernel's folder, as cargo does."""
        command = [sys.executable, "-c", STARTED, self.program, *arguments]
        return subprocess.Popen(command, cwd=self.folder, text=True, **how)

    def names(self) -> list[str]:
        """The names of all tests."""
        with self.start(["--list", "--format=terse"], stdout=subprocess.PIPE) as child:
            out, _ = child.communicate()
        return [line.removesuffix(": test") for line in out.splitlines() if line.endswith(": test")]


def main() -> None:
    """In the child: calls the `main` of the harness that the first argument names, with the others."""
    program, *arguments = sys.argv[1:]
    # Python would note a Ctrl-C and wait until the harness is done.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.argv[1:] = arguments
    words = [word.encode() for word in (program, *arguments)]
    argv = (ctypes.c_char_p * (len(words) + 1))(*words, None)
    library = ctypes.CDLL(program, os.RTLD_NOW | os.RTLD_LOCAL)
    sys.exit(library.main(len(words), argv))


def waited(child: subprocess.Popen[str]) -> int:
    """Waits for a child, which a Ctrl-C ends too, whomever it was sent to; its exit code."""
    try:
        return child.wait()
    except BaseException:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(2)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        raise


def ended(code: int) -> str | None:
    """How tests ended that did not end by themselves. Raises KeyboardInterrupt if it was by a Ctrl-C."""
    if code in (0, FAILED):
        return None
    if code == -signal.SIGINT:
        raise KeyboardInterrupt
    if code > 0:
        return f"exit code {code}"
    known = -code in set(signal.Signals)
    return f"{signal.Signals(-code).name if known else f'signal {-code}'} ({signal.strsignal(-code)})"
