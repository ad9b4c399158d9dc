"""`rsimport wheel`: a kernel as a wheel, by way of the project that `rsimport export` writes."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import click

from rsimport import _engine
from rsimport._cli_options import given, setting_options
from rsimport._errors import CompileError, ConfigError, ToolchainError
from rsimport._streams import say
from rsimport._writing import place
from rsimport.toolbox import _portable
from rsimport.toolbox._exported import Project


@click.command(
    epilog="""\b
    Examples:
      rsimport wheel logistic.rs
      rsimport wheel logistic.rs --out dist --abi3
      rsimport wheel logistic.rs --cpu x86-64-v3
    """
)
@click.argument("path", type=click.Path(exists=True))
@click.option("--out", default="dist", metavar="DIR", help="The folder for the wheel.  [default: dist]")
@click.option("--abi3", is_flag=True, help="One wheel for all Pythons from 3.10 on, if the code allows it.")
@click.option(
    "--cpu",
    default=_portable.GENERIC,
    metavar="NAME",
    help="The oldest CPU that it is for.  [default: generic]",
)
@setting_options("cache_dir", "toolchain", "offline", "progress")
def command(path: str, out: str, abi3: bool, cpu: str, **options: Any) -> None:
    """Build a wheel of a kernel, which is installed without rsimport and without Rust.

    It is for this Python and this platform; --abi3 is for all versions of Python from 3.10 on, which buffers
    and some other parts of PyO3 do not support. maturin builds it, from the environment or from PATH. It is
    never for the CPU at hand alone, unless --cpu says so. PATH is a kernel's file or a crate's folder.
    """
    target = Path(os.path.abspath(out))
    if target.exists() and not target.is_dir():
        raise ConfigError(f"{out} is not a folder", hint="name another one with --out")
    maturin = _maturin()
    there = next(folder for folder in [target, *target.parents] if folder.exists())
    if not os.access(there, os.W_OK):
        # Before minutes are spent on it.
        raise ConfigError(f"{there} cannot be written to", hint="--out names another folder")
    settings = given(options)
    project = Project(path, settings)
    if abi3 and not project.found.abi3:
        raise ConfigError(
            f"{path}: its manifest has no feature abi3", hint='[features]\nabi3 = ["pyo3/abi3-py310"]'
        )
    with tempfile.TemporaryDirectory(prefix="rsimport-wheel-") as folder:
        made, built = Path(folder, "project"), Path(folder, "dist")
        made.mkdir()
        project.write(made)
        with _portable.environment(str(project.kernel.parent), cpu):
            said = _build(maturin, made, built, project, abi3=abi3, cpu=cpu, settings=settings)
        (wheel,) = built.glob("*.whl")
        place(wheel, target / wheel.name)
    click.echo(f"wrote {_engine.shown(os.path.join(out, wheel.name))}")
    for note in [*project.notes(), *_told(wheel.name, said)]:
        click.echo(f"note: {_engine.shown(note, lines=True)}", err=True)


def _maturin() -> str:
    """The maturin of this environment, or the one in PATH."""
    found = None
    with suppress(PackageNotFoundError):
        files = distribution("maturin").files or ()
        scripts = [
            str(file.locate()) for file in files if file.stem == "maturin" and file.suffix in ("", ".exe")
        ]
        found = next(filter(os.path.isfile, scripts), None)
    found = found or shutil.which("maturin")
    if found is None:
        hint = f"{shlex.quote(sys.executable)} -m pip install 'maturin>=1.16,<2'"
        raise ToolchainError("a wheel is built by maturin, which was not found", hint=hint)
    return found


def _build(
    maturin: str,
    project: Path,
    out: Path,
    kernel: Project,
    *,
    abi3: bool,
    cpu: str,
    settings: dict[str, object],
) -> str:
    """Runs maturin; returns what it said."""
    arguments = ["build", "--release", "--locked", "--out", str(out), "--interpreter", sys.executable]
    if abi3:
        arguments += ["--features", "abi3"]
    env = {**os.environ, "CARGO_TARGET_DIR": _engine.wheels_folder(settings)}
    if settings.get("toolchain"):
        env["RUSTUP_TOOLCHAIN"] = str(settings["toolchain"])
    if settings.get("offline"):
        env["CARGO_NET_OFFLINE"] = "true"
    if cpu != _portable.GENERIC:
        flags = env.get("CARGO_ENCODED_RUSTFLAGS") or "\x1f".join(env.get("RUSTFLAGS", "").split())
        env["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join(filter(None, [flags, f"-Ctarget-cpu={cpu}"]))
    say(f"rsimport: maturin builds the wheel of {kernel.module}")
    # In a file, the output can neither block nor be lost.
    with tempfile.TemporaryFile() as output:
        code = _waited(
            subprocess.Popen(
                [maturin, *arguments],
                cwd=project,
                env=env,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
        output.seek(0)
        said = output.read().decode(errors="replace")
    if code:
        raise _failure(kernel, said, abi3)
    return said


def _waited(child: subprocess.Popen[bytes]) -> int:
    """Waits for a child in a session of its own; what ends the wait ends it, with all that it has started."""
    try:
        return child.wait()
    except BaseException:
        if os.name == "posix":
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
        child.wait()
        raise


def _failure(kernel: Project, said: str, abi3: bool) -> Exception:
    name = kernel.kernel.name
    errors = re.findall(r"^error(?:\[E\d+\])?: (?!could not compile|aborting)(.*)$", said, re.MULTILINE)
    first = errors[0] if errors else (said.strip().splitlines() or ["it says nothing"])[-1]
    if not abi3 or not errors:
        return ToolchainError(
            f"maturin cannot build a wheel of {name}: {first}\n{said.strip()}", kernel=str(kernel.kernel)
        )
    why = "it uses something that Python's stable ABI of 3.10 does not have"
    if re.search(r"buffer", said, re.IGNORECASE):
        why = "it uses buffers, which Python's stable ABI has from 3.11 on only"
    return CompileError(
        f"{name} does not compile for --abi3: {why} ({first})",
        hint="leave --abi3 out; then the wheel is for this version of Python",
        kernel=str(kernel.kernel),
    )


def _told(wheel: str, said: str) -> list[str]:
    """What should be known of a wheel for Linux."""
    if "-linux_" in wheel:
        return [
            "the wheel is tagged for Linux machines like this one, which PyPI does not take: the workflow of"
            " the exported project builds it in a manylinux container"
        ]
    found = re.search(r"manylinux_(\d+)_(\d+)", wheel)
    return [f"the wheel needs glibc {found[1]}.{found[2]} or newer"] if found else []
