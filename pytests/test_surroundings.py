"""What surrounds the cache: file systems, owners and limits, each told for what it is."""

from __future__ import annotations

import os
import shutil
import signal
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


def limited(words: str) -> list[str]:
    """A process with these limits of `ulimit` and its like."""
    return ["sh", "-c", f'{words} && exec "$@"', "sh"]


@pytest.mark.parametrize("cached", [True, False], ids=["an edit", "a first build"])
@pytest.mark.parametrize(
    ("words", "told", "hint"),
    [
        ("ulimit -v 300000", "memory ran out: a process may have 292 MiB (ulimit -v 300000)", "ulimit -v"),
        ("ulimit -v 400000", "memory ran out: a process may have 390 MiB (ulimit -v 400000)", "ulimit -v"),
        ("ulimit -f 200", "no file may have more than ", "ulimit -f unlimited"),
        ("ulimit -s 128", "a program's stack may have 128 KiB (ulimit -s 128)", "ulimit -s 8192"),
    ],
)
def test_a_limit_is_told_with_what_to_do_and_without_calls_of_compilers(
    kernel, run, own_cache, barrier, cached, words, told, hint
):
    # A dependency of a kernel's own is compiled by cargo, an edit by rustc alone, as cargo has called it.
    if cached:
        kernel("k", value(2))
        assert run(TELL).out == "2 True"
    kernel("k", value(1), block="" if cached else barrier.block)
    # cargo asks rustc who it is, and keeps the answer, also that there was none.
    for answers in own_cache.glob("v1/targets/*/.rustc_info.json"):
        answers.unlink()
    seen = run(TELL, wrap=limited(words)).out.splitlines()
    if cached and words.startswith("ulimit -s"):
        # rustc alone works on threads of its own, whose stacks it chooses.
        assert seen == ["1 True"], seen
        return
    assert seen[0] in ("ToolchainError", "CacheError") and told in seen[1], seen
    assert seen[2].startswith("hint: ") and hint in seen[2] and len(seen) == 3, seen
    assert run(TELL).out == "1 True"


def test_a_limit_of_time_is_told(kernel, run):
    endless = "#![allow(long_running_const_eval)]\nuse pyo3::prelude::*;\nconst X: u64 = "
    endless += "{ let mut i = 0; while i < u64::MAX { i += 1; } i };\n" + value("X as i64")
    kernel("k", endless, prelude=False)
    for how in ("-t", "-S -t"):
        seen = run(TELL, wrap=limited(f"ulimit {how} 1")).out.splitlines()
        assert seen == [
            "ToolchainError",
            "k.rs cannot be compiled: a process may compute for 1 s (ulimit -t 1)",
            "hint: allow more before Python starts: ulimit -t unlimited",
        ]


def test_a_compiler_that_the_system_kills_is_told_as_out_of_memory(kernel, start, barrier):
    kernel("k", barrier.wait + value(1), block=barrier.block)
    process = start(TELL)
    barrier.reached()
    for pid in barrier.compilers():
        os.kill(pid, signal.SIGKILL)
    seen = process.communicate()[0].splitlines()
    assert seen[0] == "ToolchainError", seen
    assert "the compiler was killed, as the system does where memory runs out" in seen[1] and len(seen) == 3
    assert "CARGO_BUILD_JOBS=1" in seen[2]


def test_a_mask_that_hides_files_from_their_own_user_is_told_before_anything_is_made(
    kernel, run, empty_cache
):
    kernel("k", value(1))
    seen = run(TELL, wrap=limited("umask 777")).out.splitlines()
    assert seen == [
        "CacheError",
        "nothing can be built: with umask 777 not even you can use what is made",
        "hint: before Python starts: umask 022",
    ]
    assert not empty_cache.exists()


@pytest.fixture
def without_cc(tmp_path: Path) -> dict[str, str]:
    """An environment in whose PATH there are cargo and rustc, and no C compiler."""
    (tmp_path / "bin").mkdir()
    for name in ("cargo", "rustc", "sh", "env", "cp", "pwd"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "/bin/sh")
    return {"PATH": str(tmp_path / "bin")}


def test_a_linker_that_is_not_there_is_told_before_dependencies_are_compiled(
    kernel, run, empty_cache, without_cc
):
    kernel("k", value(1))
    seen = run(TELL, env=without_cc).out.splitlines()
    assert seen[:2] == ["ToolchainError", "linker `cc` not found on this machine, so k.rs cannot be linked"]
    assert not list(empty_cache.rglob("*.rlib")) and not list(empty_cache.rglob("build-script-build"))


def test_without_cc_a_linker_that_cargo_is_told_of_is_used(stub_kernel, run, without_cc, tmp_path):
    linker = tmp_path / "linker"
    linker.write_text(f'#!/bin/sh\nPATH={os.environ["PATH"]}\nexec cc "$@"\n')
    linker.chmod(0o755)
    stub_kernel(1)
    environment = {**without_cc, "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER": str(linker)}
    assert run(TELL, env=environment).out == "1 True"


def test_what_cargo_says_is_no_list_of_arguments(kernel, run, own_cache):
    deep = "+".join(["1"] * 60_000)
    kernel("k", f"const DEEP: i64 = {deep};\n" + value("DEEP"))
    seen = run(TELL).out
    assert seen.startswith("CompileError") and "rustc crashed while it compiled this kernel" in seen, seen
    assert "--crate-name" not in seen and "RUST_MIN_STACK" in seen.splitlines()[-1]


def test_a_kernel_with_very_many_warnings_is_built_once(kernel, run, own_cache):
    note = "it has been replaced by a better function in the other module"
    calls = "".join(f"pub fn f{at}() {{ old() }}\n" for at in range(5000))
    path = kernel("k", f'mod h;\n#[deprecated(note="{note}")]\nfn old() {{}}\n{calls}' + value(1))
    path.with_name("h.rs").write_text("pub fn h() {}\n")
    tell = "import rsimport, rsimport.import_hook, k\nseen = rsimport.info(k)\n"
    tell += "print(seen.built, len(seen.warnings), seen.warnings[-1].message)"
    said = "101 and 4901 more warnings"
    assert [run(tell).out for _ in range(2)] == [f"True {said}", f"False {said}"]
    for path in (own_cache / "v1").rglob("*.json"):
        assert path.stat().st_size < 512 * 1024, path


CHECKED = """
import sys, types
from importlib.machinery import PathFinder, SourceFileLoader
{first}
sys.modules["typeguard"] = types.ModuleType("typeguard")
class Checked(SourceFileLoader):
    def exec_module(self, module):
        changed.append(module.__name__)
        super().exec_module(module)
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        spec = PathFinder.find_spec(name, path)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader.__class__ = Checked
        return spec
changed = []
sys.meta_path.insert(0, Finder)
import rsimport.import_hook, k, importlib
importlib.reload(k)
import multiprocessing
try:
    import bad
except ImportError as error:
    assert "failed to initialise" in str(error)
print(k.value(), *sorted(name for name in changed if name.partition(".")[0] == "rsimport"))
"""


@pytest.mark.parametrize(
    "first", ["", "import rsimport.import_hook"], ids=["it is first", "the hook is first"]
)
def test_what_checks_the_types_of_all_modules_leaves_ours_alone(stub_kernel, run, first):
    stub_kernel(5)
    stub_kernel('panic!("no table")', name="bad")
    own = [] if first else ["rsimport"]
    assert run(CHECKED.format(first=first)).out.split() == ["5", *own, "rsimport._own_code"]
