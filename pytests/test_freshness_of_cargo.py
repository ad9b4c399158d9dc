"""The table at the head of `src/freshness/mod.rs`, line by line: the same edit for cargo and for rsimport.

Each project is a program that cargo builds and a kernel that rsimport builds, of one text, in one folder. A
row changes something and tells who builds again; what is built has to come to the same number.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from helpers import LIMIT, block, package, write
from stub_pyo3 import dependency, module

from rsimport import _engine
from rsimport._python import ABI, interpreter

BOTH, NOBODY, CARGO, RSIMPORT = (True, True), (False, False), (True, False), (False, True)
"""Who builds again, cargo and rsimport."""

HOST = next(
    line.split()[1]
    for line in subprocess.run(["rustc", "-vV"], capture_output=True, text=True).stdout.splitlines()
    if line.startswith("host:")
)
ELSEWHERE = ("x86_64" if HOST.startswith("aarch64") else "aarch64") + "-unknown-linux-gnu"
TARGET = f"CARGO_TARGET_{HOST.upper().replace('-', '_')}"


class Row(NamedTuple):
    """An edit."""

    name: str
    files: Mapping[str, str | Path | None]
    """New contents; None removes a file, a path makes a link to it."""
    builds: tuple[bool, bool] = BOTH
    env: Mapping[str, str | None] = MappingProxyType({})
    """Variables, which stay for the rows below."""
    dated: int | None = None
    """Seconds since 1970 that the files get as their date."""


class Side(NamedTuple):
    """What one side did."""

    built: bool
    number: int


def bare() -> dict[str, str]:
    """An environment without anybody's configuration."""
    kept = {"PATH", "HOME", "RUSTUP_HOME", "CARGO_HOME", "LD_LIBRARY_PATH"}
    return {name: text for name, text in os.environ.items() if name in kept} | {"CARGO_INCREMENTAL": "0"}


class Project:
    """A program and a kernel of one text."""

    def __init__(self, folder: Path, stub: Path, files: dict[str, str], body: str, *lines: str) -> None:
        self.folder = folder
        self.kernel = folder / "k.rs"
        self.env = bare()
        manifest = package("host") + '[[bin]]\nname = "host"\npath = "main.rs"\n[dependencies]\n'
        write(
            folder,
            {
                **files,
                "Cargo.toml": manifest + "\n".join(lines) + "\n",
                "main.rs": "#![allow(unexpected_cfgs)]\nmod part;\n"
                + f'fn main() {{\n    println!("{{}}", {body});\n}}\n',
                "k.rs": "// rsimport\n"
                + block("[dependencies]", dependency(stub), *lines)
                + f"#![allow(unexpected_cfgs)]\nmod part;\n{module(body)}// {uuid.uuid4().hex}\n",
                "part.rs": "pub fn number() -> i64 { 1 }\n",
            },
        )
        assert self.sides() == (Side(True, self.number), Side(True, self.number))

    def edit(self, row: Row) -> None:
        for name, text in row.files.items():
            path = self.folder / name
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, Path):
                path.unlink(missing_ok=True)
                path.symlink_to(text)
                continue
            path.write_text(text)
            if row.dated is not None:
                os.utime(path, (row.dated, row.dated))
        for name, text in row.env.items():
            self.env.pop(name, None)
            if text is not None:
                self.env[name] = text

    def sides(self) -> tuple[Side, Side]:
        return self.of_cargo(), self.of_rsimport()

    def cargo(self, folder: Path, *arguments: str) -> list[dict[str, Any]]:
        command = ["cargo", "build", "--message-format=json", "--offline", *arguments]
        done = subprocess.run(
            command, cwd=folder, env=self.env, capture_output=True, text=True, timeout=LIMIT
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def of_cargo(self) -> Side:
        program = next(message for message in self.cargo(self.folder) if message.get("executable"))
        said = subprocess.run([program["executable"]], capture_output=True, text=True, check=True)
        self.number = int(said.stdout)
        return Side(not program["fresh"], self.number)

    def of_rsimport(self) -> Side:
        before = dict(os.environ)
        own = {name: text for name, text in before.items() if name.startswith("RSIMPORT_")} | self.env
        os.environ.clear()
        os.environ.update(own)
        try:
            settings = {"profile": "dev", "target_cpu": "generic", "progress": False, "offline": True}
            kernel = str(self.kernel)
            found = _engine.lookup(kernel, "k", ABI, settings)
            built = found or _engine.build(kernel, "k", ABI, interpreter(), settings, None)
        finally:
            os.environ.clear()
            os.environ.update(before)
        return Side(found is None, loaded(built.path))


class Crate(Project):
    """A crate that both build, in a folder `k` of this one."""

    def __init__(self, folder: Path, stub: Path, body: str) -> None:
        self.folder = folder
        self.kernel = folder / "k"
        self.env = bare()
        self.manifest = package("k") + f'[lib]\ncrate-type = ["cdylib"]\n[dependencies]\n{dependency(stub)}\n'
        lib = f"// rsimport\n#![allow(unexpected_cfgs)]\n{module(body)}// {uuid.uuid4().hex}\n"
        write(self.kernel, {"Cargo.toml": self.manifest, "src/lib.rs": lib})
        assert self.sides() == (Side(True, self.number), Side(True, self.number))

    def of_cargo(self) -> Side:
        target = self.folder.with_name(self.folder.name + "-target")
        messages = self.cargo(self.kernel, "--target-dir", str(target))
        made = next(one for one in messages if one.get("target", {}).get("crate_types") == ["cdylib"])
        # A library that is loaded is not to be replaced.
        library = shutil.copy(made["filenames"][0], str(target / f"{uuid.uuid4().hex}.so"))
        self.number = loaded(library)
        return Side(not made["fresh"], self.number)


def loaded(library: str) -> int:
    spec = spec_from_loader("k", ExtensionFileLoader("k", library))
    assert spec is not None
    value: int = module_from_spec(spec).value()
    return value


def lib(body: str) -> str:
    return f"pub fn number() -> i64 {{\n    {body}\n}}\n"


SAYS = 'option_env!("{}").map_or(0, |text| text.len() as i64)'
SCRIPT = """
mod more;
fn main() {
    println!("cargo:rerun-if-changed=one.txt");
    println!("cargo::rerun-if-changed=watched");
    println!("cargo:rerun-if-env-changed=SCRIPT_SAYS");
    let files = ["one.txt", "watched/deep/two.txt"].map(|name| std::fs::read_to_string(name).unwrap());
    let sum: i64 = files.iter().map(|text| text.trim().parse::<i64>().unwrap()).sum();
    let more = std::env::var("SCRIPT_SAYS").map_or(0, |text| text.len() as i64) + more::NUMBER;
    let out = std::path::Path::new(&std::env::var("OUT_DIR").unwrap()).join("number.in");
    std::fs::write(out, (sum + more).to_string()).unwrap();
}
"""
WHOLE = """
fn main() {
    let text = std::fs::read_to_string("data/any.txt").unwrap();
    println!("cargo:rustc-env=NUMBER={}", text.trim());
}
"""
MEMBER = """[package]
name = "member"
version.workspace = true
edition = "2021"
[dependencies]
other = { workspace = true }
"""
WORKSPACE = """[workspace]
members = ["member", "other"]
resolver = "2"
[workspace.package]
version = "1.0.0"
[workspace.dependencies]
other = { path = "other" }
"""
VERSION = 'env!("CARGO_PKG_VERSION").bytes().map(i64::from).sum::<i64>()'
HELPER = package("helper") + "[features]\nloud = []\n"

PACKAGES = {
    "helper/Cargo.toml": HELPER,
    "helper/src/lib.rs": "mod deep;\n"
    + lib(
        f'deep::number() + include_str!("data.txt").len() as i64 + {SAYS.format("HELPER_SAYS")} + {VERSION}'
        ' + cfg!(feature = "loud") as i64'
    ),
    "helper/src/deep.rs": lib("1"),
    "helper/src/data.txt": "1",
    "scripted/Cargo.toml": package("scripted"),
    "scripted/src/lib.rs": lib('include!(concat!(env!("OUT_DIR"), "/number.in"))'),
    "scripted/build.rs": SCRIPT,
    "scripted/more.rs": "pub const NUMBER: i64 = 1;\n",
    "scripted/one.txt": "1",
    "scripted/watched/deep/two.txt": "1",
    "whole/Cargo.toml": package("whole"),
    "whole/src/lib.rs": lib('env!("NUMBER").parse().unwrap()'),
    "whole/build.rs": WHOLE,
    "whole/data/any.txt": "1",
    "ws/Cargo.toml": WORKSPACE,
    "ws/member/Cargo.toml": MEMBER,
    "ws/member/src/lib.rs": lib(f"other::number() + {VERSION}"),
    "ws/other/Cargo.toml": package("other") + "[features]\nloud = []\n",
    "ws/other/src/lib.rs": lib('cfg!(feature = "loud") as i64'),
}
LINKED = """
fn main() {
    println!("cargo:rerun-if-changed=said.txt");
    let said = ["said.txt", "said.txt/in"].iter().find_map(|name| std::fs::read_to_string(name).ok());
    println!("cargo::metadata=SAYS={}", said.unwrap().trim());
}
"""
USER = """
fn main() {
    println!("cargo:rerun-if-env-changed=CARGO_BUILD_JOBS");
    let jobs = std::env::var("CARGO_BUILD_JOBS").map_or(0, |text| text.len());
    let said: usize = std::env::var("DEP_LINKED_SAYS").unwrap().parse().unwrap();
    println!("cargo:rustc-env=NUMBER={}", said + jobs);
}
"""
MACRO = """
#[proc_macro]
pub fn number(_: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/included.txt");
    format!("{} + include_str!({file:?}).len() as i64", linked::number()).parse().unwrap()
}
"""
PACKAGES |= {
    "linked/Cargo.toml": package("linked").replace("\n", '\nlinks = "linked"\n', 1),
    "linked/src/lib.rs": lib("1"),
    "linked/build.rs": LINKED,
    "linked/said.txt": "1",
    "user/Cargo.toml": package("user") + '[dependencies]\nlinked = { path = "../linked" }\n',
    "user/src/lib.rs": lib('env!("NUMBER").parse().unwrap()'),
    "user/build.rs": USER,
    "macros/Cargo.toml": package("macros")
    + '[lib]\nproc-macro = true\n[dependencies]\nlinked = { path = "../linked" }\n',
    "macros/src/lib.rs": MACRO,
    "macros/included.txt": "1",
}
PATHS = {
    "helper": "helper",
    "user": "user",
    "macros": "macros",
    "scripted": "scripted",
    "whole": "whole",
    "member": "ws/member",
}

DESCRIBED = PACKAGES["user/Cargo.toml"].replace("[dep", 'description = "any"\n[dep')

OF_PACKAGES = [
    Row("nothing", {}, NOBODY),
    Row("a file beside the kernel", {"beside.txt": "x"}, NOBODY),
    Row("the code of a dependency", {"helper/src/deep.rs": lib("2")}),
    Row("a file that a dependency includes", {"helper/src/data.txt": "22"}),
    Row("a variable that a dependency reads", {}, env={"HELPER_SAYS": "1"}),
    Row("a test of a dependency", {"helper/tests/any.rs": ""}, NOBODY),
    Row("a comment in its manifest", {"helper/Cargo.toml": "# more\n" + HELPER}, NOBODY),
    Row("its dependencies for tests", {"helper/Cargo.toml": HELPER + "[dev-dependencies]\n"}, NOBODY),
    Row("its version", {"helper/Cargo.toml": HELPER.replace("0.1.0", "0.2.0")}),
    Row("its features", {"helper/Cargo.toml": HELPER.replace("loud = []", 'default = ["loud"]\nloud = []')}),
    Row("a date of its code", {"helper/src/deep.rs": lib("2")}, CARGO),
    Row("code with an old date", {"helper/src/deep.rs": lib("1")}, RSIMPORT, dated=10**9),
    Row("code with a new date", {"helper/src/deep.rs": lib("3")}),
    Row("a build script", {"scripted/build.rs": SCRIPT + "// more\n"}),
    Row("a file of a build script", {"scripted/more.rs": "pub const NUMBER: i64 = 2;\n"}),
    Row("a file that a build script watches", {"scripted/one.txt": "2"}),
    Row("a file in a folder that it watches", {"scripted/watched/deep/two.txt": "2"}),
    Row("a new file in that folder", {"scripted/watched/new.txt": "2"}),
    Row("a hidden file in that folder", {"scripted/watched/.hidden": "2"}),
    Row("a file of its package that it does not watch", {"scripted/two.txt": "2"}, NOBODY),
    Row("a variable that it watches", {}, env={"SCRIPT_SAYS": "1"}),
    Row("the package of a script that watches nothing", {"whole/data/any.txt": "2"}),
    Row("a new file in that package", {"whole/new.txt": "2"}),
    Row("a hidden file in that package", {"whole/.hidden": "2"}, NOBODY),
    Row(
        "a feature that is inherited",
        {"ws/Cargo.toml": WORKSPACE.replace('other" }', 'other", features = ["loud"] }')},
    ),
    Row("a version that is inherited", {"ws/Cargo.toml": WORKSPACE.replace("1.0.0", "1.0.1")}),
    Row(
        "a comment in the workspace",
        {"ws/Cargo.toml": WORKSPACE.replace("1.0.0", "1.0.1") + "# more\n"},
        NOBODY,
    ),
    Row(
        "what nobody inherits",
        {"ws/Cargo.toml": WORKSPACE.replace("1.0.0", "1.0.1") + 'itoa = "1"\n'},
        NOBODY,
    ),
    Row("a build script that comes", {"helper/build.rs": "fn main() {}\n"}),
    Row("what a script says to those of dependents", {"linked/said.txt": "2"}),
    Row("the same with an old date", {"linked/said.txt": "3"}, RSIMPORT, dated=10**9),
    Row(
        "a variable of cargo's that a script watches", {"linked/said.txt": "4"}, env={"CARGO_BUILD_JOBS": "2"}
    ),
    Row("that variable alone", {}, env={"CARGO_BUILD_JOBS": None}),
    Row("what the code of a macro includes", {"macros/included.txt": "22"}),
    Row("what a macro depends on", {"linked/src/lib.rs": lib("2")}),
    Row("a module that becomes a folder", {"helper/src/deep.rs": None, "helper/src/deep/mod.rs": lib("5")}),
    Row(
        "one that becomes a link",
        {
            "helper/src/old.rs": lib("6"),
            "helper/src/new.rs": lib("7"),
            "helper/src/deep/mod.rs": Path("../old.rs"),
        },
    ),
    Row("the link to another file", {"helper/src/deep/mod.rs": Path("../new.rs")}, RSIMPORT, dated=10**9),
    Row("what the link leads to", {"helper/src/new.rs": lib("8")}),
    Row("a watched file that becomes a folder", {"linked/said.txt": None, "linked/said.txt/in": "5"}),
    Row("what is in it", {"linked/said.txt/in": "6"}),
    Row(
        "a dependency for other systems",
        {
            "user/Cargo.toml": PACKAGES["user/Cargo.toml"] + "[target.'cfg(windows)'.dependencies]\n"
            'helper = { path = "../helper" }\n'
        },
        RSIMPORT,
    ),
    Row("what only describes a package", {"user/Cargo.toml": DESCRIBED}, RSIMPORT),
]

BODY = (
    'part::number() + include_str!("data.txt").len() as i64'
    ' + include_str!(concat!("more", ".txt")).len() as i64 + '
    + " + ".join(
        SAYS.format(name) for name in ("KERNEL_SAYS", "CONFIG_SAYS", "CARGO_BUILD_JOBS", "CARGO_TERM_COLOR")
    )
    + " + cfg!(one) as i64 + 2 * cfg!(two) as i64 + 4 * cfg!(debug_assertions) as i64"
)
CONFIG = '[env]\nCONFIG_SAYS = "1"\n[net]\nretry = 1\n'
FLAGS = "rustflags = ['--cfg=one']\n"
RELATIVE = "[env]\nKERNEL_SAYS = { value = 'x', relative = true, force = true }\n"

OF_CONFIGURATION = [
    Row("nothing", {}, NOBODY),
    Row("a mod file", {"part.rs": "pub fn number() -> i64 { 2 }\n"}),
    Row("include_str!", {"data.txt": "22"}),
    Row("include_str!(concat!())", {"more.txt": "22"}),
    Row("env!", {}, env={"KERNEL_SAYS": "1"}),
    Row("a variable that nothing reads", {}, NOBODY, env={"UNRELATED": "1"}),
    Row("cargo's configuration", {".cargo/config.toml": CONFIG}),
    Row(
        "its settings for the network",
        {".cargo/config.toml": CONFIG.replace("retry = 1", "retry = 2")},
        NOBODY,
    ),
    Row("[env]", {".cargo/config.toml": CONFIG.replace('"1"', '"22"')}),
    Row("a variable of [env] in the environment", {}, env={"CONFIG_SAYS": "333"}),
    Row("that variable without [env]", {".cargo/config.toml": ""}, RSIMPORT),
    Row(
        "what configuration includes",
        {".cargo/config.toml": "include = ['more.toml']\n", ".cargo/more.toml": f"[build]\n{FLAGS}"},
    ),
    Row("a change in what it includes", {".cargo/more.toml": f"[build]\n{FLAGS.replace('one', 'two')}"}),
    Row(
        "the older name beside it",
        {".cargo/config": f"[target.'cfg(all())']\n{FLAGS.replace('one', 'three')}"},
    ),
    Row("a change of the newer name then", {".cargo/config.toml": f"[build]\n{FLAGS}"}, NOBODY),
    Row("flags for the platform", {}, env={f"{TARGET}_RUSTFLAGS": "--cfg=two"}),
    Row("flags as a text", {".cargo/config": f"[target.{HOST}]\nrustflags = '--cfg=one --cfg=four'\n"}),
    Row(
        "the list of its words",
        {".cargo/config": f"[target.{HOST}]\nrustflags = ['--cfg=one', '--cfg=four']\n"},
        NOBODY,
    ),
    Row("RUSTFLAGS", {}, env={"RUSTFLAGS": "--cfg=one --cfg=five"}),
    Row("RUSTFLAGS that are blank", {}, env={"RUSTFLAGS": " ", "KERNEL_SAYS": "333"}),
    Row("a variable for flags that these beat", {}, NOBODY, env={"CARGO_BUILD_RUSTFLAGS": "--cfg=seven"}),
    Row("a profile in the environment", {}, env={"CARGO_PROFILE_DEV_DEBUG_ASSERTIONS": "false"}),
    Row("a linker", {".cargo/config": f"[target.{HOST}]\nlinker = 'cc'\n"}),
    Row(
        "one for other CPUs",
        {".cargo/config": f"[target.{HOST}]\nlinker = 'cc'\n[target.{ELSEWHERE}]\nlinker = 'x'\n"},
        NOBODY,
        env={f"CARGO_TARGET_{ELSEWHERE.upper().replace('-', '_')}_LINKER": "y"},
    ),
    Row(
        "another folder for builds",
        {".cargo/config": f"[build]\nbuild-dir = 'elsewhere'\n[target.{HOST}]\nlinker = 'cc'\n"},
        CARGO,
    ),
    Row("env! then", {}, env={"KERNEL_SAYS": "4444"}),
    Row("no configuration", {".cargo/config": ""}),
    Row(
        "how many run, and how",
        {
            ".cargo/config": "[build]\njobs = 2\nrustdocflags = '-q'\nincremental = true\n"
            f"[target.{HOST}]\nrunner = 'env'\n"
        },
        NOBODY,
    ),
    Row("the same rustc by its name", {".cargo/config": "[build]\nrustc = 'rustc'\n"}, NOBODY),
    Row(
        "the same in variables", {}, NOBODY, env={f"{TARGET}_RUNNER": "env", "CARGO_BUILD_RUSTDOC": "rustdoc"}
    ),
    Row("one of these that the kernel reads", {}, env={"CARGO_BUILD_JOBS": "2"}),
    Row("a variable that rsimport tells cargo otherwise", {}, env={"CARGO_TERM_COLOR": "always"}),
    Row("another profile", {".cargo/config": "[profile.release]\nlto = true\n"}, NOBODY),
    Row("a variable of another profile", {}, NOBODY, env={"CARGO_PROFILE_RELEASE_LTO": "true"}),
    Row("the profile", {".cargo/config": "[profile.dev]\nopt-level = 1\n"}),
    Row(
        "flags that a variable beats",
        {".cargo/config": f"[profile.dev]\nopt-level = 1\n[build]\n{FLAGS}"},
        NOBODY,
    ),
    Row("the stronger variable for flags", {}, env={"CARGO_ENCODED_RUSTFLAGS": "--cfg=one\x1f--cfg=two"}),
    Row("the weaker one then", {}, NOBODY, env={"RUSTFLAGS": "--cfg=six"}),
    Row(
        "the same flags in the weaker one",
        {},
        NOBODY,
        env={"CARGO_ENCODED_RUSTFLAGS": None, "RUSTFLAGS": "--cfg=one  --cfg=two"},
    ),
    Row("[env] by force", {".cargo/config": "[env]\nKERNEL_SAYS = { value = 'x', force = true }\n"}),
    Row("the environment then", {}, NOBODY, env={"KERNEL_SAYS": "55555"}),
    Row("[env] relative to the file", {".cargo/config": RELATIVE}),
    Row("a variable of [env] that nothing reads", {".cargo/config": RELATIVE + "MORE = 'x'\n"}, RSIMPORT),
    Row(
        "what an included file adds to one",
        {
            ".cargo/config": "include = ['more.toml']\n[env]\nKERNEL_SAYS = { value = 'x' }\n",
            ".cargo/more.toml": "[env]\nKERNEL_SAYS = { value = 'y', force = true }\n",
        },
    ),
    Row("the environment then, as before", {}, NOBODY, env={"KERNEL_SAYS": "666666"}),
    Row(
        "variables that say how one gets at registries",
        {},
        NOBODY,
        env={"CARGO_NET_RETRY": "1", "CARGO_HTTP_TIMEOUT": "9", "CARGO_REGISTRIES_X_TOKEN": "x"},
    ),
    Row("where one is", {}, RSIMPORT, env={"CARGO_REGISTRIES_X_INDEX": "https://x.invalid"}),
    Row("what a nightly cargo reads", {}, RSIMPORT, env={"CARGO_UNSTABLE_MTIME_ON_USE": "false"}),
    Row("incremental data", {}, CARGO, env={"CARGO_INCREMENTAL": "1"}),
]

REPLACED = """[source.crates-io]
replace-with = "here"
[source.here]
directory = "one"
"""


def vendored(folder: str, number: int, checksum: str = ".cargo-checksum.json") -> dict[str, str]:
    """A package in a folder, as `cargo vendor` leaves it there."""
    return {
        f"{folder}/vendored/Cargo.toml": package("vendored").replace("0.1.0", "1.0.0"),
        f"{folder}/vendored/src/lib.rs": lib(str(number)),
        f"{folder}/vendored/{checksum}": '{"files": {}}',
    }


NAMES = """\
macro_rules! module { ($name:ident) => { mod $name; } }
module!(made);
#[path = "a b/ü.rs"] mod pathed;
pub fn number() -> i64 { made::number() + pathed::number() }
"""
OF_TWO_LINES = {"part.rs": lib(r'include_str!("of\ntwo lines").len() as i64'), "of\ntwo lines": "1"}
FROM_TWO = REPLACED.replace("one", "two")

OF_SOURCES = [
    Row("nothing", {}, NOBODY),
    Row(
        "a source that nothing asks for",
        {".cargo/config": REPLACED + "[source.x]\ndirectory = 'x'\n"},
        NOBODY,
    ),
    Row("how one gets at a registry", {".cargo/config": REPLACED + "[registries.x]\ntoken = 'x'\n"}, NOBODY),
    Row("another folder in the place of the registry", {".cargo/config": FROM_TWO}),
    Row("code that was vendored", vendored("two", 3), NOBODY),
    Row(
        "paths",
        {".cargo/config": "paths = ['over/vendored']\n" + FROM_TWO, **vendored("over", 4, "any")},
    ),
    Row("code there", vendored("over", 5, "any")),
    Row(
        "a patch",
        {
            ".cargo/config": FROM_TWO + "[patch.crates-io]\nvendored = { path = 'over/vendored' }\n",
            **vendored("over", 6, "any"),
        },
    ),
    Row("its code", vendored("over", 7, "any")),
    Row("modules of any names", {"part.rs": NAMES, "part/made.rs": lib("1"), "a b/ü.rs": lib("1")}),
    Row("one that a macro names", {"part/made.rs": lib("2")}),
    Row("one that a path names", {"a b/ü.rs": lib("2")}),
    Row("a file whose name has two lines", OF_TWO_LINES),
    Row("what it says", OF_TWO_LINES | {"of\ntwo lines": "22"}),
    Row("nothing then", {}, CARGO),
]

WORKSPACE_OF_K = '[workspace]\nmembers = ["k"]\n'
PROFILE = "[profile.dev]\ndebug-assertions = false\n"
OTHER = '[workspace]\nmembers = ["../k"]\n'


def of_crate(manifest: str) -> list[Row]:
    """Edits of a crate with this manifest, and of workspaces that it belongs to."""
    inherits = manifest.replace('version = "0.1.0"', "version.workspace = true")
    return [
        Row("nothing", {}, NOBODY),
        Row("a file beside it", {"k/beside.txt": "x"}, NOBODY),
        Row("a workspace that comes", {"Cargo.toml": WORKSPACE_OF_K + PROFILE}),
        Row("a comment in it", {"Cargo.toml": "# any\n" + WORKSPACE_OF_K + PROFILE}, NOBODY),
        Row(
            "another profile of it",
            {"Cargo.toml": WORKSPACE_OF_K + PROFILE + "[profile.release]\n"},
            RSIMPORT,
        ),
        Row("its profile", {"Cargo.toml": WORKSPACE_OF_K + PROFILE.replace("false", "true")}),
        Row(
            "a version that is inherited",
            {
                "Cargo.toml": WORKSPACE_OF_K + '[workspace.package]\nversion = "1.2.3"\n',
                "k/Cargo.toml": inherits,
            },
        ),
        Row(
            "a workspace elsewhere",
            {
                "Cargo.toml": None,
                "other/Cargo.toml": OTHER + PROFILE,
                "k/Cargo.toml": manifest.replace("[lib]", 'workspace = "../other"\n[lib]'),
            },
        ),
        Row("the profile there", {"other/Cargo.toml": OTHER + PROFILE.replace("false", "true")}),
    ]


@pytest.fixture
def packages(tmp_path_factory: pytest.TempPathFactory, stub: Path) -> Project:
    """A kernel with path dependencies of every kind."""
    lines = [f"{name} = {{ path = {json.dumps(path)} }}" for name, path in PATHS.items()]
    body = "part::number() + " + " + ".join(f"{name}::number()" for name in PATHS)
    body = body.replace("macros::number()", "macros::number!()")
    return Project(tmp_path_factory.mktemp("packages"), stub, PACKAGES, body, *lines)


@pytest.fixture
def configured(tmp_path_factory: pytest.TempPathFactory, stub: Path) -> Project:
    """A kernel without dependencies, which reads files and variables."""
    return Project(tmp_path_factory.mktemp("configured"), stub, {"data.txt": "1", "more.txt": "1"}, BODY)


def side_by_side(project: Project, rows: list[Row], subtests: pytest.Subtests) -> None:
    """The rows are edits of one project, one after the other."""
    for row in rows:
        with subtests.test(row.name):
            project.edit(row)
            cargo, rsimport = project.sides()
            assert (cargo.built, rsimport.built) == row.builds
            if row.dated is None:
                assert cargo.number == rsimport.number


def test_the_packages_of_a_kernel(packages: Project, subtests: pytest.Subtests) -> None:
    side_by_side(packages, OF_PACKAGES, subtests)


def test_files_variables_and_configuration(configured: Project, subtests: pytest.Subtests) -> None:
    side_by_side(configured, OF_CONFIGURATION, subtests)


def test_sources_and_names(
    tmp_path_factory: pytest.TempPathFactory, stub: Path, subtests: pytest.Subtests
) -> None:
    files = {".cargo/config": REPLACED, **vendored("one", 1), **vendored("two", 2)}
    body = "part::number() + vendored::number()"
    project = Project(tmp_path_factory.mktemp("sources"), stub, files, body, 'vendored = "1"')
    side_by_side(project, OF_SOURCES, subtests)


def test_a_crate_and_its_workspace(
    tmp_path_factory: pytest.TempPathFactory, stub: Path, subtests: pytest.Subtests
) -> None:
    body = f"100 * cfg!(debug_assertions) as i64 + {VERSION}"
    crate = Crate(tmp_path_factory.mktemp("crate"), stub, body)
    side_by_side(crate, of_crate(crate.manifest), subtests)


def test_a_variable_that_is_relative_to_the_configuration_is_another_one_in_a_copy(
    configured: Project, tmp_path: Path
) -> None:
    write(configured.folder, {".cargo/config": RELATIVE})
    before = configured.of_rsimport()
    copy = shutil.copytree(
        configured.folder, tmp_path / "another-place", ignore=shutil.ignore_patterns("target")
    )
    configured.kernel = copy / "k.rs"
    moved = len(str(copy)) - len(str(configured.folder))
    assert configured.of_rsimport() == Side(True, before.number + moved)


def test_own_flags_hold_wherever_the_user_gives_his(configured: Project) -> None:
    """cargo reads one of four places; what is set for rsimport has to be in the one that it reads."""
    own = {"RSIMPORT_RUSTFLAGS": "--cfg=one", "RUSTFLAGS": None, f"{TARGET}_RUSTFLAGS": None}
    places: list[tuple[dict[str, str | None], str]] = [
        ({}, ""),
        ({"RUSTFLAGS": "--cfg=two"}, ""),
        ({"CARGO_BUILD_RUSTFLAGS": "--cfg=two"}, ""),
        ({f"{TARGET}_RUSTFLAGS": "--cfg=two"}, ""),
        ({}, "[build]\nrustflags = ['--cfg=two']\n"),
        # Another word, since a list of the same ones would be the same build.
        ({}, "[build]\nrustflags = '--cfg=two --cfg=three'\n"),
        ({}, f"[target.{HOST}]\nrustflags = ['--cfg=two']\n"),
        ({}, "[target.'cfg(unix)']\nrustflags = '--cfg=two'\n"),
        # Flags for another platform do not make cargo forget those of the build.
        (
            {},
            "[target.riscv64gc-unknown-linux-gnu]\nrustflags = ['-g']\n"
            "[build]\nrustflags = ['--cfg=two', '--cfg=five']\n",
        ),
    ]
    before = dict(configured.env)
    plain = int(configured.of_rsimport().number)
    for env, config in places:
        configured.env = {name: text for name, text in {**before, **own, **env}.items() if text is not None}
        write(configured.folder, {".cargo/config": config})
        expected = plain + 1 + 2 * bool(env or config)
        assert configured.of_rsimport() == Side(True, expected), (env, config)
    configured.env = before
