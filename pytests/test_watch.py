"""`rsimport watch`: whatever way a file is saved, the next look-up is a hit."""

from __future__ import annotations

import os
import pty
import queue
import select
import shutil
import signal
import subprocess
import threading

import pytest
from helpers import LIMIT, block, gone, package, strace, value, write

from rsimport import _engine
from rsimport._loader import ABI

READY = "Ctrl-C ends it"


class Watching:
    """A running `rsimport watch` and what it has printed."""

    def __init__(self, process):
        self.process = process
        self.seen = []
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, *needles):
        """Waits for a line with all of these in it, and returns it."""
        while True:
            line = self._lines.get(timeout=LIMIT)
            assert line is not None, f"it ended: {self.seen}"
            self.seen.append(line)
            if all(needle in line for needle in needles):
                return line

    def stop(self):
        """Ends it as a user does; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=LIMIT)

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line.rstrip())
        self._lines.put(None)


@pytest.fixture
def watch(start):
    """Starts the command and waits until everything was built once; its errors are among its lines."""

    def start_watching(*arguments, ready=True, **options):
        options = {"stderr": subprocess.STDOUT, **options}
        watching = Watching(start(["-u", "-m", "rsimport", "watch", *map(str, arguments)], **options))
        if ready:
            watching.until(READY)
        return watching

    return start_watching


def is_hit(path):
    return _engine.lookup(str(path), path.stem, ABI, {}) is not None


def in_place(path, text):
    path.write_text(text)


def by_rename(path, text):
    path.with_name(f"{path.name}.tmp").write_text(text)
    path.with_name(f"{path.name}.tmp").rename(path)


def as_vim_does(path, text):
    path.with_name(".k.rs.swp").write_text("swap")
    backup = path.rename(path.with_name("k.rs~"))
    path.write_text(text)
    backup.unlink()


def removed_first(path, text):
    path.unlink()
    path.write_text(text)


@pytest.mark.parametrize("target", ["k.rs", "."])
@pytest.mark.parametrize("save", [in_place, by_rename, as_vim_does, removed_first])
def test_a_saved_kernel_is_built_and_the_next_look_up_is_a_hit(kernel, watch, save, target):
    path = kernel("k", value(1))
    watching = watch(target)
    assert is_hit(path) and any("k.rs: built" in line and "first build" in line for line in watching.seen)
    for number in (2, 3):
        save(path, path.read_text().replace(f"    {number - 1}\n", f"    {number}\n"))
        watching.until("k.rs: built in", "k.rs changed")
        assert is_hit(path)
    assert watching.stop() == 0


def test_an_edit_is_never_called_a_first_build(kernel, watch, run, project):
    broken = kernel("broken", value("missing()"))
    copy = kernel("copy", value(1))
    # Elsewhere the same text was built already, of which nothing is known in this folder.
    elsewhere = project.parent / "elsewhere"
    elsewhere.mkdir()
    twin = elsewhere / "copy.rs"
    twin.write_text(copy.read_text())
    run(f"import rsimport; rsimport.build_filepath({str(twin)!r})")
    watching = watch(".")
    assert any("copy.rs: cached" in line for line in watching.seen)
    broken.write_text(broken.read_text().replace("missing()", "1"))
    watching.until("broken.rs: built", "it compiles again")
    copy.write_text(copy.read_text().replace("    1\n", "    2\n"))
    watching.until("copy.rs: built", "copy.rs changed")


def test_a_burst_of_saves_is_built_with_its_last_text(kernel, watch):
    path = kernel("k", value(0))
    watching = watch(".")
    text = path.read_text()
    for number in range(1, 101):
        path.write_text(text.replace("    0\n", f"    {number}\n"))
    while not is_hit(path):
        watching.until("k.rs: built")
    # Far fewer builds than saves, on a machine however busy.
    assert sum("k.rs: built" in line for line in watching.seen) < 10


def test_what_is_in_the_cache_is_not_built(kernel, watch, cli):
    path = kernel("k", value(1))
    cli("build", path)
    watching = watch(".")
    assert watching.seen[0] == "k.rs: cached" and len(watching.seen) == 2
    first = path.read_text()
    path.write_text(first.replace("    1\n", "    2\n"))
    watching.until("k.rs: built")
    path.write_text(first)
    watching.until("k.rs: cached")


def test_new_kernels_and_new_folders_are_seen(kernel, watch, project):
    watching = watch(".")
    assert "0 kernels" in watching.seen[-1]
    first = kernel("k", value(1))
    watching.until("k.rs: built", "first build")
    deep = kernel("j", value(2), folder=project / "some/where")
    watching.until(os.path.join("some", "where", "j.rs"), "first build")
    deep.write_text(deep.read_text().replace("    2\n", "    3\n"))
    watching.until("j.rs: built", "j.rs changed")
    shutil.copytree(project / "some", project / ".hidden")
    kernel("unmarked", value("missing()"), marker=False)
    shutil.move(project / "some", project / "elsewhere")
    watching.until("where", "deleted")
    assert is_hit(first) and is_hit(project / "elsewhere/where/j.rs")
    assert not any("hidden" in line or "unmarked" in line for line in watching.seen)


def test_a_file_that_is_named_needs_no_marker(kernel, watch):
    path = kernel("k", value(1), marker=False)
    watch("k.rs")
    assert is_hit(path)


@pytest.mark.parametrize("edited", ["part.rs", "data.txt", "helper/src/lib.rs"])
def test_what_a_kernel_is_made_of_is_watched_too(kernel, watch, project, edited):
    """The kernel's file alone is named, so that nothing else is watched for its folder's sake."""
    write(project, {"part.rs": "pub fn number() -> i64 {\n    1\n}\n", "data.txt": "1\n"})
    library = "pub fn number() -> i64 {\n    1\n}\n"
    write(project, {"helper/Cargo.toml": package("helper"), "helper/src/lib.rs": library})
    body = value('part::number() + helper::number() + include_str!("data.txt").len() as i64')
    path = kernel("k", "mod part;\n" + body, block=block("[dependencies]", 'helper = { path = "helper" }'))
    watching = watch("k.rs")
    by_rename(project / edited, (project / edited).read_text().replace("1", "2"))
    watching.until("k.rs: built", f"{edited} changed")
    assert is_hit(path)


@pytest.mark.parametrize("target", ["boxed", "."])
def test_a_crate_is_built_when_any_of_its_files_is_saved(crate, watch, project, target):
    write(project, {"boxed/src/part/mod.rs": "pub fn number() -> i64 {\n    1\n}\n"})
    root = crate("boxed", "mod part;\n" + value("part::number()"))
    watching = watch(target)
    assert _engine.lookup(str(root), "boxed", ABI, {})
    by_rename(root / "src/part/mod.rs", "pub fn number() -> i64 {\n    2\n}\n")
    watching.until("boxed: built", "mod.rs changed")
    with (root / "Cargo.toml").open("a") as manifest:
        manifest.write("\n[features]\nloud = []\n")
    watching.until("boxed: built", "Cargo.toml changed")
    assert _engine.lookup(str(root), "boxed", ABI, {})


def test_an_error_is_printed_and_watching_goes_on(kernel, watch):
    path = kernel("k", value("missing()"))
    kernel("j", value(1))
    watching = watch(".")
    assert any("k.rs: failed" in line for line in watching.seen)
    assert any("E0425" in line for line in watching.seen) and "\x1b" not in "".join(watching.seen)
    assert any("j.rs: built" in line for line in watching.seen)
    path.write_text(path.read_text().replace("missing()", '"text"'))
    watching.until("k.rs: failed")
    watching.until("E0308")
    path.write_text(path.read_text().replace('"text"', "2"))
    watching.until("k.rs: built")
    assert is_hit(path)


def test_another_file_does_not_bring_an_error_back(kernel, watch, project):
    kernel("broken", value("missing()"))
    watching = watch(".")
    write(project, {"results.csv": "1", "script.py": "import broken"})
    for number in (1, 2):
        kernel("k", value(number))
        watching.until("k.rs: built")
    assert sum("broken.rs: failed" in line for line in watching.seen) == 1


@pytest.mark.parametrize(
    ("body", "missing"),
    [(value('include_str!("data.txt").len() as i64'), "data.txt"), ("mod part;\n" + value(1), "part.rs")],
)
def test_a_file_that_was_missing_mends_the_kernel(kernel, watch, project, body, missing):
    path = kernel("k", body)
    watching = watch("k.rs")
    assert any("k.rs: failed" in line for line in watching.seen)
    write(project, {missing: "\n"})
    watching.until("k.rs: built")
    assert is_hit(path)


def test_a_kernel_behind_a_link_is_watched_where_it_is(kernel, watch, project):
    path = kernel("k", value("missing()"), folder=project / "elsewhere")
    (project / "k.rs").symlink_to(path)
    watching = watch("k.rs")
    by_rename(path, path.read_text().replace("missing()", "1"))
    watching.until("k.rs: built")
    assert is_hit(project / "k.rs")


def test_the_project_file_is_watched_too(kernel, watch, project):
    path = kernel("k", value(1), folder=project / "deep/er")
    write(project, {"pyproject.toml": "[tool.rsimport]\nprofile = 'dev'\n"})
    watching = watch("deep")
    write(project, {"pyproject.toml": "[tool.rsimport]\nprofile = 3\n"})
    watching.until("k.rs: failed")
    watching.until("pyproject.toml:2")
    write(project, {"pyproject.toml": "[tool.rsimport]\nprofile = 'release'\n"})
    watching.until("k.rs: built", "profile changed from dev to release")
    assert is_hit(path)


def test_a_broken_crate_fails_once_although_cargo_writes_its_lock_file(crate, watch, kernel, project):
    crate("boxed", value("missing()"))
    watching = watch(".")
    assert (project / "boxed/Cargo.lock").exists()
    kernel("k", value(1))
    watching.until("k.rs: built")
    # Progress, which a long build shows, has a word of its own in front.
    assert sum(line.startswith("boxed: failed") for line in watching.seen) == 1


def test_an_edit_during_a_build_is_built_too(barrier, kernel, watch):
    path = kernel("k", barrier.wait + value(1), block=barrier.block)
    watching = watch("k.rs", ready=False)
    barrier.reached()
    by_rename(path, path.read_text().replace("    1\n", "    2\n"))
    barrier.go()
    watching.until(READY)
    while not is_hit(path):
        watching.until("k.rs: built")
    assert len(barrier.compilers()) >= 2


@pytest.mark.parametrize("whole_group", [False, True], ids=["python alone", "the whole group"])
def test_ctrl_c_stops_the_build_that_is_under_way(barrier, kernel, watch, whole_group):
    kernel("k", barrier.wait + value(1), block=barrier.block)
    watching = watch(".", ready=False)
    barrier.reached()
    (os.killpg if whole_group else os.kill)(watching.process.pid, signal.SIGINT)
    assert watching.process.wait(timeout=LIMIT) == 0 and gone(barrier.compilers())
    with pytest.raises(AssertionError):
        watching.until("no such line")
    assert not any("Traceback" in line for line in watching.seen)


def test_a_deleted_kernel_is_no_error_and_may_come_back(kernel, watch):
    path = kernel("k", value(1))
    watching = watch("k.rs")
    path.unlink()
    watching.until("k.rs: deleted")
    kernel("k", value(2))
    watching.until("k.rs: built")
    assert is_hit(path) and not any("error" in line for line in watching.seen)


def test_a_folder_that_is_exchanged_is_watched_on(kernel, watch, project):
    path = kernel("k", value(1), folder=project / "kernels")
    watching = watch("kernels")
    shutil.rmtree(project / "kernels")
    watching.until("k.rs: deleted")
    for number in (2, 3):
        kernel("k", value(number), folder=project / "kernels")
        watching.until("k.rs: built")
    assert is_hit(path)


@pytest.mark.parametrize("path", ["missing.rs", "missing/"])
def test_a_path_that_does_not_exist_is_wrong_usage(cli, path):
    seen = cli("watch", path)
    assert seen.returncode == 2 and f"'{path}' does not exist" in seen.stderr
    assert "Traceback" not in seen.stderr


def test_a_wrong_setting_is_said_once_and_ends_it(cli, kernel):
    kernel("k", value(1))
    seen = cli("watch", ".", env={"RSIMPORT_OFFLINE": "perhaps"})
    assert seen.returncode == 1 and seen.stderr.count("RSIMPORT_OFFLINE") == 1


def test_a_system_that_watches_no_more_folders_says_what_to_do(cli, kernel, tmp_path):
    kernel("k", value(1))
    inject = "inject=inotify_add_watch:error=ENOSPC"
    seen = cli("watch", ".", wrap=strace("-f", "-o", str(tmp_path / "calls"), "-e", inject))
    assert seen.returncode == 1 and "max_user_watches" in seen.stderr.splitlines()[-1]
    assert "cannot be watched: " in seen.stderr.splitlines()[0] and "Traceback" not in seen.stderr


def test_force_builds_everything_once(barrier, kernel, watch):
    kernel("k", barrier.wait + value(1), block=barrier.block)
    barrier.go()
    watch(".").stop()
    watching = watch(".", "--force")
    assert any("k.rs: built" in line and "forced" in line for line in watching.seen)
    kernel("j", value(1))
    watching.until("j.rs: built")
    assert len(barrier.compilers()) == 2


def test_nothing_is_executed(kernel, watch, project):
    head = "#[pymodule]\nfn k(_m: &Bound<'_, PyModule>) -> PyResult<()> {\n"
    path = kernel("k", head + '    std::fs::write("ran", "").unwrap();\n    Ok(())\n}\n')
    watch(".")
    assert is_hit(path) and not (project / "ran").exists()


def test_errors_are_coloured_on_a_terminal(kernel, watch):
    kernel("k", value("missing()"))
    ours, theirs = pty.openpty()
    watch(".", stderr=theirs, env={"TERM": "xterm-256color", "NO_COLOR": None, "RSIMPORT_PROGRESS": "0"})
    os.close(theirs)
    text = b""
    # The watcher goes on, so there is no end to read to; what it has reported is there.
    while b"\x1b[" not in text and select.select([ours], [], [], 30)[0]:
        text += os.read(ours, 100_000)
    assert b"\x1b[" in text
    os.close(ours)
