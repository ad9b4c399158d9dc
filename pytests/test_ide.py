"""`rsimport ide`: what rust-analyzer is told of kernels. `make accept-analyzer` asks a real one."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from helpers import LIMIT, write

CRATE = {
    "display_name": str,
    "root_module": str,
    "edition": str,
    "version": str,
    "deps": list,
    "is_workspace_member": bool,
    "cfg": list,
    "env": dict,
    "is_proc_macro": bool,
    "source": dict,
}
"""What rust-analyzer documents of a crate, and wants."""

OPTIONAL = {"proc_macro_dylib_path": str, "build": dict}


def read(folder: Path) -> dict:
    return json.loads((folder / "rust-project.json").read_text())


def validate(project: dict) -> None:
    """Is it what rust-analyzer documents? It refuses a file with a wrong type anywhere."""
    for at, crate in enumerate(project["crates"]):
        assert CRATE.keys() <= crate.keys() <= CRATE.keys() | OPTIONAL.keys()
        for name, value in crate.items():
            assert isinstance(value, (CRATE | OPTIONAL)[name]), (name, value)
        assert crate["edition"] in ("2015", "2018", "2021", "2024") and Path(crate["root_module"]).is_file()
        assert all(set(dep) == {"crate", "name"} and dep["crate"] < at for dep in crate["deps"])
        assert all(isinstance(value, str) for value in [*crate["env"].values(), *crate["cfg"]])
        assert set(crate["source"]) == {"include_dirs", "exclude_dirs"}
        assert any(Path(crate["root_module"]).is_relative_to(top) for top in crate["source"]["include_dirs"])
        if crate["is_proc_macro"]:
            assert Path(crate["proc_macro_dylib_path"]).is_file()
    for runnable in project["runnables"]:
        assert set(runnable) == {"program", "args", "cwd", "kind"} and os.access(runnable["program"], os.X_OK)


def test_the_file_names_kernels_and_their_dependencies_and_is_kept_current(
    stub_kernel, cli, run, project, own_cache
):
    path = stub_kernel(1)
    write(project, {".git/HEAD": "", ".venv/pyvenv.cfg": "", "plain.rs": "fn main() {}\n"})
    seen = cli("ide")
    assert seen.returncode == 0 and seen.out == "wrote rust-project.json: 1 kernel, 2 crates", seen.text
    assert f"echo rust-project.json >> {project}/.gitignore" in seen.stderr
    found = read(project)
    validate(found)
    macros, kernel = found["crates"]
    assert macros["is_proc_macro"] and not macros["is_workspace_member"]
    assert kernel["root_module"] == str(path) and kernel["deps"] == [{"crate": 0, "name": "pyo3"}]
    assert kernel["is_workspace_member"] and kernel["env"]["CARGO_MANIFEST_DIR"] == str(project)
    assert kernel["source"]["exclude_dirs"] == [str(project / ".git"), str(project / ".venv")]
    assert kernel["build"]["label"] == str(path)
    assert {runnable["kind"]: runnable["args"][2] for runnable in found["runnables"]} == {
        "flycheck": "check",
        "testOne": "test",
    }
    before = (project / "rust-project.json").stat()
    (project / ".gitignore").write_text("rust-project.json\n")
    seen = cli("ide", "k.rs")
    assert seen.out.startswith("current: ") and ".gitignore" not in seen.stderr, seen.text
    assert (project / "rust-project.json").stat().st_ino == before.st_ino
    doctor = cli("doctor")
    assert "editor" in doctor.out and "does not know" not in doctor.text

    # The command that an editor runs when the kernel is saved, and what is told of it.
    check = next(runnable for runnable in found["runnables"] if runnable["kind"] == "flycheck")
    path.write_text(path.read_text().replace("    1\n", "    missing\n"))
    words = [word.replace("{saved_file}", str(path)) for word in check["args"]]
    said = run(words, check=False).stdout.splitlines()
    messages = [json.loads(line)["message"] for line in said if '"compiler-message"' in line]
    spans = [span for message in messages for span in message["spans"] if span["is_primary"]]
    line = path.read_text().splitlines().index("    missing") + 1
    assert {(span["file_name"], span["line_start"]) for span in spans} == {(str(path), line)}, said
    path.write_text(path.read_text().replace("    missing\n", "    1\n"))

    # An edit changes nothing in it; another dependency does.
    path.write_text(path.read_text().replace("    1\n", "    2\n"))
    assert cli("build", "k.rs").returncode == 0
    write(
        project,
        {"more/Cargo.toml": '[package]\nname = "more"\nversion = "1.0.0"\n', "more/src/lib.rs": ""},
    )
    assert read(project) == found
    path.write_text(
        path.read_text().replace("[dependencies]\n", '[dependencies]\n//! more = { path = "more" }\n')
    )
    stale = cli("doctor")
    assert f"does not know {path} as it is" in stale.out and "rsimport ide ." in stale.stderr
    run("import rsimport.import_hook, k; import time; time.sleep(0.1)")
    end = time.monotonic() + LIMIT
    while read(project) == found:
        assert time.monotonic() < end
        time.sleep(0.05)
    validate(read(project))
    assert {"name": "more", "crate": 0} in read(project)["crates"][-1]["deps"] or len(
        read(project)["crates"]
    ) == 3


def test_what_is_not_rsimports_is_left_alone_and_another_file_can_be_named(
    stub_kernel, cli, project, own_cache
):
    path = stub_kernel(1)
    path.write_text(path.read_text() + "\n// #[pyfunction] without the prelude\n")
    for text in ("{}", '{"generator": "make"}', "not JSON"):
        (project / "rust-project.json").write_text(text)
        seen = cli("ide")
        assert seen.returncode == 1 and "was not written by rsimport and is left alone" in seen.stderr
        assert (project / "rust-project.json").read_text() == text
    assert "rsimport ide . --out rsimport-rust-project.json" in seen.stderr
    seen = cli("ide", "--out", "rsimport-rust-project.json", "--no-flycheck")
    assert seen.returncode == 0, seen.text
    file = project / "rsimport-rust-project.json"
    assert f'{{"rust-analyzer.linkedProjects": ["{file}"]}}' in seen.stderr
    assert "does not say `use pyo3::prelude::*;`" in seen.stderr
    assert [runnable["kind"] for runnable in json.loads(file.read_text())["runnables"]] == ["testOne"]


@pytest.mark.parametrize(("arguments", "code"), [(["missing"], 2), (["."], 1), (["--out"], 2)], ids=str)
def test_where_there_is_no_kernel_nothing_is_written(cli, project, arguments, code):
    seen = cli("ide", *arguments)
    assert seen.returncode == code and "Traceback" not in seen.stderr and not list(project.iterdir())


def test_jupyterlab_is_told_of_a_rust_analyzer_that_is_there(tmp_path, monkeypatch):
    from rsimport.toolbox.jupyter_lsp_plugin import servers

    monkeypatch.setenv("PATH", str(tmp_path))
    assert servers(None) == {}
    program = tmp_path / ("rust-analyzer.exe" if os.name == "nt" else "rust-analyzer")
    program.touch(0o755)
    (found,) = servers(None).values()
    assert found["argv"] == [str(program)] and "text/x-rustsrc" in found["mime_types"]
    from importlib.metadata import entry_points

    assert any(point.load() is servers for point in entry_points(group="jupyter_lsp_spec_v1"))
