"""Long kernels: rustc gets them in pieces when an edit is compiled fast, and nobody can tell."""

from __future__ import annotations

import re

import pytest
from helpers import line_of

FILLER = """
fn filler_@(x: f64) -> f64 {
    let mut value = x;
    for step in 0..@u64 {
        value = value * 0.5 + step as f64;
        if value > 1e12 {
            value /= 3.0;
        }
    }
    value
}
"""


VALUE = "#[pyfunction]\nfn value() -> i64 {\n    helper()\n}\n"


def long(body: str, fillers: int = 40) -> str:
    """A kernel that is long enough, with something in the middle."""
    text = [FILLER.replace("@", str(at)) for at in range(fillers)]
    calls = " + ".join(f"filler_{at}(1.0)" for at in range(fillers))
    total = f"\n#[pyfunction]\nfn total() -> f64 {{\n    {calls}\n}}\n"
    return "".join(text[: fillers // 2]) + body + "".join(text[fillers // 2 :]) + total


@pytest.fixture
def pieces(own_cache):
    """The modules that the last kernel was given to rustc in."""

    def pieces_of(name: str = "k") -> list[str]:
        (staged,) = own_cache.glob(f"v1/work/*/src/{name}.rs") or [None]
        return re.findall(r"mod __rsimport_from_(\w+)", staged.read_text())

    return pieces_of


def test_a_long_kernel_is_cut_and_its_edits_arrive(kernel, run, own_cache, pieces):
    kernel("k", long("fn helper() -> i64 {\n    1\n}\n#[pyfunction]\nfn value() -> i64 {\n    helper()\n}\n"))
    program = """
        import importlib, pathlib, rsimport.import_hook, k
        path = pathlib.Path("k.rs")
        values = [k.value()]
        for number in (2, 3):
            path.write_text(path.read_text().replace(f"    {number - 1}\\n", f"    {number}\\n"))
            importlib.reload(k)
            values.append(k.value())
        print(values)
    """
    assert run(program).out == "[1, 2, 3]"
    assert len(pieces()) > 2
    assert list(own_cache.glob("v1/work/*/scratch-*/incremental/*-pieces"))


@pytest.mark.parametrize(("lines", "tier"), [(5, "fast"), (40, "optimized")])
def test_a_short_kernel_and_the_optimised_build_are_not(kernel, look, pieces, lines, tier):
    kernel("k", long("#[pyfunction]\nfn value() -> i64 {\n    1\n}\n", lines))
    assert look(env={"RSIMPORT_TIER": tier})[0] == 1
    assert pieces() == []


def test_a_long_kernel_with_its_own_module_is_cut(kernel, look, pieces):
    module = "#[pymodule]\nmod k {\n    #[pymodule_export]\n    use super::value;\n}\n"
    kernel(
        "k",
        long("#[pyfunction]\nfn value() -> i64 {\n    1\n}\n").replace(
            "#[pyfunction]\nfn total", "pub fn total"
        )
        + module,
    )
    assert look()[0] == 1
    assert len(pieces()) > 2


def test_whatever_stands_beside_a_function_is_seen_in_its_module(kernel, run, pieces):
    body = (
        """
    use std::collections::HashMap as Map;
    use std::fmt::Write as _;

    const LIMIT: i64 = double(4);
    static COUNT: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(LIMIT);

    macro_rules! twice {
        ($e:expr) => { double($e) };
    }

    #[derive(Clone, Copy)]
    enum Kind { Even, Odd }

    struct Pair { left: i64, right: i64 }

    trait Sum { fn sum(&self) -> i64; }

    impl Sum for Pair {
        fn sum(&self) -> i64 { self.left + add_right(self) }
    }

    type Result = std::result::Result<i64, String>;

    mod inner {
        pub fn shifted(x: i64) -> i64 { super::double(x) + 1 }
    }

    /// A documented function.
    const fn double(x: i64) -> i64 { 2 * x }

    fn add_right(pair: &Pair) -> i64 { pair.right }

    fn kind_of(x: i64) -> Kind {
        use Kind::*;
        if is_even(x) { Even } else { Odd }
    }

    fn is_even(x: i64) -> bool { x == 0 || is_odd(x - 1) }

    pub fn drop(x: i64) -> i64 { x - 1 }
    """
        + FILLER.replace("@", "between").replace("0..betweenu64", "0..3u64")
        + """
    fn is_odd(x: i64) -> bool { x != 0 && is_even(x - 1) }

    fn fallible(x: i64) -> Result { if x > 100 { Err(format!("{x}")) } else { Ok(x) } }

    fn r#match<T: Into<i64>>(x: T, f: impl Fn(i64) -> i64) -> i64 { f(x.into()) }

    unsafe fn risky(x: i64) -> i64 { x }

    fn here() -> i64 { self::double(1) }

    #[pyfunction]
    #[pyo3(signature = (x = LIMIT))]
    /// Everything together.
    fn value(x: i64) -> PyResult<i64> {
        let mut map = Map::new();
        map.insert(1, Pair { left: x, right: 1 }.sum());
        let mut text = String::new();
        write!(text, "{}", filler_between(1.0) as i64 * 0).unwrap();
        COUNT.fetch_add(twice!(1), std::sync::atomic::Ordering::Relaxed);
        let kind = match kind_of(x) { Kind::Even => 1000, Kind::Odd => 2000 };
        let risk = unsafe { risky(1) };
        let sum = map[&1] + inner::shifted(1) + drop(1) + r#match(3i32, double) + risk + here();
        Ok(sum + kind + COUNT.load(std::sync::atomic::Ordering::Relaxed) * 10_000 + fallible(0).unwrap_or(7))
    }
    """
    )
    kernel("k", long(body.replace("\n    ", "\n")))
    code = (
        "import rsimport.import_hook, k; print(k.value(), k.value(3), k.value.__doc__.strip(), k.total() > 0)"
    )
    assert run(code).out == "101021 122016 Everything together. True"
    assert "double" in pieces()


def test_a_warning_and_an_error_show_the_users_own_text(kernel, report, run, pieces, own_cache):
    warned = "/// Documented.\nfn helper() -> i64 { let unused = 1; 1 }\n" + VALUE
    path = kernel("k", long(warned))
    code = "import rsimport.import_hook, k; print(k.value())"
    seen = run(code)
    assert seen.out == "1"
    line = line_of(path, "let unused")
    assert "unused variable" in seen.text and f"{path}:{line}:26" in seen.text
    assert "__rsimport" not in seen.text and "pub(super)" not in seen.text
    # While there are warnings the pieces rest; the build without one is still plain, the next is in pieces.
    kernel("k", long(warned.replace("helper() -> i64 { let", "helper() -> i64 {  let")))
    assert f"{path}:{line}:27" in run(code).text
    for expected in (False, True):
        kernel("k", long(warned.replace("let unused = 1;", "" if expected else "{};")))
        assert run(code).out == "1"
        assert bool(pieces()) == expected
    path = kernel(
        "k",
        long('/// Documented.\nfn helper() -> i64 { "text" }\n' + VALUE),
    )
    told = report()
    (diagnostic,) = told["diagnostics"]
    assert told["kind"] == "CompileError"
    assert (diagnostic["file"], diagnostic["line"], diagnostic["column"]) == (str(path), line, 22)
    assert (
        "/// Documented." not in diagnostic["rendered"]
        and 'fn helper() -> i64 { "text" }' in diagnostic["rendered"]
    )
    assert "__rsimport" not in str(told) and "pub(super)" not in str(told)
    # Nor has any of this had PyO3 compiled another way.
    assert len([path for path in (own_cache / "v1/targets").iterdir() if path.is_dir()]) == 1


WARNED_OF = {
    "fn never() {}": "dead_code",
    "const NEVER: u8 = 1;": "dead_code",
    "struct Never;": "dead_code",
    "use std::fmt::Debug;": "unused_imports",
    "use std::fmt::*;": "unused_imports",
    "macro_rules! never { () => {} }": "unused_macros",
    "fn badName() {}": "non_snake_case",
    "fn import() { use std::fmt::Debug; }": "unused_imports",
    "pub fn leak(_: Hidden) {}\nstruct Hidden;": "private_interfaces",
    "#[expect(unused_variables)]\nfn fine() {}": "unfulfilled_lint_expectations",
}


def test_what_is_to_be_warned_of_is_seen_in_pieces_too(kernel, run, own_cache):
    used = "".join(f"const _: fn() = {name};\n" for name in ("badName", "import", "fine"))
    wrong = "\n".join(WARNED_OF) + f"\n{used}"
    body = f"\n{wrong}#[pyfunction]\nfn value() -> i64 {{\n    1\n}}\n"
    path = kernel("k", long(body))
    program = """
        import rsimport, rsimport.import_hook, k
        print(*sorted(f"{found.line} {found.code}" for found in rsimport.info(k).warnings), sep="\\n")
    """
    lines = {line_of(path, written.split("\n")[0]): lint for written, lint in WARNED_OF.items()}
    assert len(lines) == len(WARNED_OF)
    assert run(program).out.splitlines() == sorted(f"{line} {lint}" for line, lint in lines.items())
    # It was seen there, and not only because the pieces had been refused for something else.
    kernel("k", long(body.replace(wrong, "")))
    assert run(program).out == ""
    (rest,) = own_cache.glob("v1/work/*/plain.json")
    assert rest.read_text() == "0"


def test_what_only_the_pieces_are_refused_for_is_compiled_plain(kernel, run, pieces, own_cache):
    body = "#[pyfunction]\nfn value() -> i64 {\n    1\n}\n"
    forbidden = "#![forbid(unused_imports)]\n"
    path = kernel("k", long(body))
    code = "import rsimport.import_hook, k; print(k.value())"
    for number in (1, 2):
        path.write_text(
            "// rsimport\n" + forbidden + "use pyo3::prelude::*;\n" + long(body.replace("1", str(number)))
        )
        seen = run(code)
        assert seen.out == str(number) and "error" not in seen.text
        assert pieces() == []
    (rest,) = own_cache.glob("v1/work/*/plain.json")
    assert int(rest.read_text()) == 18


def test_a_panic_names_the_line_and_the_column(kernel, run, pieces):
    body = """
/// Fails.
fn first(x: &[i64]) -> i64 { x[0] }
fn second(x: Option<i64>) -> i64 { x.unwrap() }
#[pyfunction]
fn fail(which: bool) -> i64 { if which { first(&[]) } else { second(None) } }
"""
    path = kernel("k", long(body))
    program = """
        import rsimport.import_hook, k
        for which in (True, False):
            try:
                k.fail(which)
            except BaseException as error:
                print(error)
    """
    seen = run(program).text
    assert f"panicked at k.rs:{line_of(path, 'x[0]')}:30" in seen
    assert f"panicked at k.rs:{line_of(path, 'x.unwrap()')}:38" in seen
    assert pieces()


def test_edits_of_a_kernel_that_names_modules_stay_right(kernel, look):
    body = "fn one() -> i64 {{\n    {}\n}}\nfn helper() -> i64 {{\n    self::one() + crate::one()\n}}\n"
    for number in (1, 2):
        kernel("k", long(body.format(number) + VALUE))
        assert look()[0] == 2 * number
