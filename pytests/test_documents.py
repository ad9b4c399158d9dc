"""What the documents say is true: blocks run, generated parts are current, links lead somewhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import REPOSITORY, Result

import rsimport

Run = Callable[..., Result]

RUNNER = REPOSITORY / "pytests" / "documents.py"
GENERATED = ("reference/", "calls.md", "decisions/")
"""Pages without blocks that a reader types."""

PAGES = sorted((REPOSITORY / "docs").rglob("*.md"))
DOCUMENTS = [REPOSITORY / "README.md"] + [
    page for page in PAGES if not str(page.relative_to(REPOSITORY / "docs")).startswith(GENERATED)
]
MOST_SKIPPED = 16
"""Of all documents together: what is not run is the exception."""


def name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_block_of_a_document_works(document: Path, run: Run) -> None:
    pytest.importorskip("sybil")
    run([str(RUNNER), str(document)])


FINE = """\
// rsimport
#[pyfunction]
fn value() -> i64 {
    RESULT
}
"""

BROKEN = {
    "a kernel": ('```rust title="k.rs"\n' + FINE.replace("RESULT", '"text"') + "```\n", "E0308"),
    "a kernel without a name": ("```rust\n" + FINE.replace("RESULT", "1") + "```\n", "title="),
    "a program": ("```python\nimport rsimport\n\nrsimport.no_such_name\n```\n", "no_such_name"),
    "a program with a name": ('```python title="p.py"\n1 / 0\n```\n', "ZeroDivisionError"),
    "a cell": ("```ipython\nmissing_name\n```\n", "missing_name"),
    "a command": ("```console\n$ rsimport cache no-such-command\n```\n", "exit 2"),
    "what a command prints": ("```console\n$ echo 1\n2\n```\n", "the document says"),
    "an output": ('```python\nprint(1)\n```\n\n```text title="output"\n2\n```\n', "the document says"),
    "a block of another kind": ("```toml\nkey = 1\n```\n", "title="),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_block_is_noticed(what: str, project: Path, run: Run) -> None:
    pytest.importorskip("sybil")
    pytest.importorskip("IPython")
    text, said = BROKEN[what]
    (project / "page.md").write_text(f"# A page\n\n{text}", encoding="utf-8")
    done = run([str(RUNNER), "page.md"], check=False)
    assert done.returncode == 1, done.text
    assert re.search(r"page\.md:\d+: this block fails", done.stderr), done.text
    assert said in done.text


def test_a_fine_page_runs_to_its_end(project: Path, run: Run) -> None:
    pytest.importorskip("sybil")
    kernel = '```rust title="k.rs"\n' + FINE.replace("RESULT", "7") + "```\n"
    program = "```python\nimport rsimport\n\nprint(rsimport.imp('k').value())\n```\n"
    shown = '```text title="output"\n7\n```\n'
    (project / "page.md").write_text("\n".join([kernel, program, shown]), encoding="utf-8")
    assert run([str(RUNNER), "page.md"]).out == "3 blocks ran"


def test_what_is_not_run_is_rare_and_says_why() -> None:
    found = [re.findall(r"<!-- *skip: *(.*?) *-->", page.read_text(encoding="utf-8")) for page in DOCUMENTS]
    reasons = [reason for page in found for reason in page]
    for reason in reasons:
        assert re.fullmatch(r'next "[^"]{10,}"', reason), reason
    assert len(reasons) <= MOST_SKIPPED


@pytest.mark.parametrize("script", ["scripts/reference.py", "benchmarks/tables.py"])
def test_the_generated_parts_are_current(script: str, run: Run) -> None:
    done = run([str(REPOSITORY / script), "--check"], check=False)
    assert done.returncode == 0, f"{done.text}\nhint: make docs"


def test_the_site_is_made_without_a_warning(project: Path, run: Run) -> None:
    pytest.importorskip("zensical")
    shutil.copytree(REPOSITORY / "docs", project / "docs")
    shutil.copy(REPOSITORY / "mkdocs.yml", project)
    run(["-m", "zensical", "build", "--strict"])
    pages = {page.relative_to(project / "site") for page in (project / "site").rglob("*.html")}
    assert {page.relative_to(REPOSITORY / "docs").with_suffix(".html") for page in PAGES} <= pages
    fetched = re.compile(r"""(?:src|href)=["']?(?:https?:)?//[^"' >]+(?:\.(?:css|js|woff2?)|shim)\b""")
    assert not [
        page for page in pages if fetched.search((project / "site" / page).read_text(encoding="utf-8"))
    ]


LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
WRITTEN_BY_HAND = [
    REPOSITORY / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
]


@pytest.mark.parametrize("document", [*WRITTEN_BY_HAND, *PAGES], ids=name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    for target in LINK.findall(_prose(document)):
        file, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = (document.parent / file).resolve() if file else document
        assert path.exists(), target
        if anchor and path.suffix == ".md":
            assert anchor in _anchors(path), target


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_path_that_a_map_names_exists(document: str) -> None:
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    named = re.findall(
        r"`((?:src|rsimport|docs|tests|pytests|benchmarks|kernels|templates|scripts)/[\w./-]*)`", text
    )
    missing = [path for path in named if not (REPOSITORY / path).exists()]
    assert named and not missing


def test_the_messages_under_troubleshooting_are_those_of_the_sources() -> None:
    files = [*(REPOSITORY / "src").rglob("*.rs"), *(REPOSITORY / "rsimport").rglob("*.py")]
    sources = " ".join(path.read_text(encoding="utf-8") for path in files)
    page = (REPOSITORY / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    tables = re.findall(
        r"^\| (.*?) \|", page.partition("## The import finds")[2].partition("## Slow")[0], re.M
    )
    quoted = [message for cell in tables for message in re.findall(r"`([^`]*[a-z][^`]*)`", cell)]
    ours = [message for message in quoted if not message.startswith(("ModuleNotFoundError", "PyO3 modules"))]
    pieces = {piece.strip() for message in ours for piece in message.split("…")}
    missing = {piece for piece in pieces if len(piece) > 4 and piece not in sources}
    assert len(pieces) > 40 and not missing


def test_every_class_of_errors_has_a_section_under_troubleshooting() -> None:
    page = (REPOSITORY / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    errors = [name for name in rsimport.__all__ if name.endswith("Error")]
    assert [name for name in errors if f"\n## {name}: " not in page] == []


def test_paragraphs_are_wrapped() -> None:
    wide = [
        f"{name(page)}: {line}"
        for page in [*WRITTEN_BY_HAND, *PAGES]
        if page.name != "calls.md"
        for line in _prose(page).splitlines()
        if len(line) > 120 and not line.startswith(("|", "![", "[", "<"))
    ]
    assert not wide


def _prose(page: Path) -> str:
    """A page without its blocks."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"^[ \t]*(```+).*?^[ \t]*\1[ \t]*$", "", text, flags=re.M | re.S)


def _anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as sites and GitHub make them."""
    headings = re.findall(r"^#+ +(.+?)(?: +\{ *#([\w-]+) *\})?$", path.read_text(encoding="utf-8"), re.M)
    return {
        own or re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading, own in headings
    }
