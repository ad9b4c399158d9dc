"""Tells jupyterlab-lsp of rust-analyzer, which is not among the language servers that it knows by itself.

jupyter-lsp asks for it by the entry point `jupyter_lsp_spec_v1`. What rust-analyzer then knows of kernels is
in the `rust-project.json` that `rsimport ide` writes.
"""

from __future__ import annotations

import shutil

NAME = "rust-analyzer"


def servers(_manager: object) -> dict[str, dict[str, object]]:
    """What jupyter-lsp is to start for Rust; nothing where rust-analyzer is not on the path."""
    program = shutil.which(NAME)
    if program is None:
        return {}
    return {
        NAME: {
            "version": 2,
            "argv": [program],
            "display_name": NAME,
            # JupyterLab calls Rust by the name that its editor has for the MIME type.
            "languages": ["rust", "rustsrc"],
            "mime_types": ["text/rust", "text/x-rustsrc"],
            "urls": {"home": "https://rust-analyzer.github.io"},
        }
    }
