"""Names: odd folders work; odd file names work or get one clear sentence."""

from __future__ import annotations

import os

import pytest
from helpers import value, write

FOLDERS = {
    "spaces": "a folder with spaces",
    "a single quote": "it's",
    "double quotes": 'say "this"',
    "unicode": "größe 数据 Ω",
    "a paragraph sign": "§ 3",
    "a backslash": "back\\slash",
    "braces and percent": "{a} %s $HOME #1 !",
    "a leading dash": "-rf",
    "a newline": "two\nlines",
    "an equals sign": "a=b,c",
    "an emoji": "🦀",
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_kernel_in_a_folder_with_an_odd_name(kernel, look, project, name):
    folder = project / FOLDERS[name]
    write(folder, {"part.rs": "pub fn number() -> i64 {\n    1\n}\n", "data.txt": "2"})
    kernel(
        "k", "mod part;\n" + value('part::number() + include_str!("data.txt").len() as i64'), folder=folder
    )
    assert look(cwd=folder)[:2] == (2, True)
    assert look(cwd=folder)[:2] == (2, False)


@pytest.mark.parametrize("name", ["spaces", "double quotes", "unicode", "a backslash"])
def test_a_crate_in_a_folder_with_an_odd_name(crate, look, project, name):
    crate("k", value(3), folder=project / FOLDERS[name])
    assert look(cwd=project / FOLDERS[name])[:2] == (3, True)


@pytest.mark.parametrize("name", ["spaces", "double quotes", "unicode", "a paragraph sign", "a backslash"])
def test_a_cache_in_a_folder_with_an_odd_name(stub_kernel, look, tmp_path, monkeypatch, name):
    monkeypatch.setenv("RSIMPORT_CACHE_DIR", str(tmp_path / FOLDERS[name]))
    stub_kernel(4)
    assert look()[:2] == (4, True)
    assert look()[:2] == (4, False)


STEMS = {
    "a dash": "my-kernel",
    "a leading digit": "3body",
    "a space": "my kernel",
    "a dot": "my.kernel",
    "a quote": "it's",
    "a double quote": 'say"',
    "unicode": "größe",
    "wide unicode": "数据",
    "a paragraph sign": "§",
    "a Rust keyword": "match",
    "another Rust keyword": "loop",
    "a keyword that cannot be raw": "crate",
    "self": "self",
    "a Python keyword": "class",
    "an underscore": "_",
    "the name of a crate": "pyo3",
    "the name of the standard library": "std",
    "the name of its own function": "value",
    "a long name": "k" * 200,
    "capitals": "Kernel",
}


@pytest.mark.parametrize("stem", STEMS)
def test_a_file_with_an_odd_stem_works_or_gets_one_clear_sentence(kernel, run, stem):
    path = kernel(STEMS[stem], value(5))
    program = f"""
        import rsimport
        try:
            print(rsimport.imp_from_filepath({str(path)!r}).value())
        except rsimport.CompileError:
            raise
        except rsimport.RsimportError as error:
            print(str(error))
    """
    said = run(program).out
    if said != "5":
        sentence = said.splitlines()
        assert STEMS[stem] in sentence[0] and all(line.startswith("hint: ") for line in sentence[1:]), said


@pytest.mark.parametrize(
    "stem", ["match", "loop", "_", "Kernel", "pyo3", "std", "value", "type", "core", "größe", "数据"]
)
def test_a_stem_that_python_can_import_is_imported_or_refused_in_one_sentence(kernel, run, stem):
    path = kernel(stem, value(6))
    program = f"""
        import rsimport, rsimport.import_hook
        try:
            import {stem} as k
            print(k.value(), k.__name__ == {stem!r})
        except rsimport.CompileError:
            raise
        except rsimport.RsimportError as error:
            print(error)
    """
    said = run(program).out
    if said != "6 True":
        sentence = said.splitlines()
        assert path.name in sentence[0] and all(line.startswith("hint: ") for line in sentence[1:]), said


@pytest.mark.parametrize("stem", ["match", "type", "Kernel", "_private"])
def test_an_identifier_that_is_a_rust_keyword_or_capitalised_works(kernel, run, stem):
    kernel(stem, value(7))
    assert run(f"import rsimport.import_hook, {stem}; print({stem}.value())").out == "7"


def test_a_file_that_is_no_identifier_can_be_loaded_under_another_name(kernel, run):
    path = kernel("my-kernel", value(8))
    program = f"""
        import rsimport
        k = rsimport.imp_from_filepath({str(path)!r}, "mine")
        print(k.value(), k.__name__)
    """
    assert run(program).out == "8 mine"


def test_a_long_path_works_or_gets_one_clear_sentence(kernel, run, project):
    folder = project
    while len(str(folder)) < 3000:
        folder = folder / ("d" * 200)
    folder.mkdir(parents=True)
    path = kernel("k", value(9), folder=folder)
    program = f"""
        import rsimport
        try:
            print(rsimport.imp_from_filepath({str(path)!r}).value())
        except rsimport.CompileError:
            raise
        except rsimport.RsimportError as error:
            print(error)
    """
    said = run(program).out
    assert said == "9" or "long" in said.splitlines()[0]


def test_a_kernel_in_a_folder_that_is_no_text_works_unless_cargo_has_to_go_there(kernel, run, project):
    folder = project / os.fsdecode(b"caf\xe9")
    kernel("k", value(10), folder=folder)
    kernel("own", "#[pymodule]\nmod own {}\n", folder=folder)
    program = """
        import rsimport, rsimport.import_hook
        import k
        print(k.value())
        try:
            import own
        except rsimport.ConfigError as error:
            print(ascii(str(error)))
    """
    value_of_k, said = run(program, cwd=folder).out.splitlines()
    assert value_of_k == "10" and "own.rs lies at a path that is not Unicode" in said and "caf" in said


def test_a_symlinked_kernel_has_the_name_of_the_link_and_the_files_of_its_target(kernel, look, project):
    real = project / "real"
    write(real, {"part.rs": "pub fn number() -> i64 {\n    1\n}\n"})
    (project / "k.rs").symlink_to(kernel("original", "mod part;\n" + value("part::number()"), folder=real))
    assert look()[:2] == (1, True)
    assert look()[:2] == (1, False)
    write(real, {"part.rs": "pub fn number() -> i64 {\n    2\n}\n"})
    assert look()[:2] == (2, True)


def test_a_symlinked_folder_is_a_hit_like_a_copy(kernel, look, project):
    kernel("k", value(1), folder=project / "real")
    (project / "link").symlink_to(project / "real")
    assert look(cwd=project / "link")[:2] == (1, True)
    assert look(cwd=project / "real")[:2] == (1, False)


def test_a_symlink_inside_a_package(kernel, run, project):
    source = kernel("k", value(2), folder=project / "real")
    write(project, {"pkg/__init__.py": ""})
    (project / "pkg/k.rs").symlink_to(source)
    assert (
        run("import rsimport.import_hook; from pkg import k; print(k.value(), k.__name__)").out == "2 pkg.k"
    )


def test_a_symlinked_crate(crate, look, project):
    crate("k", value(3), folder=project / "real")
    (project / "link").mkdir()
    (project / "link/k").symlink_to(project / "real/k")
    assert look(cwd=project / "link")[:2] == (3, True)
    assert look(cwd=project / "link")[:2] == (3, False)
