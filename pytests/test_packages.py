"""Packages that contain kernels, built by hatchling and by setuptools."""

from __future__ import annotations

import platform
import re
import tarfile
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES

import pytest
from helpers import without_rust, write

from rsimport.toolbox import _manylinux

SUFFIX = EXTENSION_SUFFIXES[0]
BACKENDS = {
    "hatchling": ("hatchling.build", "tool.hatch.build.hooks.rsimport"),
    "setuptools": ("setuptools.build_meta", "tool.setuptools-rsimport"),
}
INIT = "import rsimport.import_hook\nfrom waves import k\n"


@pytest.fixture(params=BACKENDS)
def waves(request, project, stub_kernel, run):
    """A package with a kernel that has a part and data, and what builds it."""
    pytest.importorskip(request.param)
    source = stub_kernel(4, more='mod part;\nconst _DATA: &str = include_str!("data.txt");\n')
    module, table = BACKENDS[request.param]

    def pyproject(*lines: str) -> None:
        head = f'[build-system]\nrequires = []\nbuild-backend = "{module}"\n'
        text = f'{head}[project]\nname = "waves"\nversion = "1.0"\n[{table}]\n' + "".join(
            f"{it}\n" for it in lines
        )
        write(project, {"pyproject.toml": text})

    files = {"__init__.py": INIT, "part.rs": "", "data.txt": "data", "k.rs": source.read_text()}
    write(project / "src/waves", files)
    source.unlink()
    pyproject()

    def build(what: str, **options):
        code = f"import {module} as backend; print('made', backend.build_{what}('dist'))"
        return run(code, check=False, **options)

    return pyproject, build


def test_a_wheel_has_libraries_and_an_sdist_the_sources(waves, project, run, tmp_path):
    pyproject, build = waves
    seen = build("wheel", env={"RUSTFLAGS": "-Ctarget-cpu=native"})
    assert seen.returncode == 0, seen.text
    (wheel,) = (project / "dist").glob("*.whl")
    assert "-cp3" in wheel.name and "none-any" not in wheel.name
    if platform.libc_ver()[0] == "glibc" and platform.machine() in _manylinux.ARCHITECTURES:
        assert re.search(r"-manylinux_2_\d+_", wheel.name), wheel.name
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("waves/")}
    assert names == {f"waves/{it}" for it in ("__init__.py", "part.rs", "data.txt", "k.rs", f"k{SUFFIX}")}
    # Nothing but what was asked for is in the tree.
    assert not list((project / "src").rglob(f"*{SUFFIX}"))

    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    env = {**without_rust(tmp_path / "bare"), "RSIMPORT_CACHE_DIR": str(tmp_path / "cache")}
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); import waves"
    code += "; print(waves.k.__file__, waves.k.value())"
    seen = run(code, cwd=tmp_path, env=env)
    assert seen.out == f"{tmp_path / 'site/waves'}/k{SUFFIX} 4" and not seen.stderr
    (tmp_path / "site/waves/__init__.py").write_text("from waves import k\n")
    assert (
        "4"
        in run(
            code.replace("print", "assert 'rsimport' not in sys.modules; print"), cwd=tmp_path, env=env
        ).out
    )

    assert build("sdist").returncode == 0
    (sdist,) = (project / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = archive.getnames()
    assert {f"waves-1.0/src/waves/{it}" for it in ("part.rs", "data.txt", "k.rs")} <= set(inside)
    assert not [name for name in inside if name.endswith(SUFFIX)]

    pyproject("sources = false")
    assert build("wheel").returncode == 0
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("waves/")}
    assert names == {f"waves/{it}" for it in ("__init__.py", "data.txt", f"k{SUFFIX}")}


@pytest.mark.parametrize(
    ("libraries", "versions", "expected"),
    [
        (
            "libgcc_s.so.1 libc.so.6 ld-linux-x86-64.so.2",
            "GCC_3.0 GLIBC_2.2.5 GLIBC_2.34",
            "manylinux_2_34_x86_64",
        ),
        ("libc.so.6", "GLIBC_2.2.5", "manylinux_2_17_x86_64.manylinux2014_x86_64"),
        ("libc.so.6", "GLIBC_2.2.5 GLIBC_ABI_DT_RELR", "linux_x86_64"),
        ("libc.so.6", "GLIBC_PRIVATE", "linux_x86_64"),
        ("libgcc_s.so.1 libc.so.6", "GCC_14.0.0", "linux_x86_64"),
        ("libc.so.6 libstdc++.so.6", "GLIBC_2.17 GLIBCXX_3.4.32", "linux_x86_64"),
        ("libc.so.6 libssl.so.3", "GLIBC_2.17", "linux_x86_64"),
        ("libc.so.6 libpython3.12.so.1.0", "", "linux_x86_64"),
    ],
)
def test_a_tag_for_many_linuxes_takes_what_all_of_them_have(monkeypatch, libraries, versions, expected):
    asks = {"a": (["libc.so.6"], ["GLIBC_2.3"]), "b": (libraries.split(), versions.split()), "c": None}
    monkeypatch.setattr("rsimport._engine.asks", asks.get)
    assert _manylinux.tag("linux_x86_64", ["a", "b"]) == expected
    for platform_tag, files in (
        ("linux_x86_64", "abc"),
        ("linux_x86_64", ""),
        ("linux_armv7l", "a"),
        ("win_amd64", "a"),
    ):
        assert _manylinux.tag(platform_tag, files) == platform_tag


def test_an_editable_install_has_no_library(waves, project):
    _, build = waves
    seen = build("editable")
    assert seen.returncode == 0, seen.text
    (wheel,) = (project / "dist").glob("*.whl")
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(SUFFIX)]
    assert not list((project / "src").rglob(f"*{SUFFIX}"))


def test_what_is_wrong_is_told_in_a_sentence(waves, project):
    pyproject, build = waves
    pyproject("source = false")
    seen = build("wheel")
    assert seen.returncode and "there is no option source\nhint: the options are sources, cpu" in seen.text
    pyproject("cpu = 3")
    assert "cpu has to be a string" in build("wheel").text
    pyproject()
    text = (project / "pyproject.toml").read_text()
    table = text.splitlines()[-1]
    above, _, name = table.strip("[]").rpartition(".")
    write(project, {"pyproject.toml": text.replace(table, f"[{above}]\n{name} = true")})
    seen = build("wheel")
    assert seen.returncode and re.search(rf"{re.escape(name)}\W* (has to|must) be a table", seen.text), (
        seen.text
    )
    pyproject()
    write(project / "src/waves", {"part.rs": "fn broken( {"})
    seen = build("wheel")
    assert (
        seen.returncode
        and "part.rs:1: kernel `k` does not compile" in seen.text
        and "Traceback" not in seen.text
    )


def test_a_package_without_kernels_is_for_every_platform_and_that_is_told(waves, project):
    _, build = waves
    (project / "src/waves/k.rs").rename(project / "k.rs")
    seen = build("wheel")
    assert seen.returncode == 0 and "there is no marked kernel" in seen.text
    (wheel,) = (project / "dist").glob("*.whl")
    assert wheel.name.endswith("-none-any.whl")


def test_a_project_of_setuptools_without_the_table_imports_nothing_of_it(project, run):
    pytest.importorskip("setuptools")
    write(project, {"pyproject.toml": '[project]\nname = "plain"\nversion = "1.0"\n', "plain.py": ""})
    code = """
        import setuptools.build_meta as backend, sys
        backend.build_wheel("dist")
        assert not {"click", "rsimport.toolbox._setuptools_commands"} & set(sys.modules)
    """
    run(code)
