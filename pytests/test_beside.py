"""A library beside its source: the import hook does never worse than Python without it."""

from __future__ import annotations

import shutil
import textwrap
from importlib.machinery import EXTENSION_SUFFIXES

import pytest
from helpers import value, without_rust

SUFFIX = EXTENSION_SUFFIXES[0]
IMPORT = "import rsimport, rsimport.import_hook, k; print(k.value(), rsimport.info(k).path)"


@pytest.fixture
def placed(stub_kernel, cli, project, tmp_path, monkeypatch):
    """A kernel with a library beside it, which no cache has."""
    (project / "part.txt").write_text("part")
    path = stub_kernel(4, more='const _PART: &str = include_str!("part.txt");\n')
    seen = cli("build", "k.rs", "--inplace", "--target-cpu", "generic")
    assert seen.returncode == 0, seen.text
    monkeypatch.setenv("RSIMPORT_CACHE_DIR", str(tmp_path / "other-cache"))
    return path


def test_a_library_of_the_same_text_is_loaded_with_and_without_a_toolchain(placed, run, project, tmp_path):
    library = str(project / f"k{SUFFIX}")
    assert run(IMPORT).out == f"4 {library}"
    seen = run(IMPORT, env=without_rust(tmp_path / "bare"))
    assert seen.out == f"4 {library}" and "rsimport:" not in seen.stderr
    # Wherever it is installed, and whatever dates it has there.
    moved = tmp_path / "moved"
    moved.mkdir()
    for file in ("k.rs", f"k{SUFFIX}"):
        shutil.copyfile(project / file, moved / file)
    assert run(IMPORT, cwd=moved).out == f"4 {moved / f'k{SUFFIX}'}"


def test_where_nothing_can_be_compiled_any_library_will_do_and_a_note_says_what_differs(
    placed, run, project, tmp_path
):
    bare = without_rust(tmp_path / "bare")
    (project / "part.txt").write_text("another")
    seen = run(IMPORT, env=bare)
    assert seen.out.startswith("4 ") and "note: part.txt is not what it was" in seen.stderr
    placed.write_text(placed.read_text() + "// edited\n")
    seen = run(IMPORT, env=bare)
    assert seen.out.startswith("4 ") and "note: k.rs is another text" in seen.stderr


def test_what_is_edited_is_compiled(placed, stub_kernel, run):
    stub_kernel(5)
    assert run(IMPORT).out.startswith("5 ")


def test_a_library_that_says_nothing_of_its_source_is_the_last_resort(placed, run, project, tmp_path):
    library = project / f"k{SUFFIX}"
    library.write_bytes(library.read_bytes()[:-1])
    assert str(library) not in run(IMPORT).out
    env = {**without_rust(tmp_path / "bare"), "RSIMPORT_CACHE_DIR": str(tmp_path / "empty")}
    seen = run(IMPORT, env=env)
    assert seen.out == f"4 {library}" and "it does not say from which text" in seen.stderr


def test_another_profile_or_a_forced_build_is_compiled(placed, run, project):
    library = str(project / f"k{SUFFIX}")
    assert library in run(IMPORT, env={"RSIMPORT_PROFILE": "release"}).out
    assert library not in run(IMPORT, env={"RSIMPORT_PROFILE": "dev"}).out
    assert library not in run(IMPORT, env={"RSIMPORT_FORCE_REBUILD": "1"}).out


def test_a_cache_that_cannot_be_used_does_not_matter(placed, run, project):
    assert run(IMPORT, env={"RSIMPORT_CACHE_DIR": "/proc/nothing"}).out == f"4 {project / f'k{SUFFIX}'}"


def test_what_does_not_compile_is_told_although_a_library_lies_there(placed, run):
    placed.write_text(placed.read_text() + "fn broken( {\n")
    seen = run(IMPORT, check=False)
    assert seen.returncode == 1 and "CompileError" in seen.stderr


def test_it_reloads_and_its_functions_reach_other_processes(kernel, cli, run, project, tmp_path):
    kernel("k", value(4))
    assert cli("build", "k.rs", "--inplace").returncode == 0
    env = {**without_rust(tmp_path / "bare"), "RSIMPORT_CACHE_DIR": str(tmp_path / "other-cache")}
    program = """
        import importlib, multiprocessing, pickle, rsimport.import_hook, k
        if __name__ == "__main__":
            importlib.reload(k)
            assert pickle.loads(pickle.dumps(k.value)) is k.value
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.apply(k.value), pickle.dumps(k.value).hex())
    """
    (project / "program.py").write_text(textwrap.dedent(program))
    number, pickled = run(["program.py"], env=env).out.split()
    elsewhere = f"import pickle; print(pickle.loads(bytes.fromhex('{pickled}'))())"
    assert number == run(elsewhere, cwd=tmp_path, env=env).out == "4"


def test_a_build_is_a_build(placed, cli):
    assert "built" in cli("build", "k.rs").stdout
