"""Checks with a real rust-analyzer that `rsimport ide` makes it understand kernels.

    python scripts/accept_analyzer.py [RUST_ANALYZER]

For each shipped kernel: the definition of `PyResult` is in PyO3's source; `py.` is completed with `detach`;
an error that is not saved, and one that is, are told on the line of the user's file; and the kernel as it is
has no diagnostics, in the same session that has told the others. `make accept-analyzer` runs it.

RUST_SRC_PATH names the sources of the standard library if the toolchain has none. An analyzer that is older
than the toolchain cannot run its macros: MACROS_PATH names a folder with a cargo and a rustc of its own age,
by which `rsimport ide` is run; what is saved is then checked by the usual ones.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
LIMIT = 300.0

PROBE = "\nfn rsimport_probe(py: Python<'_>) -> PyResult<()> {\n    py.\n    Ok(())\n}\n"
WRONG = "\nfn rsimport_probe() -> PyResult<()> {\n    std::mem::drop(1, 2);\n    Ok(())\n}\n"


class Analyzer:
    """A rust-analyzer, asked as an editor asks it."""

    def __init__(self, program: str, root: Path, options: dict[str, Any]) -> None:
        self.options = options
        self.replies: dict[int, Any] = {}
        self.diagnostics: dict[str, list[dict[str, Any]]] = {}
        self.checks = 0
        self.status: dict[str, Any] = {}
        self.messages: list[str] = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            [program], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        threading.Thread(target=self._read, daemon=True).start()
        capabilities = {
            "workspace": {"configuration": True},
            "window": {"workDoneProgress": True},
            "textDocument": {"publishDiagnostics": {}, "definition": {"linkSupport": False}},
            "experimental": {"serverStatusNotification": True},
        }
        self.ask(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": root.as_uri(),
                "workspaceFolders": [{"uri": root.as_uri(), "name": "kernels"}],
                "capabilities": capabilities,
                "initializationOptions": options,
            },
        )
        self.tell("initialized", {})

    def tell(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def ask(self, method: str, params: object) -> Any:
        number = len(self.replies) + 1
        with self.changed:
            self.replies[number] = ...
        self._send({"id": number, "method": method, "params": params})
        return self.until(lambda: self.replies[number] is not ... and [self.replies[number]], method)[0]

    def until(self, true: Callable[[], Any], what: str) -> Any:
        end = time.monotonic() + LIMIT
        with self.changed:
            while not (seen := true()):
                if not self.changed.wait(0.2) and time.monotonic() > end:
                    raise SystemExit(f"{what}: no answer; {self.status} {self.messages[-3:]}")
                if self.process.poll() is not None:
                    raise SystemExit(f"rust-analyzer has ended: {self.messages[-3:]}")
        return seen

    def ready(self) -> None:
        """Waits until everything is loaded and nothing has moved for some seconds."""
        self.until(lambda: self.status.get("quiescent"), "loading")
        time.sleep(4)
        self.until(lambda: self.status.get("quiescent"), "loading")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while line := stream.readline():
            length = 0
            while line.strip():
                name, _, text = line.decode().partition(":")
                length = int(text) if name.lower() == "content-length" else length
                line = stream.readline()
            self._heard(json.loads(stream.read(length)))

    def _heard(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        with self.changed:
            if method is None:
                self.replies[message["id"]] = message.get("result", message.get("error"))
            elif "id" in message:
                items = params.get("items", []) if isinstance(params, dict) else []
                result = [self.options for _ in items] if method == "workspace/configuration" else None
                self._send({"id": message["id"], "result": result})
            elif method == "textDocument/publishDiagnostics":
                self.diagnostics[params["uri"]] = params["diagnostics"]
            elif method == "experimental/serverStatus":
                self.status = params
            elif method == "$/progress":
                ended = params["value"].get("kind") == "end"
                self.checks += ended and "flycheck" in str(params["token"]).lower()
            elif method == "window/showMessage":
                self.messages.append(params["message"])
            self.changed.notify_all()


class Document:
    """A kernel that is open in the editor."""

    def __init__(self, analyzer: Analyzer, path: Path) -> None:
        self.analyzer, self.path, self.text = analyzer, path, path.read_text(encoding="utf-8")
        self.uri, self.version = path.as_uri(), 1
        item = {"uri": self.uri, "languageId": "rust", "version": 1, "text": self.text}
        analyzer.tell("textDocument/didOpen", {"textDocument": item})

    def change(self, text: str) -> None:
        self.version += 1
        self.analyzer.tell(
            "textDocument/didChange",
            {
                "textDocument": {"uri": self.uri, "version": self.version},
                "contentChanges": [{"text": text}],
            },
        )
        self.now = text

    def save(self) -> None:
        self.path.write_text(self.now, encoding="utf-8")
        self.analyzer.tell("textDocument/didSave", {"textDocument": {"uri": self.uri}, "text": self.now})

    def at(self, needle: str, offset: int = 0) -> dict[str, Any]:
        before = self.now[: self.now.rindex(needle) + offset]
        place = {"line": before.count("\n"), "character": len(before) - (before.rfind("\n") + 1)}
        return {"textDocument": {"uri": self.uri}, "position": place}

    def told(self, source: str) -> list[tuple[int, str]]:
        found = self.analyzer.diagnostics.get(self.uri, [])
        return [
            (one["range"]["start"]["line"] + 1, one["message"].splitlines()[0][:100])
            for one in found
            if one.get("source") == source and one.get("severity", 1) <= 2
        ]


def accept(document: Document) -> list[str]:
    """What does not work in one kernel."""
    analyzer, text, faults = document.analyzer, document.text, []
    document.now = text
    if untouched := [*document.told("rust-analyzer"), *document.told("rustc")]:
        faults.append(f"untouched: {untouched[:3]}")
    document.change(text + PROBE)
    answer = analyzer.ask("textDocument/definition", document.at("PyResult<()>", 2)) or []
    places = [place["uri"] for place in (answer if isinstance(answer, list) else [answer])]
    if not any("/pyo3-" in place for place in places):
        faults.append(f"the definition of PyResult is in {places}")
    answer = analyzer.ask("textDocument/completion", document.at("    py.\n", len("    py."))) or []
    items = answer.get("items", []) if isinstance(answer, dict) else answer
    if not any(item["label"].startswith("detach") for item in items):
        faults.append(f"py. is completed with {[item['label'] for item in items][:8]}")
    document.change(text + WRONG)
    line = (text + WRONG).splitlines().index("    std::mem::drop(1, 2);") + 1
    for source, step in (("rust-analyzer", lambda: None), ("rustc", document.save)):
        step()
        # A check of the text before may still be on its way.
        seen = analyzer.until(
            lambda source=source: (
                any(place == line for place, _ in document.told(source)) and document.told(source)
            ),
            f"{document.path.name}: {source}",
        )
        if [place for place, _ in seen] != [line]:
            faults.append(f"{source} tells {seen[:4]} instead of line {line}")
    document.change(text)
    checks = analyzer.checks
    document.save()
    gone = lambda: not document.told("rustc") and not document.told("rust-analyzer")  # noqa: E731
    analyzer.until(lambda: analyzer.checks > checks and gone(), f"{document.path.name}: the last check")
    time.sleep(1)
    if untouched := [*document.told("rust-analyzer"), *document.told("rustc")]:
        faults.append(f"after all: {untouched[:3]}")
    return faults


def main() -> int:
    program = sys.argv[1] if len(sys.argv) > 1 else shutil.which("rust-analyzer") or "rust-analyzer"
    said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split()
    if not said:
        print(f"{program} is no rust-analyzer")
        return 2
    # Those before 1.90 refuse a file that says how to check.
    knows = tuple(map(int, said[1].split("-")[0].split(".")[:2])) >= (1, 90)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        shipped = REPOSITORY / "rsimport" / "kernels"
        for path in shipped.iterdir():
            if path.suffix == ".rs":
                shutil.copy(path, root)
            elif path.is_dir() and path.name != "__pycache__":
                shutil.copytree(path, root / path.name)
        command = [sys.executable, "-m", "rsimport"]
        flags = [] if knows else ["--no-flycheck"]
        older = os.environ.get("MACROS_PATH")
        env = {**os.environ, "PATH": f"{older}{os.pathsep}{os.environ['PATH']}"} if older else None
        subprocess.run([*command, "ide", str(root), *flags], check=True, env=env)
        check = {"overrideCommand": [*command, "check", "--message-format=json", "$saved_file"]}
        analyzer = Analyzer(program, root, {} if knows else {"check": check})
        try:
            documents = [Document(analyzer, path) for path in sorted(root.glob("*.rs"))]
            analyzer.ready()
            print(" ".join(said), "is ready:", analyzer.status, *analyzer.messages[:3], flush=True)
            faults = {}
            for document in documents:
                name = document.path.name
                faults[name] = accept(document)
                print(f"{name}: {'; '.join(faults[name]) or 'ok'}", flush=True)
        finally:
            analyzer.close()
    return 1 if any(faults.values()) or len(faults) < 8 else 0


if __name__ == "__main__":
    sys.exit(main())
