"""rsimport.native over a kernel's life: reloads, tiers, processes, copies, cells, a cleared cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import LIMIT, Result, block, line_of, value, write

import rsimport
from rsimport import _engine

Run = Callable[..., Result]

EXPORT = """
#[unsafe(no_mangle)]
pub extern "C" fn f(x: f64) -> f64 { x + 1.0 }
"""
ASK = """
import ctypes, importlib, pathlib, sys
import rsimport, rsimport.import_hook, k

source = pathlib.Path("k.rs")

def edit(old, new):
    text = source.read_text()
    assert old in text
    source.write_text(text.replace(old, new))

def called(capsule, kind=ctypes.c_double):
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, (ctypes.py_object,)
    return ctypes.CFUNCTYPE(kind, kind)(get(capsule, get_name(capsule)))
"""


@pytest.mark.parametrize("reload", ["rsimport.reload", "importlib.reload"])
def test_a_reload_shows_the_new_functions_and_what_was_taken_before_calls_the_old(
    kernel: Callable[..., Path], run: Run, reload: str
) -> None:
    kernel("k", EXPORT + value(1))
    program = """
before = rsimport.native(k)
old = k.__pyx_capi__["f"], before.ctypes("f"), before.address("f")
source.write_text(source.read_text().replace("x + 1.0", "x + 2.0") + ADDED)
assert before.names == rsimport.native(k).names == ("f",), "an edit alone changes nothing"
RELOAD(k)
assert sorted(k.__pyx_capi__) == ["f", "g"] and rsimport.native(k).names == ("f", "g")
assert called(k.__pyx_capi__["f"])(0) == 2 and rsimport.native(k).ctypes("f")(0) == 2
assert called(old[0])(0) == old[1](0) == ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(old[2])(0) == 1
assert before.names == ("f",) and before.ctypes("f")(0) == 1
"""
    added = EXPORT.replace("fn f(", "fn g(")
    assert run(ASK + program.replace("RELOAD", reload).replace("ADDED", repr(added))).returncode == 0


def test_a_reload_takes_the_capsules_away_with_the_last_export(kernel: Callable[..., Path], run: Run) -> None:
    kernel("k", EXPORT + value(1))
    program = """
assert list(k.__pyx_capi__) == ["f"]
edit("#[unsafe(no_mangle)]\\n", "#[allow(dead_code)]\\n")
rsimport.reload(k)
assert not hasattr(k, "__pyx_capi__") and "__getattr__" not in vars(k)
try:
    k.missing
except AttributeError as error:
    print(error)
"""
    assert run(ASK + program).out == "module 'k' has no attribute 'missing'"


@pytest.mark.parametrize("tier", ["fast", "optimized"])
def test_it_works_in_every_tier_and_from_the_cache_in_several_processes(
    kernel: Callable[..., Path], run: Run, start: Callable[..., Any], tier: str
) -> None:
    kernel("k", EXPORT + value(1))
    program = ASK + 'print(rsimport.info(k).tier, rsimport.info(k).built, called(k.__pyx_capi__["f"])(1))'
    env = {"RSIMPORT_TIER": tier}
    assert run(program, env=env).out.endswith("True 2.0")
    processes = [start(program, env=env) for _ in range(3)]
    assert {process.communicate(timeout=LIMIT)[0] for process in processes} == {run(program, env=env).stdout}
    assert run(program, env=env).out.endswith("False 2.0")


def test_an_edit_in_the_fast_tier_exports_too(kernel: Callable[..., Path], run: Run) -> None:
    kernel("k", EXPORT + value(1))
    program = """
edit("x + 1.0", "x + 4.0"); rsimport.reload(k)
edit("x + 4.0", "x + 5.0"); rsimport.reload(k)
print(rsimport.info(k).tier, called(k.__pyx_capi__["f"])(1), rsimport.native(k).ctypes("f")(1))
"""
    assert run(ASK + program, env={"RSIMPORT_TIER": "fast"}).out == "fast 6.0 6.0"


def test_crates_and_mod_files_export_in_every_edition(
    crate: Callable[..., Path], kernel: Callable[..., Path], run: Run, project: Path
) -> None:
    old = '\n#[no_mangle]\npub extern "C" fn {0}(x: {1}) -> {1} {{ x }}\n'
    root = crate("c", "mod part;\n" + old.format("in_lib", "f64") + value(1))
    write(root, {"src/part.rs": old.format("in_crate", "u32") + old.format("odd", "u128")})
    kernel("k", "mod side;\n" + value(1))
    write(project, {"side.rs": EXPORT.replace("fn f(", "fn in_file(")})
    program = """
        import rsimport, rsimport.import_hook, c, k
        for module in (c, k):
            native = rsimport.native(module)
            print(sorted(module.__pyx_capi__), native.names, native.ctypes(native.names[0])(3))
        try:
            rsimport.native(c).signature("odd")
        except rsimport.ConfigError as error:
            print(error.message)
    """
    for _ in range(2):
        seen = run(program).out.splitlines()
        assert seen[0] == "['in_crate', 'in_lib'] ('in_lib', 'in_crate', 'odd') 3.0"
        assert seen[1] == "['in_file'] ('in_file',) 4.0"
        part = root / "src/part.rs"
        assert (
            seen[2]
            == f"{part}:{line_of(part, 'fn odd')}: `odd` returns `u128`, which has no counterpart in C"
        )


def test_a_copy_of_a_kernel_names_its_own_lines(kernel: Callable[..., Path], run: Run, project: Path) -> None:
    source = kernel("k", "mod side;\n#[unsafe(no_mangle)]\nfn f() {}\n" + value(1))
    write(project, {"side.rs": "#[unsafe(no_mangle)]\nfn g() {}\n"})
    copy = project / "copy"
    write(copy, {"k.rs": source.read_text(), "side.rs": (project / "side.rs").read_text()})
    program = """
        import rsimport, rsimport.import_hook, k
        for export in rsimport.info(k).exports:
            print(export.file, export.line)
    """
    for folder in (project, copy):
        place = folder / "k.rs"
        expected = [f"{place} {line_of(place, 'fn f()')}", f"{folder / 'side.rs'} 2"]
        assert run(program, cwd=folder).out.splitlines() == expected


def test_a_frontmatter_hides_nothing(kernel: Callable[..., Path], run: Run, project: Path) -> None:
    path = kernel("k", EXPORT + value(1), marker=False)
    path.write_text("---\n[package.metadata.rsimport]\nprofile = 'dev'\n---\n" + path.read_text())
    assert run(ASK + "print(list(k.__pyx_capi__))").out == "['f']"


def test_a_cell_is_called_by_its_name(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    text = "use pyo3::prelude::*;\n#[unsafe(no_mangle)]\nfn odd() {}\n" + EXPORT + value(1)
    path = _engine.write_cell("native_cell", text, [], str(project / "a.ipynb"), {})
    native = rsimport.native(rsimport.imp_from_filepath(path))
    assert native.ctypes("f")(1.0) == 2.0
    with pytest.raises(rsimport.ConfigError) as caught:
        native.signature("odd")
    assert caught.value.message.startswith("<cell native_cell>:4: `odd` is not `extern")


OWN = """
#[pymodule]
mod k {{
    use super::*;
    #[pymodule_init]
    fn init(m: &Bound<'_, PyModule>) -> PyResult<()> {{
        m.add("{0}", {1})
    }}
}}
"""


def test_a_kernel_keeps_its_own_capsules(kernel: Callable[..., Path], run: Run) -> None:
    kernel("k", EXPORT + OWN.format("__pyx_capi__", '"mine"'))
    assert run(ASK + "print(k.__pyx_capi__, rsimport.native(k).names)").out == "mine ('f',)"


def test_a_kernel_keeps_its_own_getattr(kernel: Callable[..., Path], run: Run) -> None:
    own = '#[pyfunction]\nfn own(name: String) -> String { name + "!" }\n'
    kernel("k", EXPORT + own + OWN.format("__getattr__", "wrap_pyfunction!(own, m)?"))
    assert run(ASK + "print(k.missing, list(k.__pyx_capi__))").out == "missing! ['f']"


def test_two_functions_of_one_name_have_a_signature_only_if_they_agree(
    kernel: Callable[..., Path], run: Run
) -> None:
    pair = '#[cfg({0})]\n#[unsafe(no_mangle)]\npub extern "C" fn {1}(x: {2}) -> f64 {{ f64::from(x) }}\n'
    both = pair.format("any()", "same", "f64") + pair.format("all()", "same", "f64")
    path = kernel(
        "k", both + pair.format("all()", "differ", "f64") + pair.format("any()", "differ", "f32") + value(1)
    )
    program = """
        import rsimport, rsimport.import_hook, k
        print(k.__pyx_capi__.keys(), rsimport.native(k).names)
        print(rsimport.info(k).exports[1].problem)
    """
    seen = run(program).out.splitlines()
    assert seen[0] == "dict_keys(['same']) ('same', 'differ')"
    line = len(path.read_text().split("x: f32")[0].splitlines())
    assert seen[1] == f"stands with other types in {path}:{line}, and which holds is not known"


def test_what_a_process_has_loaded_has_its_functions_when_it_is_gone_from_the_cache(
    stub_kernel: Callable[..., Path], run: Run, own_cache: Path
) -> None:
    stub_kernel(1, more=EXPORT)
    run("import rsimport.import_hook, k")
    program = """
function = rsimport.native(k).ctypes("f")
import subprocess
subprocess.run([sys.executable, "-m", "rsimport", "cache", "clear"], check=True, capture_output=True)
print(function(1), k.value(), rsimport.native(k).ctypes("f")(2))
"""
    assert run(ASK + program).out == "2.0 1 3.0"
    run("import rsimport.import_hook, k")
    unread = program.replace('function = rsimport.native(k).ctypes("f")', "").replace(
        "function(1), k.value(), ", ""
    )
    assert run(ASK + unread).out == "3.0"


def test_a_library_that_is_not_loaded_has_no_addresses(kernel: Callable[..., Path], run: Run) -> None:
    kernel("k", EXPORT + value(1))
    path = run("import rsimport; print(rsimport.build_filepath('k.rs'))").out
    program = f"""
        import rsimport
        from rsimport import _engine
        for ask in (_engine.address, lambda *about: _engine.capsule(*about, "double (double)")):
            try:
                ask({path!r}, "f")
            except rsimport.ConfigError as error:
                print(error.message)
        k = rsimport.imp_from_filepath("k.rs")
        print(rsimport.info(k).path, _engine.address({path!r}, "f") == rsimport.native(k).address("f"))
    """
    absent = f"{path} is not loaded in this process"
    assert run(program).out.splitlines() == [absent, absent, f"{path} True"]


def test_a_cargo_block_may_stand_above_exports(kernel: Callable[..., Path], run: Run) -> None:
    kernel("k", EXPORT + value(1), block=block("[package.metadata.rsimport]", 'profile = "dev"'))
    assert run(ASK + 'print(called(k.__pyx_capi__["f"])(1))').out == "2.0"
