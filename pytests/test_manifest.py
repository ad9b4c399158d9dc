"""Manifest blocks that are wrong: cargo's words or ours, always with the user's file and line."""

from __future__ import annotations

import pytest
from helpers import block, line_of, names_line, value


@pytest.mark.parametrize(
    ("lines", "word", "expected"),
    [
        (
            ["[dependencies]", 'no-such-crate-anywhere-7f3 = "1"'],
            "no-such-crate-anywhere-7f3",
            "no-such-crate",
        ),
        (["[dependencies]", "# why", 'itoa = "99"'], "itoa", "99"),
        (["[dependencies]", 'itoa = "not a version"'], "itoa", "not a version"),
        (["[dependencies]", 'gone = { path = "gone" }'], "gone", "gone"),
        (["[dependencies]", 'itoa = { version = "1", features = ["loudest"] }'], "itoa", "loudest"),
    ],
    ids=["no such crate", "no such version", "no version", "no such path", "no such feature"],
)
def test_a_dependency_that_cannot_be_had_is_a_config_error_at_its_line(kernel, report, lines, word, expected):
    path = kernel("k", value(1), block=block(*lines))
    said = report()
    assert said["kind"] == "ConfigError", said["text"]
    assert word in said["text"] and expected in said["text"]
    assert names_line(said["text"], path, line_of(path, word)), said["text"]


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (["[dependencies]", "itoa ="], "itoa ="),
        (["[dependencies", 'itoa = "1"'], "[dependencies"),
        (["[dependencies]", 'itoa = "1"', 'itoa = "1"  # again'], "again"),
        (["[dependencies]", "itoa = 1"], "itoa"),
        (["[dependencys]", 'itoa = "1"'], "dependencys"),
        (["[package.metadata.rsimport]", "profil = 'dev'"], "profil"),
    ],
    ids=["no value", "no bracket", "a key twice", "a wrong type", "an unknown table", "an unknown setting"],
)
def test_a_bad_block_is_a_config_error_at_its_line(kernel, report, lines, word):
    path = kernel("k", value(1), block=block(*lines))
    said = report()
    assert said["kind"] == "ConfigError", said["text"]
    assert names_line(said["text"], path, line_of(path, word)), said["text"]


def test_an_unknown_key_is_named(kernel, report):
    kernel("k", value(1), block=block("[package.metadata.rsimport]", "profil = 'dev'"))
    assert "profil" in report()["text"]


@pytest.mark.parametrize(
    "second", [block("[dependencies]"), None], ids=["two blocks", "frontmatter and block"]
)
def test_two_manifest_blocks_are_an_error_at_the_second(run, project, report, second):
    path = project / "k.rs"
    if second:
        path.write_text("// rsimport\n" + block("[dependencies]") + "//!\n" + second + value(1))
        line = [n for n, text in enumerate(path.read_text().splitlines(), 1) if text == "//! ```cargo"][1]
    else:
        path.write_text("---\n[package.metadata.rsimport]\n---\n" + block("[dependencies]") + value(1))
        line = line_of(path, "```cargo")
    said = report()
    fence_or_content = (line, line + 1)
    assert said["kind"] == "ConfigError", said["text"]
    assert any(names_line(said["text"], path, line) for line in fence_or_content), said["text"]


def test_a_block_that_never_ends_is_a_config_error(run, project, report):
    (project / "k.rs").write_text(
        "// rsimport\n//! ```cargo\n//! [dependencies]\nuse pyo3::prelude::*;\n" + value(1)
    )
    said = report()
    assert said["kind"] == "ConfigError" and names_line(said["text"], project / "k.rs", 2), said["text"]
