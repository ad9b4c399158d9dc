"""The toolchain: clear words when it is missing or too old, and no need of it when a kernel is cached."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from helpers import block, package, strace, value, without_network, without_rust, write

TELL = """
import rsimport, rsimport.import_hook
try:
    import k
except rsimport.RsimportError as error:
    print(type(error).__name__, error.hint is not None)
    print(error)
else:
    print(k.value(), rsimport.info(k).built)
"""


TOOLS = ("cargo", "rustc")


@pytest.fixture
def bare(tmp_path):
    """An environment without Rust."""
    return without_rust(tmp_path / "bare")


def test_without_cargo_the_error_says_how_to_install_it(kernel, run, bare):
    kernel("k", value(1))
    said = run(TELL, env=bare).out
    assert said.startswith("ToolchainError True") and "rustup" in said and "cargo" in said


def test_a_cached_kernel_loads_without_a_toolchain(kernel, look, run, bare, project):
    write(project, {"part.rs": "pub fn number() -> i64 {\n    1\n}\n"})
    kernel("k", "mod part;\n" + value("part::number()"), block=block("[dependencies]", 'itoa = "1"'))
    assert look()[:2] == (1, True)
    assert look(env=bare)[:2] == (1, False)


def test_a_cached_crate_loads_without_a_toolchain(crate, look, bare):
    crate("k", value(2))
    assert look()[:2] == (2, True)
    assert look(env=bare)[:2] == (2, False)


def test_a_cached_kernel_loads_after_the_source_was_edited_and_brought_back_without_a_toolchain(
    kernel, look, run, bare
):
    path = kernel("k", value(1))
    good = path.read_text()
    assert look()[:2] == (1, True)
    path.write_text(good.replace("1", "2"))
    assert run(TELL, env=bare).out.startswith("ToolchainError")
    path.write_text(good)
    assert look(env=bare)[:2] == (1, False)


def test_a_cargo_that_is_named_starts_the_rustc_beside_it_and_not_the_first_on_the_path(
    stub_kernel, run, tmp_path
):
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True)
    real, other = Path(sysroot.stdout.strip()) / "bin", tmp_path / "other"
    scripts = {
        name: f'#!/bin/sh\necho "$@" >> {other}/{name}.log\nexec {real / name} "$@"\n' for name in TOOLS
    }
    write(other, scripts)
    for name in TOOLS:
        (other / name).chmod(0o755)
    stub_kernel(3, "[package]", f'description = "{other}"')
    assert run(TELL, env={"CARGO": str(other / "cargo")}).out == "3 True"
    assert "--crate-name k " in (other / "rustc.log").read_text()


def test_a_script_in_the_place_of_cargo_is_asked_once_more_how_to_compile(stub_kernel, run, tmp_path):
    """It may set variables, which a call that was recorded without it does not have."""
    path = stub_kernel(3, "[package]", f'description = "{tmp_path}"')
    assert run(TELL).out == "3 True"
    script = tmp_path / "cargo"
    script.write_text(f'#!/bin/sh\ntouch {tmp_path}/ran\nexec {shutil.which("cargo")} "$@"\n')
    script.chmod(0o755)
    path.write_text(path.read_text() + "// edited\n")
    assert run(TELL, env={"CARGO": str(script)}).out == "3 True"
    assert (tmp_path / "ran").exists()


def test_a_rustc_that_is_no_program_is_named(stub_kernel, run, tmp_path):
    (tmp_path / "rustc").write_bytes(b"\x7fELF")
    (tmp_path / "rustc").chmod(0o755)
    stub_kernel(3, "[package]", f'description = "{tmp_path}"')
    told = run(TELL, env={"RUSTC": str(tmp_path / "rustc")}).out.splitlines()
    assert told[:2] == [
        "ToolchainError True",
        f"{tmp_path}/rustc cannot be started: Exec format error (os error 8)",
    ]


def test_the_rustc_that_cargos_configuration_names_is_the_one_that_is_asked(kernel, run, project):
    kernel("k", value(1))
    write(
        project,
        {"old": "#!/bin/sh\necho rustc 1.84.0\n", ".cargo/config.toml": '[build]\nrustc = "./old"\n'},
    )
    (project / "old").chmod(0o755)
    said = run(TELL).out
    assert said.startswith("ToolchainError True") and "rustc 1.84.0" in said and "too old" in said, said


def test_without_a_linker_the_error_says_how_to_install_one(kernel, run, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("cargo", "rustc"):
        (tools / tool).symlink_to(shutil.which(tool))
    kernel("k", value(1))
    said = run(TELL, env={"PATH": str(tools), "CC": None}).out
    assert said.startswith("ToolchainError True") and "linker" in said and "`cc`" in said, said


def test_a_rustc_too_old_for_a_dependency_is_said_with_the_way_to_a_newer_one(kernel, run, project):
    manifest = package("modern") + 'rust-version = "1.999"\n'
    write(project / "modern", {"Cargo.toml": manifest, "src/lib.rs": ""})
    kernel("k", value(1), block=block("[dependencies]", 'modern = { path = "modern" }'))
    said = run(TELL).out
    assert (
        said.startswith("ToolchainError True")
        and "1.999" in said
        and "modern" in said
        and "rustup update" in said
    )


def test_a_toolchain_that_is_not_installed_is_named(kernel, run):
    kernel("k", value(1))
    said = run(TELL, env={"RSIMPORT_TOOLCHAIN": "1.2.3-nowhere", "RUSTUP_AUTO_INSTALL": "0"}).out
    assert said.startswith("ToolchainError") and "1.2.3-nowhere" in said


def test_an_unreachable_registry_is_said_with_the_crate_and_the_ways_out(kernel, run, tmp_path, empty_cache):
    kernel("k", value(1), block=block("[dependencies]", 'itoa = "1"'))
    said = run(TELL, env=without_network(tmp_path / "home")).out
    assert said.startswith("ToolchainError True")
    assert "itoa" in said or "pyo3" in said
    assert "offline" in said and "warm" in said


def test_offline_with_a_crate_that_was_never_fetched_names_it(kernel, run, tmp_path, empty_cache):
    kernel("k", value(1), block=block("[dependencies]", 'itoa = "1"'))
    said = run(TELL, env={**without_network(tmp_path / "home"), "RSIMPORT_OFFLINE": "1"}).out
    assert said.startswith("ToolchainError True")
    assert "itoa" in said or "pyo3" in said
    assert "offline" in said and "warm" in said


def test_a_new_kernel_whose_crates_are_known_builds_offline(kernel, look):
    kernel("k", value(3))
    proxy = {"CARGO_HTTP_PROXY": "http://127.0.0.1:9", "RSIMPORT_OFFLINE": "1"}
    assert look(env=proxy)[:2] == (3, True)


def test_a_new_kernel_whose_crates_are_known_asks_no_registry(kernel, look):
    kernel("k", value(4))
    assert look(env={"CARGO_HTTP_PROXY": "http://127.0.0.1:9", "CARGO_NET_RETRY": "0"})[:2] == (4, True)


def test_ci_true_and_foreign_cargo_settings_do_not_disturb(kernel, look, tmp_path):
    kernel("k", value(5))
    foreign = {
        "CI": "true",
        "CARGO_TARGET_DIR": str(tmp_path / "elsewhere"),
        "RUSTC_WRAPPER": "",
        "CARGO_TERM_COLOR": "always",
        "CARGO_TERM_QUIET": "true",
        "CARGO_INCREMENTAL": "0",
    }
    assert look(env=foreign)[:2] == (5, True)
    assert look(env=foreign)[:2] == (5, False)
    assert not (tmp_path / "elsewhere").exists()


def test_a_warm_import_starts_no_process_and_takes_no_lock(kernel, run, tmp_path):
    kernel("k", value(6))
    calls = tmp_path / "calls"
    wrap = strace("-f", "-o", str(calls), "-e", "trace=execve,fork,vfork,clone,clone3,flock,fcntl")
    program = "import rsimport.import_hook, k; print(k.value())"

    def seen():
        assert run(program, wrap=wrap).out == "6"
        lines = calls.read_text().splitlines()
        processes = [line for line in lines if "execve(" in line or "fork(" in line or "clone" in line]
        locks = [line for line in lines if "flock(" in line or "LK" in line]
        return len(processes), len(locks)

    processes, locks = seen()
    assert processes > 1 and locks > 0
    assert seen() == (1, 0)
