"""The engine: what decides, builds and remembers. `abi` is the suffix of extension modules."""

from collections.abc import Callable, Mapping
from typing import Literal, final

from rsimport._errors import RsimportError

__all__ = [
    "Artifact",
    "CacheEntry",
    "Check",
    "Damage",
    "Diagnostic",
    "Export",
    "Exported",
    "Follower",
    "Held",
    "Named",
    "Origin",
    "Part",
    "Project",
    "ProjectRun",
    "Setting",
    "Swept",
    "Why",
    "__version__",
    "address",
    "asks",
    "beside",
    "build",
    "bundle",
    "cache_clear",
    "cache_dir",
    "cache_due",
    "cache_entries",
    "cache_gc",
    "cache_mend",
    "cache_parts",
    "cache_why",
    "capsule",
    "cargo_is_native",
    "checks",
    "claim",
    "crate_source",
    "descriptions",
    "discard_images",
    "export",
    "format",
    "hold",
    "image",
    "inplace",
    "kernels",
    "key",
    "lacking",
    "lock_project",
    "lookup",
    "marked",
    "misspelled",
    "module_files",
    "note",
    "outline",
    "own_files",
    "pack",
    "parts",
    "project_open",
    "recall",
    "settings",
    "settings_table",
    "shown",
    "templates",
    "unfit",
    "unmet",
    "unpack",
    "warm",
    "wheels_folder",
    "write_cell",
    "write_source",
    "write_text",
]

__version__: str

_Stage = Literal["waiting", "dependencies", "kernel"]
_Progress = Callable[[_Stage, int, int, str], None]
_Given = Mapping[str, object]

@final
class Diagnostic:
    """A message of rustc about the user's code."""

    def __new__(
        cls,
        level: str,
        code: str | None,
        message: str,
        file: str | None,
        line: int | None,
        column: int | None,
        rendered: str,
        ansi: str,
    ) -> Diagnostic: ...
    def __getnewargs__(
        self,
    ) -> tuple[str, str | None, str, str | None, int | None, int | None, str, str]: ...
    @property
    def level(self) -> str:
        """`error`, `warning`, ..."""
    @property
    def code(self) -> str | None:
        """The error code (`E0308`) or the lint's name."""
    @property
    def message(self) -> str:
        """The headline."""
    @property
    def file(self) -> str | None:
        """The user's file, absolute."""
    @property
    def line(self) -> int | None:
        """1-based."""
    @property
    def column(self) -> int | None:
        """1-based."""
    @property
    def rendered(self) -> str:
        """rustc's own text without colours."""
    @property
    def ansi(self) -> str:
        """rustc's own text with ANSI colours."""

@final
class Artifact:
    """A built kernel in the cache."""

    @property
    def path(self) -> str:
        """The library inside the cache; it never changes, every build has a new one."""
    @property
    def source(self) -> str:
        """The kernel's source file; a crate's `lib.rs`."""
    @property
    def module(self) -> str:
        """The last component of the module's name."""
    @property
    def key(self) -> str:
        """The digest of everything that is known before a build and decides about it, in hexadecimal."""
    @property
    def fingerprint(self) -> str:
        """What `key` was called before; it goes with the next release."""
    @property
    def tier(self) -> Literal["fast", "optimized", "profile"]:
        """How much it was optimised; `profile` where the user's profile alone decides that."""
    @property
    def content(self) -> str:
        """The digest of what it was made from; the same for the fast and the optimised build of that."""
    @property
    def profile(self) -> str:
        """The cargo profile it was built with."""
    @property
    def built(self) -> bool:
        """Was it built just now? False: it came from the cache."""
    @property
    def provisional(self) -> bool:
        """Is it a fast build that is to be optimised in the background?"""
    @property
    def exporting(self) -> bool:
        """May there be any exports? False is certain."""
    @property
    def exports(self) -> list[Export]:
        """The functions that it exports to native callers."""
    @property
    def reason(self) -> str | None:
        """Why it was last built: `first build`, `kernel.rs changed`, ..."""
    @property
    def seconds(self) -> float:
        """How long that build took."""
    @property
    def warnings(self) -> list[Diagnostic]:
        """What rustc warned of in the user's code at that build."""
    @property
    def inputs(self) -> list[str]:
        """The other files that decide whether it is fresh."""

@final
class Setting:
    """A declared setting."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Literal["str", "bool", "list", "float", "path"]: ...
    @property
    def default(self) -> object: ...
    @property
    def env(self) -> str:
        """The environment variable that sets it."""
    @property
    def help(self) -> str: ...
    @property
    def in_kernel(self) -> bool:
        """May a kernel set it in its manifest block?"""

@final
class CacheEntry:
    """An artifact that the cache holds."""

    @property
    def source(self) -> str: ...
    @property
    def module(self) -> str: ...
    @property
    def profile(self) -> str: ...
    @property
    def tier(self) -> Literal["fast", "optimized", "profile"]: ...
    @property
    def abi(self) -> str: ...
    @property
    def bytes(self) -> int: ...
    @property
    def created(self) -> float:
        """Seconds since 1970."""
    @property
    def path(self) -> str: ...

@final
class Part:
    """A part of the cache."""

    @property
    def name(self) -> str: ...
    @property
    def count(self) -> int | None:
        """How many of these there are; None where that says nothing."""
    @property
    def bytes(self) -> int:
        """What they take of the disk."""

@final
class Swept:
    """What was removed from the cache, or would be."""

    @property
    def removed(self) -> list[tuple[str, str, int, float]]:
        """For each what it is, what it is called, its bytes, and in seconds since 1970 its last use."""
    @property
    def busy(self) -> int:
        """How many had to go and are in use."""
    @property
    def before(self) -> int:
        """The cache's size in bytes."""
    @property
    def after(self) -> int:
        """The same afterwards."""
    @property
    def limit(self) -> int | None:
        """The size that it may have."""

@final
class Damage:
    """A published build that was not what was published."""

    @property
    def folder(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def removed(self) -> bool: ...

@final
class Why:
    """What a build of a kernel would be for."""

    @property
    def source(self) -> str: ...
    @property
    def library(self) -> str | None:
        """What an import would load; None if it would build."""
    @property
    def verdict(self) -> str:
        """`cached`, or in words what the build would be for."""
    @property
    def inputs(self) -> list[tuple[str, str, str | None, bool]]:
        """For each input its name, its value now, the one at the last build if it was another, and whether it
        differs.
        """

@final
class Check:
    """Something that `rsimport doctor` looked at."""

    @property
    def name(self) -> str: ...
    @property
    def ok(self) -> bool: ...
    @property
    def detail(self) -> str: ...
    @property
    def hint(self) -> str | None: ...

@final
class Export:
    """A function that a kernel exports to native callers."""

    @property
    def name(self) -> str: ...
    @property
    def signature(self) -> str | None:
        """As `double (int, double *)`; None if C has none for it."""
    @property
    def types(self) -> list[str]:
        """The types of the signature, the result's first."""
    @property
    def problem(self) -> str | None:
        """Why there is no signature."""
    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int:
        """1-based."""

@final
class Exported:
    """A kernel as a project that needs no rsimport: what is to be written, and what its manifest says."""

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Files by their place in the project."""
    @property
    def copied(self) -> list[tuple[str, str]]:
        """Places in the project of files that are copied there."""
    @property
    def manifest(self) -> str:
        """The text of its `Cargo.toml`."""
    @property
    def lock(self) -> str:
        """The lock file that cargo is to start from."""
    @property
    def library(self) -> str:
        """The name of the extension module in the package."""
    @property
    def doc(self) -> str | None:
        """What the package says of itself, where it is not the module that says it."""
    @property
    def features(self) -> list[str]: ...
    @property
    def rustflags(self) -> list[str]: ...
    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def description(self) -> str | None: ...
    @property
    def license(self) -> str | None: ...
    @property
    def authors(self) -> list[str]: ...
    @property
    def repository(self) -> str | None: ...
    @property
    def crates(self) -> list[str]:
        """The crates that it depends on directly."""
    @property
    def abi3(self) -> bool:
        """Has it a feature with which one library is for several versions of Python?"""
    @property
    def old(self) -> bool:
        """Is PyO3 older than the variable by which it is told not to link with Python?"""
    @property
    def notes(self) -> list[str]:
        """What somebody should know."""

@final
class Origin:
    """Where an artifact came from, and how it would be made again."""

    @property
    def kernel(self) -> str:
        """The kernel file or the crate's folder."""
    @property
    def source(self) -> str:
        """The crate root."""
    @property
    def settings(self) -> dict[str, object]:
        """The settings that the call gave."""
    @property
    def further(self) -> bool:
        """Has its build read more than what its key names?"""

@final
class Named:
    """A part of a kernel's text that has a name."""

    @property
    def name(self) -> str:
        """What Python calls it or, if Python does not see it, what Rust does."""
    @property
    def owner(self) -> str | None:
        """The class that it is a part of."""
    @property
    def exported(self) -> bool:
        """Is it marked for Python?"""
    @property
    def lines(self) -> tuple[int, int]:
        """The first and the last line that it stands on, 1-based."""
    @property
    def parameters(self) -> dict[str, str]:
        """The parameters whose types Python has names for, and these."""
    @property
    def returns(self) -> str | None:
        """The type of what it returns, if Python has a name for that."""

@final
class Follower:
    """Tells which files were saved. Folders are followed with all that kernels can lie in below them."""

    def __new__(cls) -> Follower: ...
    def follow(self, paths: list[str]) -> bool:
        """Follows these from now on, and nothing else.

        Returns whether anything is followed now that was not, so that it may have changed unseen. Raises
        ConfigError if the system's limit is reached.
        """
    def wait(self) -> list[str]:
        """Waits for a burst of changes and returns the paths that changed, also of other files beside."""

def address(library: str, name: str) -> int:
    """The address of a function in a library that is loaded; it stays mapped."""

def capsule(library: str, name: str, signature: str) -> object:
    """A capsule of a function in a library that is loaded, named by its signature in C."""

def image(library: str) -> str:
    """Copies a published library for one load; the copy lives as long as the process."""

def discard_images() -> None:
    """Removes these copies; what is loaded stays loaded."""

def lacking(loaded: int) -> str | None:
    """What a process that has loaded so many libraries has no room left for; None if one more fits."""

def marked(path: str) -> bool:
    """Is this file a marked kernel? Never raises."""

def crate_source(folder: str) -> str | None:
    """The `lib.rs` of the marked crate in a folder, else None. Never raises."""

def descriptions(library: str) -> list[str]:
    """What PyO3 says of a kernel in a library that was built with `experimental-inspect`, in JSON."""

def lookup(source: str, module: str, abi: str, settings: _Given) -> Artifact | None:
    """The fresh artifact of a kernel file or crate folder; None if it has to be built.

    Starts no process and takes no lock.
    """

def build(
    source: str,
    module: str,
    abi: str,
    python: Mapping[str, object],
    settings: _Given,
    progress: _Progress | None,
    ahead: bool = False,
) -> Artifact:
    """Looks up again under the lock, and builds if that is needed, or if it is done ahead of an edit."""

def key(source: str, module: str, abi: str, settings: _Given) -> str:
    """The key of a kernel as it is now: its content unless its build reads more than the key names."""

def note(artifact: Artifact, kernel: str, settings: _Given) -> tuple[str, str | None]:
    """Writes down where an artifact came from, so that other processes of the host find it by its content.

    Returns the file, and the cache's folder where processes of this environment would not look in it.
    """

def recall(content: str, module: str, abi: str, root: str | None) -> tuple[Artifact | None, Origin | None]:
    """What a cache knows of a content: an artifact of it, and where it came from. Builds nothing."""

def claim(source: str, module: str, abi: str, settings: _Given) -> bool:
    """Is it this process that should have the optimised build of a kernel made in the background?"""

def kernels(root: str) -> list[str]:
    """The marked kernel files and crate folders below a folder."""

def outline(text: str, others: list[str] = ...) -> list[Named]:
    """Everything in a kernel's text that has a name, in its order; nothing where the text does not parse."""

def shown(text: str, *, lines: bool = False) -> str:
    """A text from outside as a terminal may have it: control characters are written out.

    So are the ends of lines, unless it may have several.
    """

def settings_table() -> list[Setting]:
    """Every setting that there is."""

def settings(source: str | None, given: _Given) -> dict[str, object]:
    """The settings in effect for a kernel, or for the current folder."""

def cache_dir(given: _Given) -> str:
    """The cache's folder."""

def cache_entries(given: _Given) -> list[CacheEntry]:
    """Everything that the cache holds."""

def cache_parts(given: _Given) -> list[Part]:
    """What the cache consists of."""

def cache_clear(given: _Given, older_than_days: float | None) -> Swept:
    """Removes everything, or what was last used longer ago."""

def cache_gc(given: _Given, dry_run: bool) -> Swept:
    """Removes what is too old or too much by the settings, but nothing that was used within a day."""

def cache_due(given: _Given) -> bool:
    """Is it time to do that after a build? True once a day."""

def cache_mend(given: _Given) -> tuple[int, list[Damage]]:
    """Reads all entries and removes the damaged ones; returns how many there were, and these."""

def cache_why(source: str, module: str, abi: str, settings: _Given) -> Why:
    """What an import of a kernel would be built for. Builds nothing."""

def warm(
    deps: list[str],
    abi: str,
    python: Mapping[str, object],
    settings: _Given,
    progress: _Progress | None,
) -> float:
    """Compiles shared dependencies (`numpy=0.30`); returns the seconds that it took."""

def write_cell(name: str, text: str, deps: list[str], notebook: str, settings: _Given) -> str:
    """Writes the text of a notebook's cell to a kernel file in the cache; returns its path."""

def write_text(name: str, text: str, deps: list[str], settings: _Given) -> str:
    """Writes the text of a program to a kernel file in the cache that is never changed; returns its path."""

def export(kernel: str, module: str, abi: str, settings: _Given, inputs: list[str]) -> Exported:
    """Describes the project of a kernel; `inputs` are the files that its build has read. Writes nothing."""

def cargo_is_native(folder: str) -> bool:
    """Does cargo's configuration for a folder ask for the CPU at hand?"""

def parts(kernel: str) -> list[str]:
    """The files that a kernel or a crate is made of, as far as its text names them."""

def asks(library: str) -> tuple[list[str], list[str]] | None:
    """What a library asks for: libraries, and versions of their symbols; None if it is no 64-bit ELF."""

def wheels_folder(settings: _Given) -> str:
    """Where in the cache wheels are compiled."""

def lock_project(folder: str, kernel: str, module: str, abi: str, settings: _Given) -> None:
    """Has cargo finish the lock file of a project that was written to a folder."""

def checks(settings: _Given) -> list[Check]:
    """What a build needs, and whether it is there."""

def misspelled() -> list[str]:
    """What is wrong with environment variables that were meant to set something, told once in a process."""

def templates() -> dict[str, dict[str, str]]:
    """The files of each template: pattern of the name to text, both with NAME for the kernel's name."""

@final
class Project:
    """A kernel as a package of cargo's, staged in the cache with the dependencies that its builds have."""

    @property
    def folder(self) -> str:
        """The folder of the manifest; for a crate that is compiled as it lies there, the user's own."""
    @property
    def manifest(self) -> str:
        """The `Cargo.toml`."""
    @property
    def root(self) -> str:
        """The crate root that the compiler sees: the user's own file, or a copy with a module appended."""
    @property
    def source(self) -> str:
        """The crate root in the user's folder."""
    @property
    def target(self) -> str:
        """Cargo's target folder, which all kernels with the same dependencies share."""
    @property
    def work(self) -> str:
        """A folder in the cache for what tools make of this kernel."""
    @property
    def sysroot(self) -> str:
        """Where the compiler has its standard library."""
    @property
    def crate_name(self) -> str:
        """The crate's name, as rustc gets it."""
    @property
    def profile(self) -> str:
        """Cargo's profile."""
    @property
    def base(self) -> str:
        """The user's folder that the kernel's relative paths start from."""
    def real(self, path: str) -> str:
        """The user's name for a path that the compiler named."""
    def in_users_words(self, lines: list[str], *, colours: bool = False) -> list[str]:
        """cargo's JSON messages with the user's names and places, without those about generated code."""
    def tests(self) -> list[tuple[str, str, int]]:
        """The names of the `#[test]` functions, with file and line."""
    def format(self, file: str) -> None:
        """Formats generated code in the cache, where rustfmt is there and can read it."""
    def item(self, text: str, path: str) -> str:
        """The text of an item in a text of Rust, by the last parts of its path."""
    def tool(self, name: str) -> str | None:
        """Where a tool of Rust's is: `rustfmt`, `rust-analyzer`."""
    def run(
        self,
        verb: str,
        arguments: list[str] = ...,
        flags: list[str] = ...,
        *,
        profile: str | None = None,
        environment: dict[str, str] = ...,
        unstable: bool = False,
        kept: bool = False,
        progress: _Progress | None = None,
    ) -> ProjectRun:
        """Runs a verb of cargo's, with flags behind `--`. Raises unless the user's code alone is to blame."""

@final
class ProjectRun:
    """What a run of cargo has come to."""

    @property
    def success(self) -> bool: ...
    @property
    def diagnostics(self) -> list[Diagnostic]:
        """What was said of the user's own files; nothing of what was generated."""
    @property
    def failure(self) -> RsimportError | None:
        """The error that an import would raise."""
    @property
    def output(self) -> list[str]:
        """The lines of stdout: cargo's JSON messages as they came, with the names of staged paths."""
    @property
    def text(self) -> str:
        """What cargo wrote to stderr, without its progress."""
    @property
    def library(self) -> str | None:
        """The library that was made of the kernel."""
    @property
    def executable(self) -> str | None:
        """A copy of the program that was made of the kernel, as of its tests, which stays what it is."""

def project_open(
    source: str,
    module: str,
    abi: str,
    python: Mapping[str, object],
    settings: _Given,
    progress: _Progress | None = None,
    *,
    pyo3_features: list[str] = ...,
    below: str = ...,
    own_macros: bool = ...,
) -> Project:
    """Stages a kernel as a package on which cargo's verbs can be run.

    `pyo3_features` are further ones of PyO3, `below` is a text below the user's last line. With
    `own_macros` those of PyO3 are compiled, for whoever expands them himself.
    """

def format(
    source: str, module: str, abi: str, settings: _Given, arguments: list[str]
) -> tuple[bool, list[str], list[str]]:
    """Runs rustfmt on a kernel's own files: whether all is in order, and its lines on stdout and stderr."""

def module_files(source: str) -> list[str]:
    """The files that a kernel's modules are in, its root first; none where it cannot be read."""

def inplace(artifact: Artifact, kernel: str, settings: _Given, target: str) -> None:
    """Copies the artifact of a kernel out of the cache, together with what it was compiled from, atomically.

    Raises ConfigError if the kernel was changed meanwhile.
    """

def beside(source: str, library: str, module: str, abi: str, settings: _Given) -> tuple[Artifact, str | None]:
    """A library beside a kernel, and what tells it from what a build would give, None if nothing does.

    Needs neither the cache nor a toolchain.
    """

@final
class Held:
    """A content that one process of a host sees to."""

    def __enter__(self) -> Held: ...
    def __exit__(self, *exc_info: object) -> None: ...

def hold(content: str) -> Held:
    """Waits until no other process of this host sees to a content, and keeps others waiting from then on."""

def pack(artifact: Artifact) -> tuple[str, list[str], bytes]:
    """What a published build needs of a machine, as JSON; what its build has read elsewhere; the build."""

def unmet(needs: str, abi: str) -> list[str]:
    """Why a build with these needs is of no use here, each as half a sentence."""

def unfit(content: str, abi: str, root: str | None) -> list[str]:
    """Why the artifacts of a content that are in caches are of no use here, each as half a sentence."""

def unpack(content: str, data: bytes) -> str:
    """Publishes in the cache what was packed elsewhere, under its content; returns the library."""

def write_source(content: str, files: list[tuple[str, bytes]]) -> str:
    """Writes the files of a kernel that came from elsewhere into the cache; returns their folder."""

def own_files(artifact: Artifact, kernel: str, abi: str, settings: _Given) -> list[tuple[str, bytes]]:
    """The files of a kernel that lie in its own folder, by their places in it, and its lock file."""

def bundle(artifact: Artifact, kernel: str, abi: str, settings: _Given, folder: str) -> None:
    """Adds the artifact of a kernel to a cache that is made to be shared."""
