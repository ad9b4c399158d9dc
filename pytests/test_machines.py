"""Machines that differ and share a cache: another CPU, an older C library, another rustc."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import LIMIT, value

EMULATOR = shutil.which("qemu-x86_64")
SEEN = "import rsimport, rsimport.import_hook, k; i = rsimport.info(k); print(k.value(), i.built, i.reason)"


def rustc_that(folder: Path, script: str) -> dict[str, str]:
    """An environment with a rustc that differs from the real one by the lines of a script."""
    real = shutil.which("rustc")
    found = subprocess.run([str(real), "--print", "sysroot"], capture_output=True, text=True, check=True)
    tool = folder / "rustc"
    folder.mkdir(exist_ok=True)
    tool.write_text(f"#!/bin/sh\nreal={found.stdout.strip()}/bin/rustc\n{script}\n")
    tool.chmod(0o755)
    return {"RUSTC": str(tool)}


def dependency_sets(cache: Path) -> int:
    return len(list(cache.glob("v1/targets/*/")))


@pytest.mark.skipif(EMULATOR is None, reason="qemu-user shows what Python does on another CPU")
def test_each_kind_of_cpu_has_builds_and_dependencies_of_its_own(stub_kernel, own_cache, tmp_path):
    """Python runs on an emulated CPU, and rustc is told what it would find out there itself."""
    path = stub_kernel('cfg!(target_feature = "avx2") as i64')
    before = dependency_sets(own_cache)
    machines = [
        ("Nehalem", "nehalem", "0 True", 1),
        ("Haswell", "haswell", "1 True", 2),
        # Another model and stepping of the same instruction sets shares everything.
        ("Haswell,model=70,stepping=7", "haswell", "1 False", 2),
        ("Nehalem", "nehalem", "0 False", 2),
    ]
    for cpu, name, said, sets in machines:
        script = f"""
            for argument do
                shift
                case $argument in *target-cpu=native) argument=-Ctarget-cpu={name};; esac
                set -- "$@" "$argument"
            done
            exec "$real" "$@"
        """
        env = {**os.environ, **rustc_that(tmp_path / name, script), "RSIMPORT_PROGRESS": "0"}
        command = [str(EMULATOR), "-cpu", cpu, sys.executable, "-c", SEEN]
        done = subprocess.run(
            command, cwd=path.parent, env=env, capture_output=True, text=True, timeout=LIMIT
        )
        assert done.stdout.strip() == f"{said} first build", (cpu, done.stderr)
        assert dependency_sets(own_cache) == before + sets, cpu


READ = """
import pickle, pathlib, rsimport._engine as engine
from importlib.machinery import EXTENSION_SUFFIXES
print(*engine.unmet(pathlib.Path("needs").read_text(), EXTENSION_SUFFIXES[0]))
try:
    print(pickle.loads(pathlib.Path("kept").read_bytes())())
except ImportError as error:
    print(*str(error).splitlines(), sep="\\n")
"""


@pytest.mark.skipif(EMULATOR is None, reason="qemu-user shows what Python does on another CPU")
def test_a_cpu_with_fewer_instruction_sets_says_which_it_lacks_and_loads_nothing(stub_kernel, run, tmp_path):
    path = stub_kernel(1)
    run(
        "import pickle, rsimport.import_hook, k; from rsimport import _engine, _loader\n"
        "open('kept', 'wb').write(pickle.dumps(k.value))\n"
        "open('needs', 'w').write(_engine.pack(_loader.loader_of(k).find_artifact())[0])",
        env={"RSIMPORT_TARGET_CPU": "haswell"},
    )
    path.unlink()
    env = {**os.environ, "PATH": "/nowhere"}

    def on(cpu: str) -> list[str]:
        command = [str(EMULATOR), "-cpu", cpu, sys.executable, "-c", READ]
        done = subprocess.run(
            command, cwd=path.parent, env=env, capture_output=True, text=True, timeout=LIMIT
        )
        return done.stdout.splitlines()

    sent, kept, hint = on("Nehalem")
    assert "this CPU lacks avx, avx2, bmi1" in sent and sent in kept
    assert kept.startswith("kernel k (") and "cannot be had on this machine: of an artifact" in kept
    assert hint == "hint: RSIMPORT_TARGET_CPU=generic where it is built"
    assert on("Haswell") == ["", "1"]


def test_the_instruction_sets_that_rustc_uses_are_those_of_the_key():
    """What `native` enables is a part of what the key is made of, so that the key changes with it."""
    code = subprocess.run(
        ["rustc", "--print", "cfg", "-Ctarget-cpu=native"], capture_output=True, text=True, check=True
    ).stdout
    enabled = {line.split('"')[1] for line in code.splitlines() if line.startswith("target_feature=")}
    source = (Path(__file__).parents[1] / "src/freshness/machine.rs").read_text()
    checked = source.split("check!(")[1].split(");")[0]
    known = {part for part in checked.split('"') if part.strip() and " " not in part}
    # x87 is a part of the platform.
    assert enabled - known <= {"x87"} or os.uname().machine != "x86_64"


def digest(text: bytes) -> bytes:
    """As the engine has it: of the length, as eight bytes, and the text."""
    return hashlib.sha256(len(text).to_bytes(8, "little") + text).hexdigest()[:40].encode()


def test_an_artifact_that_needs_a_newer_glibc_is_left_to_others(kernel, look, own_cache):
    kernel("k", value(1))
    assert look()[:2] == (1, True)
    newest = max(own_cache.glob("v1/kernels/*/newest"), key=lambda link: link.lstat().st_mtime_ns)
    folder = newest.resolve()
    text, _, _ = (folder / "entry.json").read_bytes().rpartition(b',"digest":"')
    entry = json.loads(text + b"}")
    needed = entry["glibc"]
    assert needed is not None and needed[0] == 2 and folder.name.endswith(f"-{needed[0]}.{needed[1]}")
    # As if it had been published by a machine of the future.
    entry["glibc"] = [99, 1]
    text = json.dumps(entry).encode().removesuffix(b"}")
    (folder / "entry.json").write_bytes(text + b',"digest":"' + digest(text) + b'"}')
    future = folder.rename(folder.with_name(folder.name.rsplit("-", 1)[0] + "-99.1"))
    newest.unlink()
    newest.symlink_to(future.name)
    number, built, reason = look()
    assert (number, built) == (1, True) and "glibc 99.1" in reason
    assert look()[:2] == (1, False)
    assert future.exists(), "the machine that made it still has it"


def test_another_rustc_compiles_the_next_edit_and_nothing_before(stub_kernel, look, own_cache, tmp_path):
    newer = """
        case "$*" in
            *-vV*) "$real" "$@" | sed "s/^release: .*/release: 1.999.0/; s/^rustc .*/rustc 1.999.0 (new)/";;
            *) exec "$real" "$@";;
        esac
    """
    env = rustc_that(tmp_path / "newer", newer)
    stub_kernel(1)
    assert look()[:2] == (1, True)
    sets = dependency_sets(own_cache)
    assert look(env=env)[:2] == (1, False)
    stub_kernel(2)
    assert look(env=env)[:2] == (2, True)
    assert dependency_sets(own_cache) == sets + 1


def test_another_c_compiler_changes_nothing_that_is_built(stub_kernel, look, tmp_path):
    stub_kernel(1)
    assert look()[:2] == (1, True)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "cc").write_text(f'#!/bin/sh\nexec {shutil.which("cc")} "$@"\n')
    (tools / "cc").chmod(0o755)
    env = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    assert look(env=env)[:2] == (1, False)
    stub_kernel(2)
    assert look(env=env)[:2] == (2, True)


def test_the_first_build_for_another_machine_or_python_is_a_first_build(stub_kernel, run, own_cache):
    """It is optimised at once, and is no edit."""
    stub_kernel(1)
    tell = "import rsimport, rsimport.import_hook, k; i = rsimport.info(k); print(i.tier, i.reason)"
    auto = {"RSIMPORT_TIER": "auto"}
    assert run(tell, env=auto).out == "optimized first build"
    for last in own_cache.glob("v1/work/*/last-*.json"):
        # What another Python has remembered.
        last.rename(last.with_name("last-00000000.json"))
    stub_kernel(2)
    assert run(tell, env=auto).out == "optimized first build"
