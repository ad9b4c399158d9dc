"""JupyterLab in a browser: a cell with an error, its coloured diagnostic, the mended cell, its result."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import LIMIT, needs, wait_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

if CHROMIUM is None:
    pytest.skip("no browser is installed: apt-get install chromium", allow_module_level=True)

needs("playwright")
needs("jupyterlab")

MILLISECONDS = int(LIMIT * 1000)
PICTURES = os.environ.get("DOCS_PICTURES")
"""The folder into which the pictures of the documentation are written, if that is wanted."""
ATTEMPTS = 6
"""After which the browser counts as stuck."""

CELL = """%%rsimport -n step
use pyo3::prelude::*;

#[pyfunction]
fn value() -> i64 {
    TEXT
}
"""


@pytest.fixture
def lab(project: Path, tmp_path: Path, shared_cache: Path) -> Iterator[str]:
    """The address of an empty notebook in a JupyterLab of this test's own."""
    import nbformat

    sheet = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("%load_ext rsimport")])
    sheet.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(sheet, project / "a.ipynb")
    places = [
        "JUPYTER_RUNTIME_DIR",
        "JUPYTER_CONFIG_DIR",
        "JUPYTERLAB_WORKSPACES_DIR",
        "JUPYTERLAB_SETTINGS_DIR",
    ]
    own = {place: str(tmp_path / place.lower()) for place in [*places, "IPYTHONDIR"]}
    options = ["--no-browser", "--allow-root", "--ServerApp.port=0", "--ServerApp.port_retries=0"]
    log = (tmp_path / "log").open("w")
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options, "--IdentityProvider.token=t"],
        cwd=project,
        env={**os.environ, **own},
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        state = Path(own["JUPYTER_RUNTIME_DIR"]) / f"jpserver-{server.pid}.json"
        wait_for(state)
        port = json.loads(state.read_text())["port"]
        yield f"http://localhost:{port}/lab/tree/a.ipynb?token=t&reset"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=LIMIT)
        log.close()


@pytest.fixture
def page(lab: str) -> Iterator[Any]:
    """The notebook in a browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1080, "height": 800}, device_scale_factor=2)
        # On a slow machine JupyterLab may ask which kernel it shall start; what it proposes is right.
        page.add_locator_handler(
            page.locator(".jp-Dialog .jp-mod-accept").first, lambda accept: accept.click()
        )
        page.set_default_timeout(MILLISECONDS)
        page.goto(lab)
        yield page
        browser.close()


def run_cell(page: Any, number: int, text: str) -> Any:
    """Types a cell, runs it, and returns what is shown below it once it has ended."""
    from playwright.sync_api import expect

    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(number)
    prompt = cell.locator(".jp-InputPrompt").first
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    before = prompt.text_content()
    for attempt in range(ATTEMPTS):
        cell.locator(".cm-content").click()
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(text)
        page.keyboard.press("Shift+Enter")
        try:
            expect(prompt).not_to_have_text(before, timeout=MILLISECONDS / ATTEMPTS)
        except AssertionError:
            # While the page is still being put together, a key press may be lost.
            if attempt == ATTEMPTS - 1:
                raise
        else:
            break
    expect(prompt).to_have_text(re.compile(r"\[\d+\]"), timeout=MILLISECONDS)
    return cell.locator(".jp-OutputArea-output")


def picture(page: Any, name: str, count: int) -> None:
    """Writes what the first cells show into the documentation."""
    if PICTURES:
        page.add_style_tag(content=".jp-cell-toolbar { visibility: hidden }")
        page.mouse.move(0, 0)
        cells = page.locator(".jp-Notebook .jp-CodeCell")
        first, last = (cells.nth(number).bounding_box() for number in (0, count - 1))
        clip = {**first, "height": last["y"] + last["height"] - first["y"]}
        page.screenshot(path=Path(PICTURES) / name, clip=clip)


def test_an_error_is_shown_in_colour_and_the_mended_cell_gives_its_result(page: Any) -> None:
    assert run_cell(page, 0, "%load_ext rsimport").count() == 0
    shown = run_cell(page, 1, CELL.replace("TEXT", '"WRONG"'))
    text = shown.text_content()
    assert "E0308" in text and "<cell step>:6:5" in text and "Traceback" not in text
    marked = shown.locator("[class*=ansi-red]", has_text="error[E0308]")
    ordinary = shown.locator("pre").first
    colour = "element => getComputedStyle(element).color"
    assert marked.first.evaluate(colour) != ordinary.evaluate(colour)
    picture(page, "notebook_error.png", 2)
    assert run_cell(page, 1, CELL.replace("TEXT", "4321")).count() == 0
    assert run_cell(page, 2, "value()").text_content().strip() == "4321"
    picture(page, "notebook_result.png", 3)
    # Rust is coloured as Rust, in which `fn` and `use` are words of the language.
    run_cell(page, 3, "fn = use = 'text'")
    cells = [page.locator(".jp-Notebook .jp-CodeCell").nth(number) for number in (1, 3)]
    coloured = [set(cell.locator(".cm-line span").all_text_contents()) for cell in cells]
    assert {"fn", "use"} <= coloured[0] and not {"fn", "use"} & coloured[1]
