"""The command line: what each command does, prints and returns."""

from __future__ import annotations

import errno
import importlib.machinery
import os
import re
import sys
from pathlib import Path

import click
import pytest
from helpers import ALONE, REPOSITORY, block, package, rlibs, snapshot, value, without_rust, write

from rsimport import _cli, _engine

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]


def test_the_script_is_installed(run, project):
    script = Path(sys.executable).with_name("rsimport")
    if not script.exists():
        pytest.skip("the package is on the path but not installed")
    seen = run([str(script), "--help"])
    assert all(word in seen.out for word in ("build", "watch", "new", "cache", "doctor", "warm"))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["build"],
        ["build", "--profil", "dev", "k.rs"],
        ["watch"],
        ["new"],
        ["cache"],
        ["cache", "burn"],
        ["doctor", "x"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2_and_says_how(cli, arguments):
    seen = cli(*arguments)
    assert seen.returncode == 2 and "usage" in seen.text.lower()


def test_the_version_is_printed(cli):
    assert cli("--version").out.endswith(_engine.__version__)


def test_build_compiles_what_an_import_then_finds(kernel, cli, look):
    kernel("k", value(1))
    kernel("j", value(2), marker=False)
    seen = cli("build", "k.rs", "j.rs")
    assert seen.returncode == 0 and "k.rs" in seen.text and "j.rs" in seen.text
    assert look()[:2] == (1, False)


def test_build_of_a_folder_takes_every_marked_kernel(kernel, crate, cli, look, project):
    kernel("k", value(1))
    kernel("deep", value(2), folder=project / "pkg")
    kernel("unmarked", value("missing()"), marker=False)
    crate("boxed", value(3))
    write(project, {".hidden/h.rs": "// rsimport\nmissing()\n", "target/t.rs": "// rsimport\nmissing()\n"})
    write(project, {"venv/pyvenv.cfg": "", "venv/v.rs": "// rsimport\nmissing()\n"})
    seen = cli("build", ".")
    assert seen.returncode == 0, seen.text
    assert look()[:2] == (1, False) and look("pkg.deep")[:2] == (2, False) and look("boxed")[:2] == (3, False)


def test_build_goes_on_after_a_broken_kernel_and_exits_with_1(kernel, cli, look):
    kernel("broken", value("missing()"))
    kernel("k", value(1))
    seen = cli("build", "broken.rs", "k.rs")
    assert seen.returncode == 1 and "E0425" in seen.stderr and "Traceback" not in seen.stderr
    assert look()[:2] == (1, False)


@pytest.mark.parametrize("path", ["missing.rs", "missing/", "text.txt"])
def test_build_of_what_is_no_kernel_exits_with_1_or_2(cli, project, path):
    write(project, {"text.txt": "text"})
    seen = cli("build", path)
    assert seen.returncode in (1, 2) and path.strip("/") in seen.stderr and "Traceback" not in seen.stderr


def test_build_with_a_profile(kernel, cli, look):
    kernel("k", value("cfg!(debug_assertions) as i64"))
    assert cli("build", "k.rs", "--profile", "dev").returncode == 0
    assert look(env={"RSIMPORT_PROFILE": "dev"})[:2] == (1, False)
    assert look()[:2] == (0, True)


def test_build_force_builds_again(barrier, kernel, cli):
    kernel("k", barrier.wait + value(1), block=barrier.block)
    barrier.go()
    for arguments, count in (
        (["k.rs"], 1),
        (["k.rs"], 1),
        (["k.rs", "--force"], 2),
        (["--force", "k.rs"], 3),
    ):
        assert cli("build", *arguments).returncode == 0
        assert len(barrier.compilers()) == count


def test_build_inplace_leaves_a_module_that_needs_no_hook(kernel, cli, run, project):
    path = kernel("k", value(4))
    before = snapshot(project)
    assert cli("build", "k.rs", "--inplace", "--tier", "fast").returncode == 0
    assert set(snapshot(project)) - set(before) == {"k" + SUFFIX}
    assert run("import sys, k; print(k.value(), 'rsimport' in sys.modules)").out == "4 False"
    path.write_text(path.read_text().replace("    4", "    5"))
    assert cli("build", "--inplace", "k.rs").returncode == 0
    assert run("import k; print(k.value())").out == "5"


@pytest.mark.parametrize("template", [None, *sorted(_engine.templates())])
def test_new_writes_a_kernel_that_imports_and_passes_its_own_test(cli, run, project, template):
    pytest.importorskip("numpy")
    arguments = ["new", "fresh", *(["--from", template] if template else [])]
    seen = cli(*arguments)
    assert seen.returncode == 0, seen.text
    (source,) = project.rglob("fresh.rs")
    assert "fresh.rs" in seen.text and "NAME" not in "".join(
        p.read_text() for p in project.rglob("*fresh*.*")
    )
    run("import rsimport.import_hook, fresh", cwd=source.parent)
    tests = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", str(source.parent)], env=ALONE)
    assert " passed" in tests.out


def test_there_are_templates_for_a_function_a_class_and_a_numpy_kernel():
    texts = ["".join(files.values()) for files in _engine.templates().values()]
    assert len(texts) >= 3
    assert any("#[pyclass" in text for text in texts) and any("numpy" in text for text in texts)


@pytest.mark.parametrize("origin", sorted(path.stem for path in (REPOSITORY / "kernels").glob("*.rs")))
def test_new_copies_a_shipped_kernel_out(cli, run, project, origin):
    pytest.importorskip("numpy")
    # Under its own name a copy is the same kernel, which the other tests build.
    name = "mine" if origin == "logistic" else origin
    seen = cli("new", name, "--from", origin)
    assert seen.returncode == 0, seen.text
    (source,) = project.rglob(f"{name}.rs")
    run(f"import test_{name} as tests\ntests.test_it_offers_what_its_origin_offers()", cwd=source.parent)


def test_a_copy_of_another_name_has_that_name_wherever_the_module_says_it(cli, project):
    named = re.compile(r"#\[pymodule\]\n(?:fn|mod) (\w+)|create_exception!\(\s*(\w+)")
    for source in sorted((REPOSITORY / "kernels").glob("*.rs")):
        assert cli("new", f"own_{source.stem}", "--from", source.stem).returncode == 0
        copy = (project / f"own_{source.stem}.rs").read_text()
        before = ["".join(found) for found in named.findall(source.read_text())]
        after = ["".join(found) for found in named.findall(copy)]
        assert set(before) <= {source.stem} and after == [f"own_{name}" for name in before]


def test_new_never_overwrites(cli, project):
    assert cli("new", "fresh").returncode == 0
    (source,) = project.rglob("fresh.rs")
    source.write_text("my own work")
    before = snapshot(project)
    seen = cli("new", "fresh")
    assert seen.returncode == 1 and "fresh" in seen.stderr and snapshot(project) == before


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("random", "a module of Python's own"),
        ("numpy", "a module already"),
        ("own", "own.py is there already"),
        ("class", "cannot be the name"),
    ],
)
def test_new_refuses_a_name_that_hides_a_module_and_proposes_one_that_does_not(cli, project, name, why):
    pytest.importorskip("numpy")
    write(project, {"own.py": ""})
    seen = cli("new", name)
    assert seen.returncode == 1 and why in seen.stderr and f"rsimport new my_{name}" in seen.stderr
    assert [path.name for path in project.iterdir()] == ["own.py"]


def test_new_takes_the_stem_of_a_file_and_writes_into_its_folder(cli, project):
    write(project, {"sub/note.txt": ""})
    assert cli("new", "fresh.rs").returncode == 0 and cli("new", "sub/other.rs").returncode == 0
    assert {"fresh.rs", "test_fresh.py", "sub/other.rs", "sub/test_other.py"} <= set(snapshot(project))


def test_settings_are_listed_and_a_commands_help_has_only_the_usual_ones(cli):
    seen = cli("settings", env={"RSIMPORT_PROFILE": "dev"})
    table = {line.split()[0]: line for line in seen.out.splitlines()[1:]}
    assert set(table) == {setting.name for setting in _engine.settings_table()}
    assert " dev " in table["profile"]
    text = cli("build", "--help").out
    assert "--profile" in text and "rsimport settings" in text and "--lock-timeout" not in text
    assert cli("build", "missing.rs", "--lock-timeout", "1").returncode == 2, "it is an option all the same"


def test_the_help_of_every_command_has_examples():
    def below(command, *words):
        yield words, command
        for name in getattr(command, "list_commands", lambda _: ())(context := click.Context(command)):
            yield from below(command.get_command(context, name), *words, name)

    every = dict(below(_cli.cli, "rsimport"))
    assert {("rsimport", "asm"), ("rsimport", "cache", "dir")} <= set(every)
    for words, command in every.items():
        _, found, examples = (command.epilog or "").partition("Examples:\n")
        assert found and " ".join(words[:2]) in examples, words


def test_commands_take_a_kernel_in_a_folder_that_is_no_text(cli, kernel, project):
    folder = project / os.fsdecode(b"caf\xe9")
    kernel("k", value(3) + "\n#[test]\nfn ours() {\n    panic!()\n}\n", folder=folder)
    for command in (["build"], ["cache", "why"], ["doctor"], ["fmt"], ["clippy"]):
        seen = cli(*command, folder / "k.rs")
        assert seen.returncode == 0 and "Traceback" not in seen.text, seen.text
    # The paths by which a folder's kernels are found lead to them.
    seen = cli("test", ".", cwd=folder)
    assert seen.returncode == 1 and "k.rs:" in seen.text and "1 failed" in seen.text, seen.text


def test_a_folder_that_is_no_crate_and_a_file_that_is_no_kernel_are_told(cli, project):
    write(project, {"nothing/note.txt": "", "note.txt": ""})
    for arguments in (["cache", "why", "nothing"], ["bench", "nothing::f"]):
        seen = cli(*arguments)
        assert (
            seen.returncode == 1
            and "nothing is no kernel: there is no Cargo.toml in the folder\nhint:" in seen.text
        )
    seen = cli("cache", "why", "note.txt")
    assert seen.returncode == 1 and "note.txt is no .rs file\nhint:" in seen.text
    seen = cli("doctor", os.devnull)
    assert f"{os.devnull} is no kernel: it is not a file" in seen.text


@pytest.mark.parametrize(
    "arguments", [["not-a-name"], ["3d"], ["a/b"], [""], ["fine", "--from", "no_such_template"]], ids=str
)
def test_new_refuses_a_name_that_cannot_be_imported_and_writes_nothing(cli, project, arguments):
    seen = cli("new", *arguments)
    assert seen.returncode in (1, 2) and "Traceback" not in seen.stderr and arguments[-1] in seen.stderr
    assert list(project.iterdir()) == []


def test_cache_list_and_clear(kernel, cli, look, run, own_cache, tmp_path):
    path = kernel("k", value(1))
    look()
    listed = cli("cache", "list")
    assert listed.returncode == 0 and str(path) in listed.out and "release" in listed.out
    cleared = cli("cache", "clear")
    assert cleared.returncode == 0 and cleared.out
    assert str(path) not in cli("cache", "list").out
    seen = run("import rsimport.import_hook, k", env=without_rust(tmp_path / "bare"), check=False)
    assert "ToolchainError" in seen.stderr


def test_cache_clear_touches_nothing_that_is_not_the_caches(kernel, cli, look, own_cache):
    kernel("k", value(1))
    look()
    (own_cache / "note.txt").write_text("mine")
    assert cli("cache", "clear").returncode == 0
    assert (own_cache / "note.txt").read_text() == "mine"


def test_cache_clear_refuses_a_folder_that_is_no_cache(cli, project, tmp_path):
    folder = tmp_path / "thesis"
    write(folder, {"chapter.txt": "text", "v1/chapter.txt": "text"})
    cli("cache", "clear", env={"RSIMPORT_CACHE_DIR": str(folder)})
    assert (folder / "chapter.txt").exists() and (folder / "v1/chapter.txt").exists()


@pytest.mark.parametrize("action", ["list", "clear"])
def test_the_cache_commands_on_no_cache_at_all(cli, empty_cache, action):
    seen = cli("cache", action)
    assert seen.returncode == 0 and "Traceback" not in seen.stderr


def test_doctor_finds_everything(cli):
    seen = cli("doctor")
    said = seen.out.lower()
    assert seen.returncode == 0, seen.text
    assert all(word in said for word in ("cargo", "rustc", "linker", "cache", "hook"))


def test_a_misspelled_variable_is_told_once_by_each_command_and_import(cli, kernel, run):
    kernel("k", value(1))
    meant = "did you mean RSIMPORT_PROFILE?"
    env = {"RSIMPORT_PROFIL": "dev", "RSIMPORT_LIKE_NOTHING": "1"}
    for command, code in [(["build", "k.rs"], 0), (["settings"], 0), (["doctor"], 1)]:
        seen = cli(*command, env=env)
        assert (seen.returncode, seen.stderr.count(meant)) == (code, 1), seen.text
        assert ("RSIMPORT_LIKE_NOTHING sets nothing" in seen.out) == (command == ["doctor"])
    program = "import rsimport.import_hook, k, rsimport; rsimport.imp('k'); print(k.value())"
    seen = run(program, env=env)
    assert seen.out == "1" and seen.stderr.count(meant) == 1 and "LIKE_NOTHING" not in seen.stderr
    assert "RSIMPORT_" not in run(program, env={"RSIMPORT_PROFIL": ""}).stderr


@pytest.mark.parametrize(
    ("text", "variable", "why"),
    [
        ("[tool.rsimport]\nprofil = 'dev'", None, "pyproject.toml:2: rsimport has no setting `profil`"),
        ("[tool.rsimport\n", None, "pyproject.toml:1: this is not TOML"),
        ("", "quick", "RSIMPORT_TIER: `tier` has to be"),
    ],
)
def test_doctor_looks_at_everything_else_where_a_setting_is_broken(cli, project, text, variable, why):
    write(project, {"pyproject.toml": text})
    seen = cli("doctor", env={"RSIMPORT_TIER": variable} if variable else {})
    (row,) = [line for line in seen.out.splitlines() if line.startswith("FAILED")]
    assert seen.returncode == 1 and why in row and "rustc" in seen.out and "Traceback" not in seen.text


def test_what_no_import_finds_is_told_by_build_watch_and_doctor(cli, kernel):
    kernel("k", value(1))
    kernel("unmarked", value(2), marker=False)
    seen = cli("build", "k.rs", "unmarked.rs")
    assert seen.returncode == 0 and seen.stderr.count("note: ") == 1
    assert (
        "unmarked.rs is no kernel" in seen.stderr and "hint: make `// rsimport` the first line" in seen.stderr
    )
    good, bad = cli("doctor", "k.rs"), cli("doctor", "unmarked.rs", ".")
    assert good.returncode == 0 and "`import k` finds it" in good.out and "rsimport.install()" in good.out
    assert bad.returncode == 1 and "unmarked.rs is no kernel" in bad.stderr
    assert ". is a folder without a marked src/lib.rs" in bad.stderr


def test_files_that_belong_to_a_crate_stand_for_it_and_others_are_no_kernels(cli, crate, project):
    crate("c", value(1), marker=False)
    write(project, {"own.py": "x = 1\n", "text.rs.txt": "// rsimport\n"})
    for named in ("c", "c/Cargo.toml", "c/src/lib.rs"):
        seen = cli("build", named)
        assert seen.returncode == 0 and "c.cpython" in seen.out, seen.text
    assert "c/src/lib.rs is no kernel" in cli("doctor", "c").stderr
    for verb in ("build", "doctor"):
        seen = cli(verb, "own.py")
        assert seen.returncode == 1 and "no .rs file" in seen.stderr and "first line" not in seen.stderr
    assert "rename it to text.rs" in cli("doctor", "text.rs.txt").stderr


def test_doctor_without_rust_exits_with_1_and_says_what_to_do(cli, tmp_path):
    seen = cli("doctor", env=without_rust(tmp_path / "bare"))
    assert seen.returncode == 1 and "rustup" in seen.text and "Traceback" not in seen.text


def test_doctor_on_a_cache_that_cannot_be_written_says_what_to_do(cli, tmp_path):
    (tmp_path / "file").write_text("text")
    seen = cli("doctor", env={"RSIMPORT_CACHE_DIR": str(tmp_path / "file")})
    assert seen.returncode == 1 and "RSIMPORT_CACHE_DIR" in seen.text


def test_warm_compiles_the_dependencies_ahead(cli, kernel, look, own_cache):
    assert not rlibs(own_cache, "itoa")
    assert cli("warm", "--deps", "itoa=1", "ryu=1").returncode == 0
    before = rlibs(own_cache, "itoa") | rlibs(own_cache, "pyo3")
    assert rlibs(own_cache, "itoa")
    dependencies = "//! ```cargo\n//! [dependencies]\n//! itoa = '1'\n//! ryu = '1'\n//! ```\n"
    kernel("k", value("itoa::Buffer::new().format(12u8).len() as i64"), block=dependencies)
    assert look()[:2] == (2, True)
    assert rlibs(own_cache, "itoa") | rlibs(own_cache, "pyo3") == before


def test_a_crate_that_asks_pyo3s_build_scripts_as_numpy_does_gets_the_same_pyo3(
    kernel, look, own_cache, project
):
    asked = '[build-dependencies]\npyo3-build-config = { version = "0.30", features = ["resolve-config"] }\n'
    files = {"Cargo.toml": package("array") + asked, "src/lib.rs": "", "build.rs": "fn main() {}\n"}
    write(project / "array", files)
    before = rlibs(own_cache, "pyo3")
    kernel("k", value(1), block=block("[dependencies]", 'array = { path = "array" }'))
    assert look()[:2] == (1, True)
    assert before and rlibs(own_cache, "pyo3") == before


@pytest.mark.parametrize("spec", ["no-such-crate-anywhere-7f3=1", "itoa=99", "="])
def test_warm_with_a_bad_spec_exits_with_1_or_2_and_names_it(cli, spec):
    seen = cli("warm", "--deps", spec)
    assert seen.returncode in (1, 2) and spec.split("=")[0] in seen.stderr and "Traceback" not in seen.stderr
    assert "warm.rs" not in seen.stderr


def test_warm_without_rust_speaks_of_no_kernel(cli, tmp_path):
    seen = cli("warm", env={**without_rust(tmp_path / "bare"), "RSIMPORT_CACHE_DIR": str(tmp_path / "cache")})
    assert seen.returncode == 1 and "error: cargo was not found\nhint:" in seen.stderr


@pytest.mark.parametrize("failing", ["shutil.copyfile", "os.replace"])
def test_what_finds_no_space_is_named_and_leaves_nothing_half_written(tmp_path, monkeypatch, capsys, failing):
    from rsimport._cli_output import complain
    from rsimport._writing import place

    def full(source: object, target: object) -> None:
        Path(str(target)).touch() if failing == "shutil.copyfile" else None
        raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(target))

    monkeypatch.setattr(failing, full)
    source, out = tmp_path / "source", tmp_path / "out"
    source.write_text("text")
    with pytest.raises(OSError) as found:
        place(source, out / "file")
    complain(found.value)
    assert capsys.readouterr().err == f"error: {out}/file cannot be written: No space left on device\n"
    assert list(out.iterdir()) == []


def test_a_command_that_a_program_calls_leaves_its_signals_as_they_were(run):
    program = """
        import signal
        from rsimport._cli import main
        main(["settings"])
        ends = (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))
        print({signal.getsignal(number) for number in ends} == {signal.SIG_DFL})
    """
    assert run(program).out.splitlines()[-1] == "True"
