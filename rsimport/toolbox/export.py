"""`rsimport export`: a kernel as a project for maturin, or compiled kernels as a cache for others."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import click

from rsimport import _engine
from rsimport._cli_options import given, setting_options
from rsimport._python import ABI
from rsimport.toolbox._exported import Project, new_folder


@click.command(
    epilog="""\b
    Examples:
      rsimport export logistic.rs ../logistic
      rsimport export step/ step-project     a crate
      cd ../logistic && pip install . pytest && pytest
      rsimport export . /sw/kernels --bundle --target-cpu x86-64-v3
    """
)
@click.argument("path", type=click.Path(exists=True))
@click.argument("folder", metavar="DIR")
@click.option(
    "--bundle",
    is_flag=True,
    help="Make DIR a cache of all kernels in PATH, for RSIMPORT_SHARED_CACHES on other machines.",
)
@setting_options("cache_dir", "toolchain", "offline", "target_cpu", "progress")
def command(path: str, folder: str, bundle: bool, **options: Any) -> None:
    """Write a kernel as a project of its own, which needs no rsimport.

    DIR becomes a complete project for maturin: the kernel's text with its module written out, its `mod`
    files and what they include, Cargo.toml and Cargo.lock with the versions that the kernel was built with, a
    Python package with types if a stub lies beside the kernel, a test, and a workflow that builds wheels.
    Crates in folders are copied. PATH is a kernel's file or a crate's folder.
    """
    if bundle:
        _bundle(path, os.path.abspath(folder), given(options))
        return
    if options.get("target_cpu") is not None:
        raise click.UsageError("--target-cpu is for --bundle: a project is compiled where it is installed")
    target = Path(os.path.abspath(folder))
    with new_folder(target) as made:
        project = Project(path, given(options))
        project.write(made)
        files = sorted(str(file.relative_to(made)) for file in made.rglob("*") if file.is_file())
    for file in files:
        click.echo(f"wrote {_engine.shown(os.path.join(folder, file))}")
    for note in project.notes():
        click.echo(f"note: {_engine.shown(note, lines=True)}", err=True)
    click.echo(f"next: cd {shlex.quote(folder)} && pip install . pytest && pytest")


def _bundle(path: str, folder: str, settings: dict[str, Any]) -> None:
    from rsimport._build import build
    from rsimport._errors import ConfigError

    kernels = [path] if os.path.isfile(path) or _engine.crate_source(path) else _engine.kernels(path)
    if not kernels:
        raise ConfigError(f"there is no marked kernel in {path}", hint="rsimport new k.rs")
    settings = {**settings, "tier": "optimized"}
    for kernel in map(os.path.abspath, kernels):
        module = os.path.basename(kernel).removesuffix(".rs")
        artifact = build(kernel, module, settings)
        _engine.bundle(artifact, kernel, ABI, settings, folder)
        needs = _engine.pack(artifact)[0]
        click.echo(f"added {_engine.shown(module)}, for {_needs(needs)}")
    click.echo(f"next: export RSIMPORT_SHARED_CACHES={shlex.quote(folder)}")


def _needs(text: str) -> str:
    from json import loads

    needs = loads(text)
    glibc = "glibc {}.{}".format(*needs["glibc"]) if needs["glibc"] else "any C library"
    cpu = needs["cpu"]
    which = (
        "CPUs that it does not name" if cpu is None else f"CPUs with {', '.join(cpu) or 'nothing special'}"
    )
    return f"{needs['platform']}, {needs['abi']}, {glibc}, {which}"
