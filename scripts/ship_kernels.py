"""Ships every kernel that comes with rsimport and looks whether it arrives. `make ship` runs it.

    python scripts/ship_kernels.py [KERNEL...] [--site FOLDER] [--keep FOLDER]

Each kernel is exported, its project is built into a wheel, and that is installed into a new environment in
which there is neither rsimport nor Rust. There the tests of the kernel run against the package, and what the
module says of itself has to be what it says under the import hook. Which of them compile for the stable ABI
is told, too.

What the tests need is installed from PyPI, or with `--site` taken from a folder of packages that has no
rsimport.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
TESTS = REPOSITORY / "pytests"
NEEDED = ["hypothesis", "numpy", "pytest"]
"""Without the peers of the kernels, tests that compare with them are skipped."""

OF_RSIMPORT = ("test_pickles_of_another_build_of_the_kernel_are_read", "test_pickled_heavy_hitters_are_read")
"""These read pickles that rsimport has written, which name it; a package's own pickles name the package."""

SAID = """
import importlib, json, sys
module = importlib.import_module(sys.argv[1])
kinds = {name: type(getattr(module, name)).__name__ for name in module.__all__}
print(json.dumps([module.__doc__, sorted(module.__all__), kinds]))
"""

CONFTEST = """
import pytest
from fixtures import project, run, start  # noqa: F401


@pytest.fixture(scope="session")
def shared_cache() -> None:
    pass
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kernels", nargs="*", metavar="KERNEL")
    parser.add_argument("--site", type=Path, help="a folder of packages that the tests may use")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave everything there")
    options = parser.parse_args()
    all_kernels = sorted(path.stem for path in (REPOSITORY / "kernels").glob("*.rs"))
    folder = options.keep or Path(tempfile.mkdtemp(prefix="ship-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        failed = [
            name for name in options.kernels or all_kernels if not arrives(name, folder / name, options.site)
        ]
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    print("all arrive" if not failed else f"these do not arrive: {', '.join(failed)}")
    return 1 if failed else 0


def arrives(name: str, folder: Path, site: Path | None) -> bool:
    """Does one kernel arrive? Says what became of it."""
    folder.mkdir()
    started = time.perf_counter()
    kernel = REPOSITORY / "kernels" / f"{name}.rs"
    steps = {
        "export": rsimport("export", kernel, folder / "project"),
        "wheel": rsimport("wheel", kernel, "--out", folder / "dist"),
    }
    failed = [f"{step}:\n{told}" for step, (code, told) in steps.items() if code]
    abi3, told = rsimport("wheel", kernel, "--out", folder / "abi3", "--abi3")
    faults = [line for line in told.splitlines() if line.startswith("error:")]
    stable = "abi3" if abi3 == 0 else (faults or [told])[0]
    if not failed:
        # Some tests compare with another kernel.
        texts = "".join(source.read_text(encoding="utf-8") for source in sources(name))
        others = [
            other for other in re.findall(r"from rsimport\.kernels import (\w+)", texts) if other != name
        ]
        wheels = [found for each in [name, *others] for found in folder.parent.glob(f"{each}/dist/*.whl")]
        python = environment(folder / "venv", wheels, site)
        failed = [*differences(name, python, folder), *tests(name, python, folder)]
    wheel = next((folder / "dist").glob("*.whl"), Path("no wheel")).name
    print(
        f"{name}: {'; '.join(failed) or 'arrives'}; {wheel}; {stable}; {time.perf_counter() - started:.0f} s",
        flush=True,
    )
    return not failed


def rsimport(*arguments: object) -> tuple[int, str]:
    """Runs a command of rsimport: exit code and what it said on stderr."""
    words = [sys.executable, "-m", "rsimport", *map(str, arguments)]
    ended = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return ended.returncode, ended.stderr


def environment(folder: Path, wheels: list[Path], site: Path | None) -> Path:
    """A new environment with the wheels; returns its Python."""
    venv.create(folder, with_pip=True, symlinks=os.name != "nt")
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if site is None:
        subprocess.run([*pip, *wheels, *NEEDED], check=True)
    else:
        subprocess.run([*pip, "--no-deps", *wheels], check=True)
        packages = next(folder.glob("lib*/python*/site-packages"))
        (packages / "tests.pth").write_text(f"{site}\n")
    return python


def without_rust(python: Path) -> dict[str, str]:
    """Variables with which only the environment's programs and the system's own are found."""
    known = ("LANG", "SYSTEMROOT", "TEMP", "TMPDIR")
    kept = {name: os.environ[name] for name in known if name in os.environ}
    return {
        **kept,
        "PATH": f"{python.parent}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "HOME": str(python.parents[1]),
    }


def differences(name: str, python: Path, folder: Path) -> list[str]:
    """What the package says of itself other than the kernel does."""
    here = said([sys.executable, "-c", SAID, f"rsimport.kernels.{name}"], dict(os.environ), folder)
    there = said([str(python), "-c", SAID, name], without_rust(python), folder)
    alone = subprocess.run(
        [python, "-c", "import rsimport"], env=without_rust(python), cwd=folder, capture_output=True
    )
    found = ["rsimport is installed there"] if alone.returncode == 0 else []
    return found if here == there else [*found, f"says {there} and not {here}"]


def said(words: list[str], env: dict[str, str], folder: Path) -> object:
    ended = subprocess.run(words, env=env, cwd=folder, capture_output=True, text=True)
    return json.loads(ended.stdout) if ended.returncode == 0 else ended.stderr


def tests(name: str, python: Path, folder: Path) -> list[str]:
    """Runs the tests of the kernel, and those of its project, against the package."""
    place = folder / "tests"
    place.mkdir()
    for file in ("helpers.py", "stub_pyo3.py"):
        shutil.copyfile(TESTS / file, place / file)
    shutil.copyfile(TESTS / "conftest.py", place / "fixtures.py")
    (place / "conftest.py").write_text(CONFTEST)
    for source in sources(name):
        target = place / source.relative_to(TESTS)
        target.parent.mkdir(exist_ok=True)
        target.write_text(of_package(source.read_text(encoding="utf-8")), encoding="utf-8")
    if (data := TESTS / name / "saved").is_dir():
        shutil.copytree(data, place / name / "saved")
    ended = run_pytest(python, place)
    print(f"  {name}: {ended.stdout.strip().splitlines()[-1] if ended.stdout else ended.stderr}", flush=True)
    own = run_pytest(python, folder / "project/tests")
    return [f"tests:\n{each.stdout[-3000:]}{each.stderr[-500:]}" for each in (ended, own) if each.returncode]


def sources(name: str) -> list[Path]:
    """The tests of a kernel."""
    found = TESTS.glob(f"test_kernel_{name}*.py")
    own = [path for path in found if re.fullmatch(rf"test_kernel_{name}(_(calls|ends))?", path.stem)]
    return sorted([*own, *(TESTS / name).rglob("*.py")])


def run_pytest(python: Path, place: Path) -> subprocess.CompletedProcess[str]:
    words = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(place), str(place)]
    words += ["-k", f"not ({' or '.join(OF_RSIMPORT)})"]
    return subprocess.run(words, env=without_rust(python), cwd=place, capture_output=True, text=True)


def of_package(text: str) -> str:
    """A test of a shipped kernel as one of the package."""
    text = re.sub(r"from rsimport\.kernels import (\w+)", r"import \1", text)
    # C functions are in the library, which is not the package.
    text = re.sub(r"\bCDLL\((\w+)\.__file__\)", r"CDLL(\1._\1.__file__)", text)
    return text.replace("from rsimport.kernels.", "from ").replace("rsimport.kernels.", "")


if __name__ == "__main__":
    sys.exit(main())
