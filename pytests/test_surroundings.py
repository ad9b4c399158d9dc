"""What surrounds the cache: file systems, owners and limits, each told for what it is."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import _mounted, _runs, value

TELL = """
import rsimport, rsimport.import_hook
import rsimport._errors, rsimport._failures
try:
    import k
except rsimport.RsimportError as error:
    print(type(error).__name__)
    print(error)
else:
    print(k.value(), rsimport.info(k).built)
"""


def noexec(folder: Path) -> list[str]:
    """A process that sees this folder on a file system that is mounted noexec."""
    return _mounted('mount --bind "$0" "$0" && mount -o remount,noexec,bind "$0" && exec "$@"', folder)


def somebody() -> list[str]:
    """A process of a user who owns nothing here."""
    words = ["setpriv", "--reuid=4242", "--regid=4242", "--clear-groups"]
    if os.getuid() != 0 or not _runs(*words, "true"):
        pytest.skip("needs root, who can be somebody else")
    return words


@pytest.mark.parametrize("cached", [True, False])
def test_a_cache_on_a_noexec_file_system_is_told_as_that(kernel, run, own_cache, cached):
    kernel("k", value(1))
    if cached:
        run(TELL)
    seen = run(TELL, wrap=noexec(own_cache)).out.splitlines()
    assert seen[0] == "CacheError" and "noexec" in seen[1] and str(own_cache) in seen[1], seen
    assert "RSIMPORT_CACHE_DIR" in seen[2] and len(seen) == 3, seen


def test_doctor_says_that_a_cache_is_noexec(cli, own_cache):
    seen = cli("doctor", wrap=noexec(own_cache))
    assert seen.returncode == 1 and "noexec" in seen.text


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody can enter; those of pytest are its user's alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_cache_that_root_has_built_is_used_by_others_and_not_added_to(kernel, run, shared_cache, public):
    wrap, cache = somebody(), public / "cache"
    shutil.copytree(shared_cache.parent / "seed", cache, symlinks=True)
    environment = {
        "HOME": str(public),
        "PYTHONDONTWRITEBYTECODE": "1",
        "RSIMPORT_CACHE_DIR": str(cache),
    }

    def tell(program: str = TELL, **options: object) -> list[str]:
        return run(program, cwd=public, **{"env": environment, "wrap": wrap, **options}).out.splitlines()

    kernel("k", value(1), folder=public)
    assert tell(wrap=(), env={"RSIMPORT_CACHE_DIR": str(cache)}) == ["1 True"]
    if tell("import rsimport._engine; print(1)", check=False) != ["1"]:
        pytest.skip("the package lies where nobody else can read it")

    seen = tell()
    assert seen[0] == "CacheError" and f"{cache} belongs to root, and nobody else can read it" in seen[1]
    assert f"chmod -R a+rX {cache}" in seen[2]

    shutil.copytree(cache, public / "copied", symlinks=True)  # as a layer of an image is
    for each in (cache, public / "copied"):
        for path in (each, *each.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
        asked = {**environment, "RSIMPORT_CACHE_DIR": str(each)}
        assert tell(env=asked) == ["1 False"]
        again = TELL + "import importlib\nassert importlib.reload(k) is k and k.value() == 1\n"
        assert tell(again, env=asked) == ["1 False"]

    kernel("k", value(2), folder=public)
    seen = tell()
    assert seen[0] == "CacheError" and f"{cache} belongs to root" in seen[1], seen
    assert "RSIMPORT_CACHE_DIR" in seen[2] and "root builds into it" in seen[2]

    cache.chmod(0o777)
    seen = tell()
    assert seen[0] == "CacheError" and "can be written to by others" in seen[1]


DESCRIPTORS = """
import importlib.util, resource, sys
import rsimport._build
importlib.util.find_spec("k")
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
taken = []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
for _ in range(LEFT):
    os.close(taken.pop())
"""


@pytest.mark.parametrize("left", [0, 1, 4, 12])
@pytest.mark.parametrize("touched", [False, True])
def test_a_full_table_of_descriptors_is_told_and_costs_no_artifact(kernel, run, own_cache, left, touched):
    pytest.importorskip("resource")
    path = kernel("k", value(1))
    assert run(TELL).out == "1 True"
    if touched:  # Then its checksum has to be read.
        os.utime(run("import rsimport.import_hook, k; print(k.__file__)").out)
    full = "import os, rsimport.import_hook, rsimport._failures, rsimport._errors\n"
    full += DESCRIPTORS.replace("LEFT", str(left))
    seen = run(full + TELL).out.splitlines()
    assert seen == ["1 False"] or ("too many files are open" in seen[1] and "ulimit -n" in seen[2]), seen
    assert left == 0 or seen == ["1 False"]
    path.write_text(path.read_text() + "// edited\n")
    seen = run(full + TELL).out.splitlines()
    assert "too many files are open" in seen[1] and "ulimit -n" in seen[2], seen
    path.write_text(path.read_text().removesuffix("// edited\n"))
    assert run(TELL).out == "1 False"
