"""The module that an import yields: generated or hand-written, and as ordinary as any extension module."""

from __future__ import annotations

import subprocess

import pytest
from helpers import QUICK, block, line_of, package, value, write

EVERYTHING = """
/// Doubles.
#[pyfunction]
#[pyo3(signature = (x, times = 2))]
fn scale(x: i64, times: i64) -> i64 {
    x * times
}

#[pyfunction]
#[pyo3(name = "renamed")]
pub fn before() -> &'static str {
    secret()
}

fn secret() -> &'static str {
    "private"
}

#[cfg(any())]
#[pyfunction]
fn switched_off() -> Missing {}

/// A counter.
#[pyclass]
struct Counter {
    count: u32,
}

#[pymethods]
impl Counter {
    #[new]
    fn new() -> Self {
        Counter { count: 0 }
    }

    fn tick(&mut self) -> u32 {
        self.count += 1;
        self.count
    }
}

#[pyclass(eq, eq_int)]
#[derive(PartialEq)]
enum Side {
    Left,
    Right,
}

mod inner {
    use pyo3::prelude::*;

    #[pyfunction]
    pub fn hidden() {}
}
"""


def test_functions_and_classes_make_the_module(kernel, run):
    kernel("k", EVERYTHING)
    program = """
        import rsimport.import_hook, k
        counter = k.Counter()
        counter.tick()
        print(k.scale(3), k.scale(3, times=3), k.renamed(), counter.tick(), k.Side.Left == k.Side.Right)
        print(k.scale.__doc__, k.Counter.__doc__, k.scale.__module__)
        print(*sorted(name for name in dir(k) if not name.startswith("_")))
    """
    assert run(program).out.splitlines() == [
        "6 9 private 2 False",
        "Doubles. A counter. k",
        "Counter Side hidden renamed scale",
    ]


def test_a_kernel_without_a_module_of_its_own_needs_no_import_of_the_prelude(kernel, run):
    body = "#[pyfunction]\nfn half(x: f64) -> PyResult<f64> {\n    Ok(x / 2.0)\n}"
    path = kernel("k", body, prelude=False)
    program = """
        import rsimport, rsimport.import_hook, k
        seen = rsimport.info(k)
        print(k.half(3.0), seen.warnings)
    """
    assert run(program).out == "1.5 []"
    path.write_text(path.read_text().replace("2.0", "4.0"))
    assert run(program).out == "0.75 []"


def test_an_error_in_a_function_is_not_repeated_for_the_generated_module(kernel, run):
    kernel("k", "#[pyfunction]\nfn f(x: Missing) {}")  # below the marker and the prelude
    program = """
        import rsimport, rsimport.import_hook
        try:
            import k
        except rsimport.CompileError as error:
            print(*sorted({d.line for d in error.diagnostics}))
    """
    assert run(program).out == "4"


ADDS = '(m: &Bound<\'_, PyModule>) -> PyResult<()> {\n    m.add("x", 5)\n}\n'


@pytest.mark.parametrize(
    "body",
    [
        "#[pymodule]\nfn k" + ADDS,
        "#[pyo3::pymodule]\nfn k" + ADDS,
        '#[pymodule(name = "k")]\nfn other' + ADDS,
        '#[pymodule]\n#[pyo3(name = "k")]\nfn other' + ADDS,
        "#[pymodule]\nmod k {\n"
        "    #[allow(non_upper_case_globals)]\n    #[pymodule_export]\n    const x: i32 = 5;\n}\n",
    ],
    ids=["a function", "by its path", "a name in brackets", "a name beside it", "a module"],
)
def test_a_hand_written_pymodule_stands(kernel, run, body):
    kernel("k", body)
    program = 'import rsimport.import_hook, k; print(k.x, *[n for n in dir(k) if n[0] != "_"])'
    assert run(program).out == "5 x"


def test_a_pymodule_of_another_name_is_an_error_that_says_both_names(kernel, run):
    kernel("speed", "#[pymodule]\nfn velocity" + ADDS)
    program = """
        import rsimport, rsimport.import_hook
        try:
            import speed
        except rsimport.RsimportError as error:
            print(error)
    """
    said = run(program).out
    assert "speed" in said and "velocity" in said


@pytest.mark.parametrize(
    "head",
    [
        "#![allow(dead_code)]\n",
        "//! A kernel with documentation.\n\n#![allow(dead_code)]\n",
        "#![deny(warnings)]\n#![allow(unused)]\n",
        "/* a block comment */\n",
        '#![doc = "text"]\n',
    ],
    ids=["attribute", "documentation", "two attributes", "block comment", "doc attribute"],
)
@pytest.mark.parametrize("pymodule", [False, True])
def test_inner_attributes_and_documentation_lines_are_accepted(kernel, run, head, pymodule):
    body = value(3)
    if pymodule:
        body += "#[pymodule]\nfn k(m: &Bound<'_, PyModule>) -> PyResult<()> {\n"
        body += "    m.add_function(wrap_pyfunction!(value, m)?)\n}\n"
    kernel("k", head + "use pyo3::prelude::*;\n" + body, prelude=False)
    assert run("import rsimport.import_hook, k; print(k.value())").out == "3"


def test_a_panic_in_a_generated_module_names_the_users_file_and_line(kernel, run):
    path = kernel("k", '#[pyfunction]\nfn fail() {\n    panic!("boom");\n}\n', block=block("[dependencies]"))
    stderr = run("import rsimport.import_hook, k; k.fail()", check=False).stderr
    # As seen from its folder: a copy in another one loads the same library.
    assert f"panicked at k.rs:{line_of(path, 'panic!')}:" in stderr


def test_frontmatter_carries_the_marker_and_keeps_the_line_numbers(run, project):
    path = project / "k.rs"
    path.write_text(
        '---\n[package.metadata.rsimport]\nprofile = "release"\n---\nuse pyo3::prelude::*;\n'
        "#[pyfunction]\nfn value() -> u32 {\n    line!()\n}\n"
    )
    assert run("import rsimport.import_hook, k; print(k.value())").out == str(line_of(path, "line!"))


def test_the_line_numbers_of_a_generated_kernel_are_those_of_the_file(kernel, run):
    path = kernel("k", "#[pyfunction]\nfn value() -> (u32, &'static str) {\n    (line!(), file!())\n}\n")
    line, file = run("import rsimport.import_hook, k; print(*k.value())").out.split(" ", 1)
    assert int(line) == line_of(path, "line!") and file.endswith("k.rs")


def test_the_module_has_the_attributes_of_an_extension_module(kernel, run):
    path = kernel("k", value(1))
    program = """
        import rsimport.import_hook, importlib.machinery, inspect, os, sys, k
        spec = k.__spec__
        assert isinstance(k.__loader__, importlib.machinery.ExtensionFileLoader)
        assert spec.loader is k.__loader__ and spec.name == k.__name__ == "k" and spec.has_location
        assert os.path.isfile(k.__file__) and spec.origin == k.__file__ == inspect.getfile(k)
        assert k.__file__.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES))
        assert k.__package__ == "" and sys.modules["k"] is k and repr(k).startswith("<module 'k' from ")
        print(spec.loader_state)
    """
    assert str(path) in run(program).out


def test_info_names_the_source_the_artifact_and_the_build(kernel, run):
    path = kernel("k", value(1) + "fn unused() {}\n")
    program = """
        import rsimport, rsimport.import_hook, k
        i = rsimport.info(k)
        assert i.path == k.__file__ and i.module == "k" and i.profile == "release"
        assert i.built and i.seconds > 0 and len(i.fingerprint) >= 16
        assert [w.level for w in i.warnings] == ["warning"] and "unused" in i.warnings[0].message
        print(i.source)
    """
    assert run(program).out == str(path)


def test_two_kernels_of_the_same_text_are_two_modules(kernel, run, project):
    kernel("k", value(1), folder=project / "a")
    kernel("k", value(1), folder=project / "b")
    program = """
        import rsimport, rsimport.import_hook
        import a.k, b.k
        print(a.k is b.k, a.k.__name__, b.k.__name__, a.k.value() + b.k.value())
        print(rsimport.info(a.k).source, rsimport.info(b.k).source)
    """
    assert run(program).out.splitlines() == [
        "False a.k b.k 2",
        f"{project / 'a/k.rs'} {project / 'b/k.rs'}",
    ]


def test_functions_and_classes_pickle_by_reference(kernel, run, project):
    body = value(1) + '#[pyclass(module = "pkg.k")]\nstruct Thing;\n'
    kernel("k", body, folder=project / "pkg")
    program = """
        import rsimport.import_hook, pickle
        from pkg import k
        for thing in (k.value, k.Thing):
            assert pickle.loads(pickle.dumps(thing)) is thing
    """
    run(program)


def test_a_pickle_is_loaded_in_another_process_that_has_the_hook(kernel, run, project):
    kernel("k", value(11))
    run("import rsimport.import_hook, pickle, k; pickle.dump(k.value, open('pickle', 'wb'))")
    assert run("import rsimport.import_hook, pickle; print(pickle.load(open('pickle', 'rb'))())").out == "11"


def test_importlib_resources_reads_the_package_of_a_kernel(kernel, run, project):
    kernel("k", value(1), folder=project / "pkg")
    (project / "pkg/__init__.py").touch()
    (project / "pkg/data.txt").write_text("data")
    program = """
        import rsimport.import_hook, importlib.resources, sys
        import pkg.k
        assert importlib.resources.files("pkg").joinpath("data.txt").read_text() == "data"
        assert importlib.resources.files(pkg.k.__package__).joinpath("k.rs").is_file()
        if sys.version_info >= (3, 12):
            assert importlib.resources.files(pkg.k).is_dir()
    """
    run(program)


def test_a_kernel_may_release_the_gil_and_use_another_crate(kernel, run):
    body = (
        "#[pyfunction]\nfn text(py: Python<'_>, x: u64) -> String {\n"
        "    py.detach(|| itoa::Buffer::new().format(x).to_owned())\n}\n"
    )
    kernel("k", body, block=block("[dependencies]", 'itoa = "1"'))
    assert run("import rsimport.import_hook, k; print(k.text(12))").out == "12"


def test_a_kernel_may_pin_another_pyo3(kernel, run):
    kernel("k", value(12), block=block("[dependencies]", 'pyo3 = "=0.29.0"', *QUICK.splitlines()))
    assert run("import rsimport.import_hook, k; print(k.value())").out == "12"


def test_a_crate_from_a_git_repository_is_a_dependency_like_any_other(kernel, run, tmp_path):
    repository = tmp_path / "repository"
    manifest = package("remote")
    write(repository, {"Cargo.toml": manifest, "src/lib.rs": "pub fn number() -> i64 {\n    13\n}\n"})
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *words], cwd=repository, check=True)
    kernel(
        "k",
        value("remote::number()"),
        block=block("[dependencies]", f'remote = {{ git = "file://{repository}" }}'),
    )
    assert run("import rsimport.import_hook, k; print(k.value())").out == "13"
