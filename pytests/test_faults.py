"""A cache that is damaged, read-only, full, another's, or without locks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from helpers import bound, read_only, small, snapshot, strace, value

TELL = """
import logging, rsimport, rsimport.import_hook
logging.basicConfig(level="WARNING", format="%(levelname)s %(name)s %(message)s")
try:
    import k
except rsimport.RsimportError as error:
    print(type(error).__name__)
    print(error)
else:
    print(k.value(), rsimport.info(k).built)
"""

FIND = "import rsimport, rsimport.import_hook, k; print(rsimport.info(k).path)"

DAMAGE = {
    "truncated": lambda data: data[: len(data) // 2],
    "one byte short": lambda data: data[:-1],
    "emptied": lambda data: b"",
    "a bit flipped in the middle": lambda data: _flip(data, len(data) // 2),
    "a bit flipped at the start": lambda data: _flip(data, 0),
    "a bit flipped at the end": lambda data: _flip(data, len(data) - 1),
    "filled with zeros": lambda data: bytes(len(data)),
    "garbage": lambda data: b"\xff\x00garbage{" * 20,
    "one byte longer": lambda data: data + b"\0",
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_artifact_is_noticed_before_loading_and_rebuilt_with_a_warning(kernel, run, look, how):
    kernel("k", value(1))
    artifact = Path(run(FIND).out)
    _damage(artifact, how)
    seen = run(TELL)
    assert seen.out == "1 True" and "WARNING rsimport" in seen.stderr
    again = run(TELL)
    assert again.out == "1 False" and again.stderr == ""


@pytest.mark.parametrize("how", ["a bit flipped in the middle", "removed", "made a folder"])
def test_garbled_metadata_is_noticed_and_rebuilt(kernel, run, own_cache, how):
    """Every file that the build left in the cache, outside the build folder of cargo, one after another.

    What is made of each way to garble them is a matter of the engine's own tests.
    """
    kernel("k", value(1))
    before = set(_records(own_cache))
    artifact = Path(run(FIND).out)
    records = [path for path in _records(own_cache) if path not in before and path != artifact]
    assert records, "the build left nothing but the artifact"
    noticed = False
    for record in records:
        if not record.is_file():
            continue
        if how == "removed":
            record.unlink()
        elif how == "made a folder":
            record.unlink()
            record.mkdir()
        else:
            _damage(record, how)
        seen = run(TELL)
        # Either the file does not matter for a look-up, or it was noticed and told.
        assert seen.out == "1 False" or (seen.out == "1 True" and "WARNING rsimport" in seen.stderr), (
            f"{record} {how}: {seen.text}"
        )
        noticed |= seen.out == "1 True"
        assert run(TELL).out == "1 False", f"{record} {how}"
    assert noticed, "the entry's own metadata matters"


def test_a_removed_artifact_is_built_again(kernel, run):
    kernel("k", value(1))
    Path(run(FIND).out).unlink()
    assert run(TELL).out == "1 True"
    assert run(TELL).out == "1 False"


def test_a_removed_cache_is_built_again(kernel, run, own_cache, own_place):
    kernel("k", value(1))
    run(FIND)
    shutil.rmtree(own_cache)
    shutil.copytree(own_place[1], own_cache, symlinks=True)
    assert run(TELL).out == "1 True"


def test_the_cache_is_private_and_tagged(shared_cache):
    assert shared_cache.stat().st_mode & 0o777 == 0o700
    tag = (shared_cache / "CACHEDIR.TAG").read_text()
    assert tag.startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_the_cache_lies_in_the_users_cache_folder_when_nothing_is_said(cli, tmp_path):
    environment = {
        "RSIMPORT_CACHE_DIR": None,
        "XDG_CACHE_HOME": str(tmp_path / "xdg"),
        "HOME": str(tmp_path / "home"),
    }
    assert cli("cache", "dir", env=environment).out.startswith(str(tmp_path))
    assert cli("cache", "dir", env={**environment, "RSIMPORT_CACHE_DIR": str(tmp_path / "c")}).out == str(
        tmp_path / "c"
    )


def test_a_cache_folder_given_relative_to_the_working_folder(kernel, look, own_cache, project):
    own_cache.rename(project / "cache")
    kernel("k", value(1))
    assert look(env={"RSIMPORT_CACHE_DIR": "cache"})[:2] == (1, True)
    assert look(env={"RSIMPORT_CACHE_DIR": "cache"})[:2] == (1, False)
    assert look(env={"RSIMPORT_CACHE_DIR": str(project / "cache")})[:2] == (1, False)


def test_on_a_read_only_cache_a_cached_kernel_loads(kernel, run, own_cache):
    kernel("k", value(1))
    run(FIND)
    seen = run(TELL, wrap=read_only(own_cache))
    assert seen.out == "1 False" and seen.stderr == ""


@pytest.mark.parametrize(
    "how", ["a read-only file system", "permission bits", "no permission at all", "a file", "below a file"]
)
def test_a_cache_that_cannot_be_written_is_a_cache_error_that_names_it(kernel, run, own_cache, project, how):
    kernel("k", value(2))
    before = snapshot(project)
    environment = {}
    if how == "a read-only file system":
        wrap = read_only(own_cache)
    elif how in ("permission bits", "no permission at all"):
        wrap = bound()
        for folder in [own_cache, *(path for path in own_cache.rglob("*") if path.is_dir())]:
            folder.chmod(0o555 if how == "permission bits" else 0)
    else:
        wrap = []
        blocker = own_cache.with_name("file")
        blocker.write_text("text")
        own_cache = blocker / "deeper" if how == "below a file" else blocker
        environment = {"RSIMPORT_CACHE_DIR": str(own_cache)}
    said = run(TELL, wrap=wrap, env=environment).out
    assert said.startswith("CacheError") and str(own_cache) in said and "RSIMPORT_CACHE_DIR" in said
    assert snapshot(project) == before


@pytest.mark.parametrize("size", ["40k", "4m"])
def test_a_full_disk_is_a_cache_error_and_the_source_is_untouched(kernel, run, empty_cache, project, size):
    kernel("k", value(3))
    before = snapshot(project)
    empty_cache.mkdir()
    said = run(TELL, wrap=small(empty_cache, size)).out
    assert said.startswith("CacheError") and str(empty_cache) in said
    assert "space" in said.lower() or "full" in said.lower()
    assert snapshot(project) == before


def test_a_cache_of_another_user_is_a_cache_error(kernel, run, own_cache):
    if os.getuid() != 0:
        pytest.skip("only root can give a folder away")
    kernel("k", value(4))
    os.chown(own_cache, 4242, 4242)
    said = run(TELL, wrap=bound()).out
    assert said.startswith("CacheError") and str(own_cache) in said


def test_on_a_file_system_without_locks_the_build_goes_on_without_them(kernel, run, tmp_path, own_cache):
    kernel("k", value(5))
    wrap = strace("-f", "-o", "/dev/null", "-e", "trace=flock", "-e", "inject=flock:error=EOPNOTSUPP")
    assert run(TELL, wrap=wrap).out == "5 True"
    assert run(TELL, wrap=wrap).out == "5 False"


def test_a_cache_of_an_unknown_future_layout_is_left_alone(kernel, look, own_cache):
    (own_cache / "v999").mkdir()
    (own_cache / "v999/file").write_text("future")
    (own_cache / "note.txt").write_text("mine")
    kernel("k", value(6))
    assert look()[:2] == (6, True)
    assert (own_cache / "v999/file").read_text() == "future" and (
        own_cache / "note.txt"
    ).read_text() == "mine"


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :] if data else b"\x10"


def _damage(path: Path, how: str) -> None:
    path.chmod(0o600)
    path.write_bytes(DAMAGE[how](path.read_bytes()))


def _records(cache: Path) -> list[Path]:
    """The files of a cache that are not part of a build folder of cargo."""
    built = {path.parent for path in cache.rglob(".cargo-lock")} | {
        path.parent for path in cache.rglob(".rustc_info.json")
    }
    built |= set(cache.rglob("incremental"))
    return [path for path in sorted(cache.rglob("*")) if path.is_file() and not built & {*path.parents}]
