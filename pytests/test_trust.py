"""Whose files decide what an import runs: the user's, root's, and those of whoever may replace the kernel.

The rows of the table in docs/security.md. Another user is a number here: root gives him files.
"""

from __future__ import annotations

import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import value, write

SOMEBODY = 4242
"""The number of a user who is neither the one who runs the tests nor root."""

TELL = """
import logging
logging.basicConfig(format="%(levelname)s %(message)s")
import rsimport, rsimport.import_hook
try:
    import k
except rsimport.RsimportError as error:
    print(type(error).__name__)
    print(error)
else:
    print(k.value())
"""

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or os.getuid() != 0, reason="needs root, who can give files away"
)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder like /tmp, in which everybody can put files; the kernel's folder lies in it."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o1777)
        (Path(name) / "mine").mkdir()
        yield Path(name)


@pytest.fixture
def spy(shared: Path) -> Callable[[str], str]:
    """Writes a program that leaves a mark and does what another one does; returns its path."""

    def write_spy(program: str) -> str:
        path = shared / "spy"
        path.write_text(f'#!/bin/sh\ntouch "{shared}/ran"\nexec {program} "$@"\n')
        path.chmod(0o755)
        return str(path)

    return write_spy


def give(path: Path, owner: int = SOMEBODY) -> None:
    """Gives a file or folder, and all below it, to another user."""
    for each in (path, *path.rglob("*")):
        os.chown(each, owner, owner, follow_symlinks=False)


def project_file(shared: Path, spy: Callable[[str], str]) -> Path:
    write(shared, {"pyproject.toml": f'[tool.rsimport]\nrustflags = ["-Clinker={spy("cc")}"]\n'})
    return shared / "pyproject.toml"


def cargo_config(name: str, text: str, program: str) -> Callable[[Path, Callable[[str], str]], Path]:
    def config(shared: Path, spy: Callable[[str], str]) -> Path:
        write(shared, {f".cargo/{name}": text.replace("SPY", spy(program))})
        return shared / ".cargo"

    return config


WRAPPER = ('[build]\nrustc-wrapper = "SPY"\n', "env")
LINKER = (f'[target.{platform.machine()}-unknown-linux-gnu]\nlinker = "SPY"\n', "cc")


def toolchain(shared: Path, spy: Callable[[str], str]) -> Path:
    """A toolchain of his own, whose compiler calls the right one."""
    own = shared / "toolchain/bin"
    own.mkdir(parents=True)
    for name in ("cargo", "rustc"):
        shutil.copy(spy(f"rustup run stable {name}"), own / name)
    write(shared, {"rust-toolchain.toml": f'[toolchain]\npath = "{shared}/toolchain"\n'})
    return shared / "rust-toolchain.toml"


def hidden(shared: Path, spy: Callable[[str], str]) -> Path:
    """A file of the victim's own by another name."""
    write(shared, {"elsewhere/pyproject.toml": project_file(shared, spy).read_text()})
    (shared / "pyproject.toml").unlink()
    return shared / "elsewhere/pyproject.toml"


WAYS = {
    "pyproject.toml": project_file,
    ".cargo/config.toml": cargo_config("config.toml", *WRAPPER),
    ".cargo/config.toml, linker": cargo_config("config.toml", *LINKER),
    ".cargo/config": cargo_config("config", *WRAPPER),
    "rust-toolchain.toml": pytest.param(
        toolchain, marks=pytest.mark.skipif(not shutil.which("rustup"), reason="needs rustup")
    ),
}
everything = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@pytest.fixture
def mine(stub_kernel: Callable[..., Path], shared: Path) -> Path:
    """A kernel in a folder of its own, whose value is 5."""
    # No other has this manifest, so that no compiler call was recorded that is repeated without cargo.
    return stub_kernel(5, "[package]", f'description = "{shared}"').rename(shared / "mine/k.rs")


def warned(said: str, file: Path, why: str) -> bool:
    """Whether one warning says that this file is ignored."""
    return said.count("is ignored") == 1 and f"WARNING {file}" in said and f"since it {why}\nhint: " in said


@everything
def test_what_another_user_leaves_above_a_kernel_runs_nothing(mine, run, shared, spy, way):
    file = way(shared, spy)
    give(file)
    seen = run(TELL, cwd=mine.parent)
    assert seen.out == "5" and not (shared / "ran").exists(), seen.text
    assert warned(seen.stderr, file, "belongs to another user"), seen.stderr


@everything
def test_what_the_hint_says_makes_it_decide(mine, run, shared, spy, way):
    file = way(shared, spy)
    give(file)
    hint = run(TELL, cwd=mine.parent).stderr.split("what it says is meant: ")[1].splitlines()[0]
    subprocess.run(hint, shell=True, check=True)
    mine.write_text(mine.read_text() + "// edited\n")
    seen = run(TELL, cwd=mine.parent)
    assert seen.out == "5" and (shared / "ran").exists(), seen.text


@everything
def test_ones_own_file_decides(mine, run, shared, spy, way):
    way(shared, spy)
    seen = run(TELL, cwd=mine.parent)
    assert seen.out == "5" and (shared / "ran").exists() and "ignored" not in seen.stderr, seen.text


@everything
def test_the_owner_of_the_kernel_decides_as_his_code_is_run_anyway(mine, run, shared, spy, way):
    """As in a container, where root imports from a project that the host's user has mounted into it."""
    way(shared, spy)
    give(shared)
    seen = run(TELL, cwd=mine.parent)
    assert seen.out == "5" and (shared / "ran").exists() and "ignored" not in seen.stderr, seen.text


@everything
def test_a_file_that_everybody_can_write_to_decides_nothing(mine, run, shared, spy, way):
    file = way(shared, spy)
    file.chmod(file.stat().st_mode | 0o002)
    seen = run(TELL, cwd=mine.parent)
    assert seen.out == "5" and not (shared / "ran").exists(), seen.text
    assert warned(seen.stderr, file, "can be written to by everybody"), seen.stderr
    subprocess.run(seen.stderr.split("written to it: ")[1].splitlines()[0], shell=True, check=True)
    mine.write_text(mine.read_text() + "// edited\n")
    assert "ignored" not in run(TELL, cwd=mine.parent).stderr and (shared / "ran").exists()


def let(path: Path, user: int, allowed: int, group: int = 5) -> None:
    """Gives a file an access list that names a user, as `setfacl -m u:USER:rwx` does."""
    nobody = 0xFFFFFFFF
    entries = [(1, 7, nobody), (2, allowed, user), (4, group, nobody), (16, 7, nobody), (32, 5, nobody)]
    listed = b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(path, "system.posix_acl_access", struct.pack("<I", 2) + listed)


@pytest.fixture
def with_lists(tmp_path: Path) -> None:
    try:
        let(tmp_path, SOMEBODY, 7)
    except OSError as error:
        pytest.skip(f"no access lists here: {error}")


def test_a_file_that_its_access_list_lets_others_write_to_decides_nothing(mine, run, shared, spy, with_lists):
    """Its mode only says that somebody else may."""
    shared.chmod(0o755)
    file = project_file(shared, spy)
    let(file, SOMEBODY, 6)
    seen = run(TELL, cwd=mine.parent)
    assert seen.out == "5" and not (shared / "ran").exists(), seen.text
    assert warned(seen.stderr, file, "can be written to by others, whom its access list names"), seen.stderr
    assert f"written to it: setfacl -R -b {file}" in seen.stderr
    # Who may only read it has no part in what it says, and who may replace the kernel may write to it.
    for user, allowed, replaces in ((SOMEBODY, 4, False), (SOMEBODY, 6, True), (os.getuid(), 6, False)):
        let(file, user, allowed)
        if replaces:
            let(mine.parent, SOMEBODY, 7)
        mine.write_text(mine.read_text() + "// edited\n")
        seen = run(TELL, cwd=mine.parent)
        assert seen.out == "5" and (shared / "ran").exists() and "ignored" not in seen.stderr, seen.text
        (shared / "ran").unlink()


def test_a_group_that_its_access_list_keeps_out_may_not_replace_the_kernel(
    mine, run, shared, spy, with_lists
):
    """The group's part of the mode is then that of whom the list names."""
    project_file(shared, spy)
    for each in (shared, *shared.rglob("*")):
        os.chown(each, SOMEBODY, SOMEBODY)
        each.chmod(0o775 if each.is_dir() or each.name == "spy" else 0o664)
    for each in (mine, mine.parent):
        os.chown(each, 0, SOMEBODY)
    let(mine.parent, 4343, 7)
    assert mine.parent.stat().st_mode & 0o070 == 0o070
    seen = run(TELL, cwd=mine.parent)
    assert seen.out == "5" and not (shared / "ran").exists() and "is ignored" in seen.stderr, seen.text
    let(mine.parent, 4343, 7, group=7)
    mine.write_text(mine.read_text() + "// edited\n")
    seen = run(TELL, cwd=mine.parent)
    assert seen.out == "5" and (shared / "ran").exists() and "ignored" not in seen.stderr, seen.text


@everything
def test_where_everybody_may_replace_the_kernel_everybody_may_write_to_what_decides(
    mine, run, shared, spy, way
):
    """As on a file system that knows no owners: a disk of Windows, a memory stick."""
    way(shared, spy)
    for each in (shared, *shared.rglob("*")):
        each.chmod(0o777)
    seen = run(TELL, cwd=mine.parent)
    assert seen.out == "5" and (shared / "ran").exists() and "ignored" not in seen.stderr, seen.text
    # Nobody comes as far as the kernel.
    (shared / "ran").unlink()
    mine.parent.chmod(0o700)
    mine.write_text(mine.read_text() + "// edited\n")
    seen = run(TELL, cwd=mine.parent)
    assert seen.out == "5" and not (shared / "ran").exists() and "is ignored" in seen.stderr, seen.text


@everything
def test_a_group_that_may_replace_the_kernel_decides(mine, run, shared, spy, way):
    """As a team does that works on one copy of a project."""
    way(shared, spy)
    for number, each in enumerate((shared, *shared.rglob("*"))):
        os.chown(each, SOMEBODY + number, SOMEBODY)
        each.chmod(0o2775 if each.is_dir() or each.name in ("spy", "cargo", "rustc") else 0o664)
    os.chown(mine, 0, SOMEBODY)
    seen = run(TELL, cwd=mine.parent)
    assert seen.out == "5" and (shared / "ran").exists() and "ignored" not in seen.stderr, seen.text
    # Others of the group may not come this far down.
    (shared / "ran").unlink()
    mine.parent.chmod(0o700)
    mine.write_text(mine.read_text() + "// edited\n")
    seen = run(TELL, cwd=mine.parent)
    assert seen.out == "5" and not (shared / "ran").exists() and "is ignored" in seen.stderr, seen.text


@pytest.mark.parametrize("link", ["symbolic", "hard"])
def test_a_link_that_another_user_has_made_decides_nothing(mine, run, shared, spy, link):
    target, name = hidden(shared, spy), shared / "pyproject.toml"
    if link == "hard":
        os.link(target, name)
    else:
        name.symlink_to(target)
        os.chown(name, SOMEBODY, SOMEBODY, follow_symlinks=False)
    seen = run(TELL, cwd=mine.parent)
    assert seen.out == "5" and not (shared / "ran").exists(), seen.text
    why = "is a hard link in a folder" if link == "hard" else "belongs to another user"
    assert f"WARNING {name}" in seen.stderr and why in seen.stderr, seen.stderr


@pytest.mark.parametrize("name", ["pyproject.toml", ".cargo/config.toml", "rust-toolchain", "Cargo.toml"])
def test_a_pipe_that_another_user_has_left_keeps_nobody_waiting(mine, run, shared, name):
    path = shared / name
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    give(shared / Path(name).parts[0])
    assert run(TELL, cwd=mine.parent, timeout=120).out == "5"


@pytest.mark.parametrize("name", [".cargo/config.toml", "rust-toolchain.toml"])
def test_what_is_left_there_while_cargo_starts_is_not_read_either(mine, run, shared, spy, name):
    """There is a moment between looking and starting, and this cargo makes use of it."""
    if name == ".cargo/config.toml":
        file = cargo_config("config.toml", *WRAPPER)(shared, spy)
    elif shutil.which("rustup"):
        file = toolchain(shared, spy)
    else:
        pytest.skip("needs rustup")
    give(file)
    file.rename(shared / "later")
    (shared / "cargo").write_text(f'#!/bin/sh\nmv {shared}/later {file}\nexec {shutil.which("cargo")} "$@"\n')
    (shared / "cargo").chmod(0o755)
    environment = {"CARGO": str(shared / "cargo"), "RUSTC": shutil.which("rustc")}
    seen = run(TELL, cwd=mine.parent, env=environment)
    assert seen.out == "5" and file.exists() and not (shared / "ran").exists(), seen.text


def test_cargos_configuration_holds_below_a_folder_for_everybody_as_it_does_elsewhere(mine, run, shared):
    """There cargo does not look for it itself, but has it named."""
    write(
        shared,
        {
            ".cargo/config.toml": '[env]\nFAR = { value = "far", relative = true }\nBOTH = "far"\n'
            '[build]\nbuild-dir = "elsewhere"\n',
            "mine/.cargo/config.toml": '[env]\nBOTH = "near"\n',
        },
    )
    text = mine.read_text() + 'const _: () = assert!(matches!(env!("BOTH").as_bytes(), b"near"));\n'
    mine.write_text(text + f'const _: () = assert!(env!("FAR").len() == {len(str(shared / "far"))});\n')
    assert run(TELL, cwd=mine.parent).out == "5"
    assert not list(shared.rglob("elsewhere")), "cargo writes to the cache only"


def test_another_users_workspace_above_a_crate_is_refused(crate, run, shared):
    folder = crate("k", value(5), folder=shared / "mine")
    write(
        shared,
        {"Cargo.toml": '[workspace]\nmembers = ["mine/k"]\n[profile.release]\ndebug-assertions = true\n'},
    )
    give(shared / "Cargo.toml")
    kind, message, hint = run(TELL, cwd=folder.parent).out.splitlines()
    assert kind == "ConfigError" and message == (
        f"cargo would take {shared}/Cargo.toml for the workspace of k, and it belongs to another user"
    )
    subprocess.run(hint.split("own workspace: ")[1], shell=True, check=True)
    assert run(TELL, cwd=folder.parent).out == "5"


def test_a_workspace_that_comes_at_the_last_moment_is_not_read(crate, run, shared):
    """Between the look at what there is and the one that cargo takes."""
    folder = crate("k", value("5 + i64::from(cfg!(debug_assertions))"), folder=shared / "mine")
    late = '[workspace]\nmembers = ["mine/k"]\n[profile.release]\ndebug-assertions = true\n'
    cargo = shared / "mine/cargo"
    cargo.write_text(
        f"#!/bin/sh\nprintf '{late}' > {shared}/Cargo.toml\nexec {shutil.which('cargo')} \"$@\"\n"
    )
    cargo.chmod(0o755)
    seen = run(TELL, cwd=folder.parent, env={"CARGO": str(cargo), "RUSTC": shutil.which("rustc")})
    assert (shared / "Cargo.toml").exists() and seen.out == "5", seen.text


def test_a_notebook_in_a_mounted_project_has_the_settings_of_it(project, run):
    """Its cells lie in the cache; the folder in which it runs decides."""
    write(project, {"pyproject.toml": '[tool.rsimport]\nprofile = "theirs"\n'})
    program = """
        from rsimport import _engine
        cell = _engine.write_cell("k", "fn f() {}", [], "n.ipynb", {})
        print(_engine.settings(cell, {})["profile"], _engine.settings(None, {})["profile"])
    """
    give(project)
    assert run(program).out == "theirs theirs"
    os.chown(project, 0, 0)
    assert run(program).out == "release release"


def test_doctor_names_what_is_ignored(cli, shared, spy):
    for way in (project_file, cargo_config("config.toml", *WRAPPER)):
        give(way(shared, spy))
    seen = cli("doctor", cwd=shared / "mine")
    for name in ("pyproject.toml", ".cargo/config.toml"):
        assert f"{shared}/{name} is ignored, since it belongs to another user" in seen.out, seen.text
    assert seen.returncode == 1 and "cp -R" in seen.stderr


def test_a_workspace_that_a_cargo_reads_all_the_same_makes_no_kernel(stub_crate, run, shared):
    """The variable that keeps cargo from looking above is its own, and another cargo may not know it."""
    folder = stub_crate(5, folder=shared / "mine")
    cargo = shared / "mine/cargo"
    late = '[workspace]\nmembers = ["mine/k"]\n'
    forgets = f"exec env -u __CARGO_TEST_ROOT {shutil.which('cargo')}"
    cargo.write_text(
        f"#!/bin/sh\nprintf '{late}' > {shared}/Cargo.toml\n"
        f'chown {SOMEBODY} {shared}/Cargo.toml\n{forgets} "$@"\n'
    )
    cargo.chmod(0o755)
    seen = run(TELL, cwd=folder.parent, env={"CARGO": str(cargo), "RUSTC": shutil.which("rustc")})
    assert seen.out.startswith(f"ConfigError\ncargo would take {shared}/Cargo.toml"), seen.text
