"""Where the cache may lie: in a folder of its own, which is the user's, and which no project has chosen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import rlibs, snapshot, value, write

TELL = """
import rsimport, rsimport.import_hook
try:
    import k
except rsimport.RsimportError as error:
    print(type(error).__name__)
    print(error)
else:
    print(k.value(), rsimport.info(k).path)
"""


def test_a_folder_in_use_does_not_become_a_cache(stub_kernel, run, cli, tmp_path):
    stub_kernel(1)
    home = tmp_path / "my home"
    write(home, {"thesis.tex": "my thesis", "v1/api/handler.py": "my code"})
    before = snapshot(home)
    kind, message, hint = run(TELL, env={"RSIMPORT_CACHE_DIR": str(home)}).out.splitlines()
    assert kind == "CacheError" and f"{home} is in use for something else, as by " in message
    cli("cache", "clear", env={"RSIMPORT_CACHE_DIR": str(home)})
    assert snapshot(home) == before

    # The hint, pasted.
    script = f"{hint.removeprefix('hint: ')}; exec {sys.executable} -c '{TELL}'"
    seen = subprocess.run(["sh", "-c", script], cwd=tmp_path / "project", capture_output=True, text=True)
    assert seen.stdout.startswith(f"1 {home}/rsimport/v1/"), seen
    assert {name: text for name, text in snapshot(home).items() if not name.startswith("rsimport")} == before


@pytest.mark.parametrize("there", [["CACHEDIR.TAG"], [".profile"], ["v1/kernels"]])
def test_a_folder_with_anything_in_it_is_in_use(stub_kernel, run, tmp_path, there):
    stub_kernel(1)
    write(tmp_path / "folder", dict.fromkeys(there, "Signature: 8a477f597d28d172789f06886806bc55"))
    before = snapshot(tmp_path / "folder")
    assert run(TELL, env={"RSIMPORT_CACHE_DIR": str(tmp_path / "folder")}).out.startswith("CacheError")
    assert snapshot(tmp_path / "folder") == before


@pytest.mark.parametrize("there", [[], ["lost+found/"]])
def test_an_empty_folder_becomes_one(stub_kernel, run, tmp_path, there):
    stub_kernel(1)
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in there:
        (folder / name).mkdir()
    assert run(TELL, env={"RSIMPORT_CACHE_DIR": str(folder)}).out.startswith("1 ")
    assert {path.name for path in folder.iterdir()} - {"lost+found"} == {"CACHEDIR.TAG", "v1"}


def test_what_others_have_put_into_a_cache_outlives_cache_clear(kernel, look, cli, own_cache):
    kernel("k", value(1))
    look()
    write(own_cache, {"v1/api/handler.py": "my code", "thesis.tex": "my thesis"})
    seen = cli("doctor")
    assert seen.returncode == 1 and f"{own_cache} is tagged as a cache, which backups leave out" in seen.out
    assert cli("cache", "clear").returncode == 0
    assert sorted(path.name for path in own_cache.rglob("*")) == [
        "CACHEDIR.TAG",
        "api",
        "handler.py",
        "thesis.tex",
        "v1",
    ]


def test_cache_clear_leaves_nothing_of_its_own(kernel, look, cli, run, own_cache):
    kernel("k", value(1))
    look()
    run("from rsimport import _engine; _engine.write_cell('c', 'fn f() {}', [], 'n.ipynb', {})")
    assert cli("cache", "clear").returncode == 0
    assert [path.name for path in own_cache.iterdir()] == ["CACHEDIR.TAG"]


@pytest.mark.parametrize(
    "place", ["../home", "/nowhere/cache", "inside/../../home", ".", "linked", "linked/deeper", "sub/.."]
)
def test_a_project_has_its_cache_inside_of_itself_or_nowhere(stub_kernel, run, project, tmp_path, place):
    stub_kernel(1)
    (tmp_path / "home").mkdir()
    (project / "linked").symlink_to("../home")
    write(project, {"pyproject.toml": f'[tool.rsimport]\n\ncache_dir = "{place}"\n'})
    bare = {"RSIMPORT_CACHE_DIR": None}
    kind, message, hint = run(TELL, env=bare).out.splitlines()
    assert kind == "ConfigError" and message == (
        f'{project}/pyproject.toml:3: `cache_dir` has to be a folder inside of the project, not "{place}"'
    )
    assert hint.startswith("hint: a folder elsewhere is for its user to choose: export RSIMPORT_CACHE_DIR=")
    assert not list((tmp_path / "home").iterdir()) and not Path("/nowhere").exists()
    # The hint, pasted; then the same folder in a call.
    chosen = str(tmp_path / "chosen") if "nowhere" in place else hint.rpartition("=")[2]
    assert run(TELL, env={"RSIMPORT_CACHE_DIR": chosen}).out.startswith(f"1 {chosen}/v1/")
    given = f"import rsimport; print(rsimport.build_filepath('k.rs', cache_dir={chosen!r}))"
    assert run(given, env=bare).out.startswith(f"{chosen}/v1/")


@pytest.mark.parametrize("place", ["cache", "./a/b", "PROJECT/cache", "a/../cache"])
def test_a_cache_inside_of_the_project(stub_kernel, run, project, place):
    stub_kernel(1)
    place = place.replace("PROJECT", str(project))
    write(project, {"pyproject.toml": f'[tool.rsimport]\ncache_dir = "{place}"\n'})
    assert run(TELL, env={"RSIMPORT_CACHE_DIR": None}).out.startswith(
        f"1 {os.path.normpath(project / place)}/v1/"
    )


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="needs root, who can give files away")
def test_a_link_of_another_user_does_not_lead_to_the_cache(stub_kernel, run, tmp_path, own_cache):
    stub_kernel(1)
    link = tmp_path / "link"
    link.symlink_to(own_cache)
    environment = {"RSIMPORT_CACHE_DIR": str(link)}
    assert run(TELL, env=environment).out.startswith(f"1 {link}")
    os.chown(link, 4242, 4242, follow_symlinks=False)
    assert f"{link} is a link of another user's" in run(TELL, env=environment).out


def test_a_cache_that_lies_elsewhere_now_compiles_no_dependency_again(kernel, look, own_cache, tmp_path):
    def compiled(cache):
        return {path.relative_to(cache): stamp for path, stamp in rlibs(cache, "*").items()}

    kernel("k", value(1))
    assert look()[:2] == (1, True)
    copy = tmp_path / "copy"
    shutil.copytree(own_cache, copy, symlinks=True)
    for path in copy.rglob("*"):
        # As archives have it.
        os.utime(path, (int(path.lstat().st_mtime),) * 2, follow_symlinks=False)
    before = compiled(copy)
    assert before.keys() == compiled(own_cache).keys() and any("pyo3-" in path.name for path in before)
    assert look(env={"RSIMPORT_CACHE_DIR": str(copy)})[:2] == (1, False)
    kernel("k", value(2))
    assert look(env={"RSIMPORT_CACHE_DIR": str(copy)})[:2] == (2, True) and compiled(copy) == before
    moved = shutil.move(own_cache, tmp_path / "moved")
    kernel("k", value(3))
    assert look(env={"RSIMPORT_CACHE_DIR": str(copy)})[:2] == (3, True) and compiled(copy) == before
    assert look(env={"RSIMPORT_CACHE_DIR": str(moved)})[:2] == (3, True)
    assert compiled(moved).keys() == before.keys()


def test_many_processes_make_one_cache(stub_kernel, start, empty_cache):
    stub_kernel(1)
    program = "from rsimport import _engine; print(_engine.write_cell('c', 'fn f() {}', [], 'n.ipynb', {}))"
    processes = [start(program) for _ in range(12)]
    told = [process.communicate() for process in processes]
    assert all(out and not err for out, err in told), told
    assert {path.name for path in empty_cache.iterdir()} == {"CACHEDIR.TAG", "v1"}
    shutil.rmtree(empty_cache)
