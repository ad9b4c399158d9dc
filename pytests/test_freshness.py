"""What triggers a rebuild and what does not: content decides, and everything that rustc reads counts."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from helpers import block, other_pythons, package, rlibs, value, write

HELPER = {
    "helper/Cargo.toml": package("helper"),
    "helper/src/lib.rs": "mod deep;\npub fn number() -> i64 {\n    deep::number()\n}\n",
    "helper/src/deep.rs": "pub fn number() -> i64 {\n    1\n}\n",
}
NUMBER = "pub fn number() -> i64 {\n    1\n}\n"
PATH_DEPENDENCY = block("[dependencies]", 'helper = { path = "helper" }')

READS = {
    "its own text": ("", value(1), {}, "k.rs"),
    "a mod file": ("", "mod part;\n" + value("part::number()"), {"part.rs": NUMBER}, "part.rs"),
    "a mod folder": ("", "mod part;\n" + value("part::number()"), {"part/mod.rs": NUMBER}, "part/mod.rs"),
    "a mod file in a mod file": (
        "",
        "mod part;\n" + value("part::deep::number()"),
        {"part.rs": "pub mod deep;\n", "part/deep.rs": NUMBER},
        "part/deep.rs",
    ),
    "a mod file at another path": (
        "",
        '#[path = "elsewhere/any.rs"]\nmod part;\n' + value("part::number()"),
        {"elsewhere/any.rs": NUMBER},
        "elsewhere/any.rs",
    ),
    "include_str!": (
        "",
        value('include_str!("data.txt").trim().parse().unwrap()'),
        {"data.txt": "1\n"},
        "data.txt",
    ),
    "include_bytes!": (
        "",
        value('include_bytes!("sub/data")[0] as i64 - 48'),
        {"sub/data": "1\n"},
        "sub/data",
    ),
    "include!": ("", value('include!("number.in")'), {"number.in": "1\n"}, "number.in"),
    "a path dependency": (
        PATH_DEPENDENCY,
        value("helper::number()"),
        {**HELPER, "helper/src/lib.rs": NUMBER},
        "helper/src/lib.rs",
    ),
    "a mod file of a path dependency": (
        PATH_DEPENDENCY,
        value("helper::number()"),
        HELPER,
        "helper/src/deep.rs",
    ),
}


@pytest.mark.parametrize("subject", READS)
def test_an_edit_is_seen_and_the_way_back_is_a_hit(kernel, look, project, subject):
    manifest, body, files, edited = READS[subject]
    write(project, files)
    kernel("k", body, block=manifest)
    assert look()[:2] == (1, True)
    assert look()[:2] == (1, False)
    path = project / edited
    first = path.read_text()
    path.write_text(first.replace("1", "2"))
    number, built, reason = look()
    assert (number, built) == (2, True) and path.name in reason
    assert look()[:2] == (2, False)
    path.write_text(first)
    assert look()[:2] == (1, False)


@pytest.mark.parametrize("subject", ["a mod file", "include_str!", "a mod file of a path dependency"])
def test_the_inputs_are_listed(kernel, run, project, subject):
    manifest, body, files, edited = READS[subject]
    write(project, files)
    kernel("k", body, block=manifest)
    said = run("import rsimport, rsimport.import_hook, k; print(*rsimport.info(k).inputs, sep='\\n')").out
    assert str(project / edited) in said.splitlines()


@pytest.mark.parametrize("subject", ["a mod file", "include_str!"])
def test_a_file_that_is_gone_is_an_error_and_not_an_old_artifact(kernel, run, look, project, subject):
    manifest, body, files, edited = READS[subject]
    write(project, files)
    kernel("k", body, block=manifest)
    assert look()[:2] == (1, True)
    (project / edited).unlink()
    failed = run("import rsimport.import_hook, k", check=False)
    assert failed.returncode == 1 and "CompileError" in failed.stderr


@pytest.mark.parametrize("macro", ['env!("RSIMPORT_SAYS")', 'option_env!("RSIMPORT_SAYS").unwrap_or("0")'])
def test_an_environment_variable_that_the_kernel_reads(kernel, look, macro):
    macro = macro.replace("RSIMPORT_SAYS", "KERNEL_SAYS")
    kernel("k", value(f"{macro}.parse().unwrap()"))
    assert look(env={"KERNEL_SAYS": "1"})[:2] == (1, True)
    number, built, reason = look(env={"KERNEL_SAYS": "2"})
    assert (number, built) == (2, True) and "KERNEL_SAYS" in reason
    assert look(env={"KERNEL_SAYS": "1", "UNRELATED": "x"})[:2] == (1, False)
    if macro.startswith("option"):
        assert look(env={"KERNEL_SAYS": None})[:2] == (0, True)


def test_a_source_older_than_the_artifact_but_different_is_rebuilt(kernel, look):
    path = kernel("k", value(1))
    assert look()[:2] == (1, True)
    path.write_text(path.read_text().replace("1", "2"))
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert look()[:2] == (2, True)


def test_a_module_found_before_an_edit_is_the_edited_one_when_it_is_loaded(kernel, run):
    """Finding reads the text already; what is loaded is the text on disk at the time of loading."""
    path = kernel("k", value(1))
    time.sleep(0.1)
    code = """
import importlib.util, sys, rsimport.import_hook
import k
spec = importlib.util.find_spec("m")
text = open("m.rs").read()
open("m.rs", "w").write(text.replace("1", "2"))
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(k.value(), module.value())
"""
    path.with_name("m.rs").write_text(path.read_text())
    assert run(code).out == "1 2"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("pyproject.toml", '[tool.rsimport]\nprofile = "dev"\n', "dev True"),
        (".cargo/config.toml", '[build]\nrustflags = ["--cfg=other"]\n', "release True"),
    ],
)
def test_a_configuration_that_appears_between_two_imports_holds_for_the_second(
    stub_kernel, run, project, name, text, expected
):
    path = stub_kernel(1)
    path.with_name("m.rs").write_text(path.read_text().replace("fn k()", "fn m()"))
    code = f"""
import os, time, rsimport, rsimport.import_hook
rsimport.build_filepath("m.rs")
time.sleep(0.1)
import k
os.makedirs(os.path.dirname({name!r}) or ".", exist_ok=True)
open({name!r}, "w").write({text!r})
import m
print(rsimport.info(m).profile, rsimport.info(m).built)
"""
    assert run(code).out == expected


@pytest.mark.parametrize("edited", ["k.rs", "part.rs"])
def test_the_same_time_and_the_same_size_but_another_text_is_rebuilt(kernel, look, project, edited):
    write(project, {"part.rs": NUMBER})
    kernel("k", "mod part;\n" + value("part::number() * 1"))
    path = project / edited
    status = path.stat()
    assert look()[:2] == (1, True)
    path.write_text(path.read_text().replace("1", "2"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_mtime_ns == status.st_mtime_ns and path.stat().st_size == status.st_size
    assert look()[:2] == (2, True)


@pytest.mark.parametrize(
    "what", ["a newer time", "an older time", "a neighbour", "another mode", "another folder"]
)
def test_what_changes_no_content_is_a_hit(kernel, look, project, what):
    write(project, {"part.rs": NUMBER})
    path = kernel("k", "mod part;\n" + value("part::number()"))
    assert look()[:2] == (1, True)
    if what == "a neighbour":
        write(project, {"other.rs": "// rsimport\n", "part.txt": "", "Cargo.lock": ""})
    elif what == "another mode":
        path.chmod(0o600)
    elif what == "another folder":
        project = project.rename(project.with_name("moved"))
    else:
        moment = 2_000_000_000 if what == "a newer time" else 1_000_000_000
        os.utime(path, (moment, moment))
        os.utime(project / "part.rs", (moment, moment))
    assert look(cwd=project)[:2] == (1, False)


@pytest.mark.parametrize("subject", ["its own text", "a mod file", "include_str!", "a path dependency"])
def test_a_copy_of_the_folder_is_a_hit(kernel, look, project, tmp_path, subject):
    manifest, body, files, edited = READS[subject]
    write(project, files)
    kernel("k", body, block=manifest)
    assert look()[:2] == (1, True)
    copy = Path(shutil.copytree(project, tmp_path / "copy"))
    assert look(cwd=copy)[:2] == (1, False)
    (copy / edited).write_text((copy / edited).read_text().replace("1", "2"))
    assert look(cwd=copy)[:2] == (2, True)
    assert look()[:2] == (1, False)


def test_the_copy_is_its_own_source(kernel, run, look, project, tmp_path):
    kernel("k", value(1))
    look()
    copy = Path(shutil.copytree(project, tmp_path / "copy"))
    program = "import rsimport, rsimport.import_hook, k; print(rsimport.info(k).source)"
    assert run(program, cwd=copy).out == str(copy / "k.rs")


def test_a_profile_switch_keeps_both(stub_kernel, look):
    stub_kernel("cfg!(debug_assertions) as i64")
    assert look()[:2] == (0, True)
    number, built, reason = look(env={"RSIMPORT_PROFILE": "dev"})
    assert (number, built) == (1, True) and "profile" in reason
    assert look()[:2] == (0, False)
    assert look(env={"RSIMPORT_PROFILE": "dev"})[:2] == (1, False)


def test_a_custom_profile(stub_kernel, look):
    lines = ("[profile.checked]", 'inherits = "release"', "debug-assertions = true")
    stub_kernel("cfg!(debug_assertions) as i64", *lines)
    assert look()[:2] == (0, True)
    assert look(env={"RSIMPORT_PROFILE": "checked"})[:2] == (1, True)
    assert look()[:2] == (0, False)


def test_the_flags_and_the_target_cpu_are_part_of_the_key(stub_kernel, look):
    stub_kernel('cfg!(fancy) as i64 + 2 * cfg!(target_feature = "avx") as i64')
    native = look()[0]
    assert look(env={"RSIMPORT_RUSTFLAGS": "--cfg=fancy"})[:2] == (native + 1, True)
    # What was switched back is no reason any more.
    assert look(env={"RSIMPORT_TARGET_CPU": "x86-64"}) == (0, True, "CPU changed")
    assert look(env={"RUSTFLAGS": "--cfg=fancy"})[0] == native + 1
    assert look()[:2] == (native, False)
    if " avx " in Path("/proc/cpuinfo").read_text():
        assert native == 2


def test_force_rebuild_builds_again_and_says_so(kernel, look):
    kernel("k", value(1))
    look()
    number, built, reason = look(env={"RSIMPORT_FORCE_REBUILD": "1"})
    assert (number, built) == (1, True) and "forced" in reason
    assert look()[:2] == (1, False)


def test_the_first_build_is_called_the_first(kernel, look):
    kernel("k", value(1))
    assert look() == (1, True, "first build")
    assert look() == (1, False, "first build")


@pytest.mark.parametrize(("edited", "moved"), [("k.rs", False), ("part.rs", False), ("part.rs", True)])
def test_edited_while_compiling_the_loaded_module_is_the_text_on_disk(
    barrier, kernel, start, look, project, edited, moved
):
    write(project, {"part.rs": NUMBER})
    text = ("mod part;\n" + barrier.wait) if moved else (barrier.wait + "mod part;\n")
    kernel("k", text + value("part::number() * 1"), block=barrier.block)
    process = start("import rsimport.import_hook, k; print(k.value())")
    barrier.reached()
    path = project / edited
    edit = project / "edit" if moved else path
    edit.write_text(path.read_text().replace(" 1\n", " 2\n"))
    if moved:
        # It keeps its date, which is from before the build.
        os.utime(edit, (10**9, 10**9))
        edit.replace(path)
    barrier.go()
    stdout, stderr = process.communicate(timeout=300)
    assert stdout.strip() == "2", stderr
    assert look()[:2] == (2, False)


def test_a_second_kernel_compiles_no_dependency_again(kernel, look, own_cache):
    kernel("k", value(1))
    look()
    before = rlibs(own_cache, "pyo3")
    kernel("k", value(2))
    kernel("j", value(3))
    assert look()[:2] == (2, True) and look("j")[:2] == (3, True)
    assert before and rlibs(own_cache, "pyo3") == before


@pytest.mark.parametrize(
    "name", ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION", "CARGO_CRATE_NAME"]
)
def test_a_variable_of_cargo_does_not_make_every_import_a_build(kernel, look, name):
    kernel("k", value(f'env!("{name}").len() as i64'))
    first = look()
    assert first[1] is True
    assert look() == (first[0], False, first[2])


def test_the_artifact_of_an_earlier_text_is_left_alone(kernel, run):
    path = kernel("k", value(1))
    program = "import rsimport.import_hook, k; print(k.__file__)"
    first = Path(run(program).out)
    content = first.read_bytes()
    path.write_text(path.read_text().replace("1", "2"))
    second = Path(run(program).out)
    assert second != first and first.read_bytes() == content


@pytest.mark.parametrize(
    "python", other_pythons() or [None], ids=lambda path: Path(path or "none").parent.parent.name
)
def test_another_python_on_the_same_cache_has_its_own_artifact(stub_kernel, look, tmp_path, python):
    if python is None:
        pytest.skip("no second interpreter on this machine")
    import rsimport

    (tmp_path / "site").mkdir()
    (tmp_path / "site/rsimport").symlink_to(Path(rsimport.__file__).parent)
    other = {"python": python, "env": {"PYTHONPATH": str(tmp_path / "site")}}
    stub_kernel(1)
    assert look()[:2] == (1, True)
    assert look(**other)[:2] == (1, True)
    assert look()[:2] == (1, False)
    assert look(**other)[:2] == (1, False)


CHANGES = {
    "a feature": ({"RSIMPORT_FEATURES": "loud"}, {}),
    "the flags": ({"RUSTFLAGS": "--cfg=loud"}, {}),
    "the flags of the settings": ({"RSIMPORT_RUSTFLAGS": "--cfg=loud"}, {}),
    "the profile": ({"RSIMPORT_PROFILE": "dev"}, {}),
    "a variable that env! reads": ({"LOUD": "1"}, {}),
    "the code of a path dependency": ({}, {"helper/src/deep.rs": NUMBER.replace("1", "2")}),
    "the version of a dependency": ({}, {"helper/Cargo.toml": package("helper").replace("0.1.0", "0.2.0")}),
    "a feature of a dependency": (
        {},
        {"helper/Cargo.toml": package("helper") + "[features]\ndefault = ['loud']\nloud = []\n"},
    ),
    "the input of a build script": ({}, {"scripted/input.txt": "2"}),
}
SCRIPT = """
fn main() {
    println!("cargo:rerun-if-changed=input.txt");
    let text = std::fs::read_to_string("input.txt").unwrap();
    println!("cargo:rustc-env=INPUT={}", text.trim());
}
"""


@pytest.mark.parametrize("change", CHANGES)
def test_a_repeated_compiler_call_has_all_that_has_changed(stub_kernel, look, project, change):
    """Each change comes after an edit, for which the recorded call of the compiler was repeated."""
    env, files = CHANGES[change]
    write(
        project,
        {
            **HELPER,
            "helper/src/lib.rs": "mod deep;\npub fn number() -> i64 {\n    deep::number()"
            ' + (env!("CARGO_PKG_VERSION") != "0.1.0") as i64 + cfg!(feature = "loud") as i64\n}\n',
            "scripted/Cargo.toml": package("scripted"),
            "scripted/build.rs": SCRIPT,
            "scripted/input.txt": "1",
            "scripted/src/lib.rs": 'pub const INPUT: &str = env!("INPUT");\n',
        },
    )
    lines = ('helper = { path = "helper" }', 'scripted = { path = "scripted" }', "[features]", "loud = []")
    body = (
        'helper::number() + scripted::INPUT.parse::<i64>().unwrap() + cfg!(feature = "loud") as i64'
        ' + cfg!(loud) as i64 + cfg!(debug_assertions) as i64 + option_env!("LOUD").is_some() as i64'
    )
    stub_kernel(f"{body} + 10", *lines)
    assert look()[0] == 12
    stub_kernel(f"{body} + 20", *lines)
    assert look()[:2] == (22, True)
    write(project, files)
    assert look(env=env)[:2] == (23, True)
    stub_kernel(f"{body} + 30", *lines)
    assert look(env=env)[:2] == (33, True)
