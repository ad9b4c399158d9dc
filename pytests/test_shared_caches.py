"""Caches that others have made: what fits is taken from them, and nothing is written to them."""

from __future__ import annotations

from helpers import snapshot, value

LOOK = """
import json, os, pickle, sys, rsimport, rsimport.import_hook, k
info = rsimport.info(k)
print(k.value(), info.built, info.path)
pickle.dump(k.value, open("kept", "wb"))
"""

READ = "import pickle; print(pickle.load(open('kept', 'rb'))())"
NOTHING = {"PATH": "/nowhere", "CARGO": None, "RUSTC": None, "CARGO_HOME": "/nowhere", "HOME": "/nowhere"}


def test_a_bundle_serves_whoever_has_no_rust_and_is_only_looked_at(stub_kernel, run, cli, project):
    stub_kernel(1)
    bundle = project / "bundle"
    made = cli("export", "k.rs", bundle, "--bundle", "--target-cpu", "x86-64")
    assert made.returncode == 0 and "added k, for " in made.out, made.text
    assert made.out.splitlines()[-1] == f"next: export RSIMPORT_SHARED_CACHES={bundle}"
    before = snapshot(bundle)
    # The kernel is the same for another CPU, as what it needs is there.
    env = {
        **NOTHING,
        "RSIMPORT_CACHE_DIR": str(project / "own"),
        "RSIMPORT_SHARED_CACHES": f"/nowhere:{bundle}",
    }
    assert run(LOOK, env=env).out.startswith(f"1 False {bundle}")
    assert (
        run(READ, env=env).out
        == run(READ, env={**env, "RSIMPORT_CACHE_DIR": str(project / "other")}).out
        == "1"
    )
    assert snapshot(bundle) == before
    alone = {**env, "RSIMPORT_SHARED_CACHES": None, "RSIMPORT_CACHE_DIR": str(project / "third")}
    failed = run(LOOK, env=alone, check=False)
    assert "cargo was not found" in failed.stderr
    bundle.chmod(0o777)
    failed = run(LOOK, env={**env, "RSIMPORT_CACHE_DIR": str(project / "fourth")}, check=False)
    assert "can be written to by others" in failed.stderr and "cargo was not found" in failed.stderr


def test_what_is_loaded_elsewhere_is_had_from_the_bundle_by_its_content(kernel, run, cli, project):
    path = kernel("k", value(2))
    run(LOOK)
    bundle = project / "bundle"
    assert cli("export", ".", bundle, "--bundle").returncode == 0
    path.unlink()
    env = {**NOTHING, "RSIMPORT_CACHE_DIR": str(project / "own"), "RSIMPORT_SHARED_CACHES": str(bundle)}
    assert run(READ, env=env).out == "2"
    missing = run(READ, env={**env, "RSIMPORT_SHARED_CACHES": None}, check=False)
    assert "its source is not found" in missing.stderr


def test_only_a_user_chooses_caches_of_others(kernel, run, project, cli):
    kernel("k", value(1))
    (project / "pyproject.toml").write_text('[tool.rsimport]\nshared_caches = ["x"]\n')
    failed = run(LOOK, check=False)
    assert "pyproject.toml:2: `shared_caches` is for the user to choose" in failed.stderr
    (project / "pyproject.toml").write_text('[tool.rsimport]\naccept = "all"\n')
    assert "`accept` has to be any, artifact, source or none" in run(LOOK, check=False).stderr
    shown = cli("export", "k.rs", "made", "--target-cpu", "x86-64")
    assert shown.returncode == 2 and "--target-cpu is for --bundle" in shown.text
