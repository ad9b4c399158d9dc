//! Why cargo failed before it compiled a kernel, from what it wrote to stderr.

use std::path::Path;

use std::path::PathBuf;

use crate::error::{Error, Kind};
use crate::kernel::crates::{self, PYO3};
use crate::kernel::manifest::Manifest;
use crate::kernel::source::Source;
use crate::rustc::paste;
use crate::rustc::toolchain::{INSTALL, MINIMUM};
use crate::rustc::unknown_names::unknown;
use crate::similar::similar;

/// The error for a cargo that failed before it compiled the kernel, from what it wrote to stderr.
pub fn cargo_error(source: &Source, manifest: &Manifest, text: &str) -> Error {
    let text = cargo_text(text);
    let place = |name: Option<&str>| -> String {
        let file: PathBuf =
            source.manifest.as_ref().map_or_else(|| source.path.clone(), |manifest| manifest.path.clone());
        match name.and_then(|name| manifest.line_of_dependency(name)) {
            Some(line) => format!("{}:{line}", file.display()),
            None => file.display().to_string(),
        }
    };
    let has = |needles: &[&str]| needles.iter().any(|needle| text.contains(needle));
    let quoted = |after: &str| text.split(after).nth(1).and_then(|rest| rest.split(['`', ' ', '=', '@', '"']).next());
    let wanted = [
        "failed to download `",
        "failed to get `",
        "unable to get packages from source for `",
        "no matching package named `",
        "searched package name: `",
        "failed to select a version for the requirement `",
        "failed to select a version for `",
        "failed to fetch `",
        "requires crate `",
    ];
    let name = wanted.iter().find_map(|after| quoted(after)).filter(|name| !name.is_empty());
    let which = name.map_or_else(|| "a crate".to_owned(), |name| format!("crate `{name}`"));
    let error = if let Some(conflict) = Conflict::read(&text, manifest) {
        Error::config(format!("{}: {}", place(Some(conflict.package)), conflict.message())).hint(conflict.hint(source))
    } else if let Some((message, hint)) = unknown(source, manifest, &format!("{text}\n")) {
        Error::config(format!("{}: {message}", place(None))).hint(hint)
    } else if has(&["feature `edition2024` is required", "lock file version `4`", "lock file version 4"]) {
        Error::toolchain(format!("{}: cargo is too old: kernels need Rust {MINIMUM} or newer", place(None)))
            .hint(INSTALL)
    } else if has(&["is newer than PyO3's maximum supported version"]) {
        Error::config(format!("{}: this PyO3 does not know a Python as new as this one", place(Some("pyo3"))))
            .hint(format!("PyO3 {} does: pyo3 = {:?}", major(PYO3), major(PYO3)))
    } else if let Some((name, feature)) = absent_feature(&text) {
        Error::config(format!("{}: crate `{name}` has no feature `{feature}`", place(Some(name)))).hint(format!(
            "`cargo info {name}` and https://docs.rs/crate/{name}/latest/features list those that it has"
        ))
    } else if has(&["is not supported by the following package", "requires rustc"]) {
        let name = text.lines().find_map(|line| {
            line.trim().split_once(" requires rustc ").map(|(name, version)| format!("`{name}` needs rustc {version}"))
        });
        Error::toolchain(format!(
            "{}: rustc is too old: {}",
            place(None),
            name.unwrap_or_else(|| "a dependency needs a newer one".into())
        ))
        .hint("`rustup update` installs the newest rustc; an older version of the dependency may do too")
    } else if has(&["--offline", "offline mode"]) && !has(&["--locked"]) {
        Error::toolchain(format!("{}: {which} is not on this machine, and `offline` is set", place(name))).hint("unset `offline` (RSIMPORT_OFFLINE, CARGO_NET_OFFLINE, or `net.offline` of cargo's configuration) once, or fetch it ahead with `rsimport warm --deps` while the network is there")
    } else if has(&["no matching package", "no matching package named"]) {
        Error::config(format!("{}: {which} does not exist", place(name))).hint(
            name.and_then(|name| meant(name, &text))
                .unwrap_or_else(|| "crates and their names are listed on https://crates.io".into()),
        )
    } else if has(&["failed to select a version"]) {
        Error::config(format!("{}: no version of {which} fits", place(name))).hint(
            name.and_then(|name| newest(name, &text))
                .unwrap_or_else(|| "cargo's text above names the versions that exist".into()),
        )
    } else if has(&[
        "Could not resolve",
        "Couldn't resolve",
        "Could not connect",
        "Couldn't connect",
        "Failed to connect",
        "Connection refused",
        "network",
        "download of config.json failed",
        "failed to download",
        "Timeout was reached",
        "timed out",
        "SSL",
        "failed to clone",
    ]) {
        let from = if has(&["failed to clone into"]) { "its git repository" } else { "the registry" };
        Error::toolchain(format!("{}: {which} cannot be fetched: {from} is not reachable", place(name)))
            .hint("check the network; `rsimport warm --deps` fetches crates ahead, and with `offline` (RSIMPORT_OFFLINE=1) only what is on this machine is used")
    } else if has(&["--locked"]) {
        Error::config(format!("{}: Cargo.lock does not fit the manifest, and `locked` is set", place(None)))
            .hint("run `cargo update -w` in the crate, or unset `locked`")
    } else if let Some(crash) = Crash::read(&text) {
        let error = Error::new(Kind::Compile, format!("{}: {}", place(None), crash.message()));
        if text.contains("overflowed its stack") { error.hint(LARGER_STACK) } else { error }
    } else if has(&["failed to run custom build command", "build script logged errors", "could not compile"]) {
        Error::new(Kind::Compile, format!("{}: a dependency does not build", place(None)))
    } else if !text.lines().any(|line| line.starts_with("error")) {
        Error::toolchain(format!("{}: cargo was ended from outside, without a word of its own", place(None)))
            .hint("build it once more; a system that is short of memory ends programs, and so can a build script")
    } else {
        Error::config(format!("{}: cargo does not accept this kernel's manifest", place(None)))
    };
    let Error { message, .. } = &error;
    let message = format!("{message}\n\n{}", text.trim_end());
    Error { message, ..error }.kernel(&source.path)
}

/// Does cargo say that it could not start this program in place of rustc?
pub fn cannot_be_started(text: &str, program: &Path) -> bool {
    text.contains("could not execute process") && text.contains(&*program.to_string_lossy())
}

/// Says cargo that rustc did not answer who it is? cargo keeps the answers, such ones too.
pub fn rustc_did_not_answer(text: &str) -> bool {
    text.contains("process didn't exit successfully") && text.contains(" -vV` (")
}

/// Says cargo that it cannot read the lock file that it was given?
pub fn lock_file_is_damaged(text: &str) -> bool {
    let words = [
        "failed to parse lock file",
        "is not a valid lock",
        "invalid serialized PackageId",
        "package collision in the lockfile",
    ];
    words.iter().any(|words| text.contains(words))
}

/// The name that was meant by one that no crate has.
fn meant(name: &str, text: &str) -> Option<String> {
    let proposed = text.lines().find_map(|line| line.trim().strip_prefix("perhaps you meant:"));
    let proposed = proposed.and_then(|names| names.split([',', ' ']).find(|name| !name.is_empty()));
    let meant = proposed.map(|name| name.trim_matches('`')).or_else(|| similar(name, crates::names()))?;
    let (package, value) = crates::dependency(meant, "");
    Some(format!("did you mean {package} = {value}?"))
}

/// The newest version of a crate, as a line of the manifest.
fn newest(name: &str, text: &str) -> Option<String> {
    let listed = text.lines().find_map(|line| line.split_once("which didn't match: ").map(|(_, versions)| versions));
    let listed = listed.and_then(|versions| versions.split([',', ' ']).next()).filter(|version| !version.is_empty());
    let version = match crates::version(name) {
        Some(known) => known.to_owned(),
        None => major(listed?),
    };
    Some(format!("the newest is {}: {name} = {version:?}", listed.unwrap_or(&version)))
}

/// A crate and a feature that it does not have.
fn absent_feature(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once(" depends on `")?;
    let (name, rest) = rest.split_once("` with feature `")?;
    Some((name, rest.split_once('`')?.0))
}

/// `0.30` of `0.30.1`, `1` of `1.2.3`: as much of a version as a requirement needs.
fn major(version: &str) -> String {
    let parts: Vec<&str> = version.split('.').collect();
    parts[..parts.len().min(if parts[0] == "0" { 2 } else { 1 })].join(".")
}

/// A crate that is made for another PyO3 than the kernel's. There can only be one.
struct Conflict<'a> {
    /// The crate, as the kernel declares it.
    package: &'a str,
    version: &'a str,
    /// The PyO3 that it needs, and the one that the kernel has.
    needs: String,
    has: String,
    /// Does the kernel name its PyO3 itself?
    named: bool,
}

impl<'a> Conflict<'a> {
    fn read(text: &'a str, manifest: &Manifest) -> Option<Conflict<'a>> {
        if !text.contains("links to the native library") {
            return None;
        }
        let between = |text: &'a str, before: &str, after: &str| {
            let (_, rest) = text.split_once(before)?;
            rest.split_once(after).map(|(part, _)| part)
        };
        // `which satisfies dependency `pyo3 = "^0.21.0"` of package `numpy v0.21.0``, or, where PyO3 itself is what cannot
        // be chosen, `required by package `numpy v0.29.0`` and the versions that would do.
        let satisfied = text.lines().filter_map(|line| {
            let required = between(line, "dependency `pyo3 = \"", "\"`")?;
            Some((required, between(line, "of package `", "`")?))
        });
        let required = || {
            let own = text.split_once("failed to select a version for `pyo3`")?.1;
            Some((between(own, "meet the requirements `", "`")?, between(own, "required by package `", "`")?))
        };
        let is_foreign = |package: &str| !package.starts_with("rsimport-kernel ") && !package.starts_with("pyo3 ");
        let (needs, package) = satisfied.chain(required()).find(|(_, package)| is_foreign(package))?;
        let (package, version) = package.split_once(" v")?;
        let own = manifest.table.get("dependencies").and_then(|table| table.get("pyo3"));
        let own = own.and_then(|spec| spec.as_str().or_else(|| spec.get("version")?.as_str()));
        let version = version.split(' ').next()?;
        Some(Conflict {
            package,
            version,
            needs: highest(needs)?,
            has: highest(own.unwrap_or(PYO3))?,
            named: own.is_some(),
        })
    }

    fn message(&self) -> String {
        let Conflict { package, version, needs, has, .. } = self;
        format!("`{package}` {version} is made for PyO3 {needs}, and this kernel has PyO3 {has}")
    }

    fn hint(&self, source: &Source) -> String {
        let Conflict { package, needs, has, named, .. } = self;
        // numpy and pythonize have the version of the PyO3 that they are made for.
        let fitting = match *package {
            "numpy" | "pythonize" => format!("write {package} = \"{has}\", which fits"),
            _ => format!("write a version of {package} that is made for PyO3 {has}"),
        };
        if *named {
            return format!("{fitting}, or pyo3 = \"{needs}\"");
        }
        let pyo3 = paste::dependencies(source, &[("pyo3".to_owned(), format!("{needs:?}"))]);
        format!("{fitting}, or give the kernel that PyO3: {pyo3}")
    }
}

/// The newest PyO3 that a requirement allows, as far as it tells.
fn highest(requirement: &str) -> Option<String> {
    let wanted = semver::VersionReq::parse(requirement).ok()?;
    let below = wanted.comparators.iter().find(|part| part.op == semver::Op::Less && part.major == 0);
    let minor = match below {
        Some(part) if part.patch.unwrap_or(0) == 0 => part.minor?.checked_sub(1)?,
        _ => wanted.comparators.first()?.minor?,
    };
    Some(format!("0.{minor}"))
}

/// A compiler that ended by a fault of its own.
struct Crash<'a> {
    package: &'a str,
    signal: &'static str,
}

const LARGER_STACK: &str =
    "what is nested less deeply takes less stack; before Python starts, RUST_MIN_STACK=67108864 gives rustc more of it";

impl<'a> Crash<'a> {
    fn read(text: &'a str) -> Option<Crash<'a>> {
        let (_, rest) = text.split_once("could not compile `")?;
        let (package, rest) = rest.split_once('`')?;
        // A shell between the two tells of a signal by a number above 128.
        let signals = [(4, "SIGILL"), (6, "SIGABRT"), (7, "SIGBUS"), (11, "SIGSEGV")];
        let (_, signal) = signals.into_iter().find(|(number, _)| {
            [format!("(signal: {number}, "), format!("(signal: {number})"), format!("(exit status: {})", 128 + number)]
                .iter()
                .any(|words| rest.contains(words))
        })?;
        Some(Crash { package, signal })
    }

    fn message(&self) -> String {
        let Crash { package, signal } = self;
        let what = if *package == "rsimport-kernel" { "this kernel".to_owned() } else { format!("`{package}`") };
        format!("rustc crashed while it compiled {what} ({signal})")
    }
}

/// cargo's stderr without its progress: from the first line that says what is wrong, and without the words of the calls
/// of compilers, which say nothing to whoever has not made them.
fn cargo_text(text: &str) -> String {
    const CALL: &str = "process didn't exit successfully: `";
    let text = strip_ansi_escapes::strip_str(text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("Building [")).collect();
    let start = lines.iter().position(|line| line.starts_with("error")).unwrap_or(0);
    let shortened = |line: &&str| -> String {
        let call = line.split_once(CALL).and_then(|(before, call)| Some((before, call.rsplit_once("` (")?)));
        match call {
            Some((before, (call, how))) if call.contains(" --crate-name ") => {
                format!("{before}{CALL}rustc ...` ({how}")
            }
            _ => (*line).to_owned(),
        }
    };
    // LLVM says it of an unknown CPU some dozen times for each crate, several crates at once.
    let mut known = false;
    let mut repeated = |line: &&&str| line.contains("(ignoring processor)") && std::mem::replace(&mut known, true);
    lines[start..].iter().filter(|line| !repeated(line)).map(shortened).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn source() -> Source {
        Source { path: "/k/a.rs".into(), base: "/k".into(), module: "a".into(), text: String::new(), manifest: None }
    }

    #[test]
    fn cargos_complaints_become_errors_of_the_right_kind() {
        let text = "//! ```cargo\n//! [dependencies]\n//! rnd = \"1\"\n//! ```\n";
        let manifest = Manifest::of_kernel(Path::new("/k/a.rs"), text).unwrap();
        let check = |text: &str, kind: Kind, message: &str| {
            let error = cargo_error(&source(), &manifest, text);
            assert_eq!((error.kind, error.message.lines().next().unwrap()), (kind, message), "{text}");
            assert!(error.message.contains(text.trim()), "cargo's own words are kept");
        };
        check(
            "error: no matching package named `rnd` found\nlocation searched: crates.io index\n",
            Kind::Config,
            "/k/a.rs:3: crate `rnd` does not exist",
        );
        check(
            "error: failed to select a version for the requirement `rnd = \"^99\"`\ncandidate versions found",
            Kind::Config,
            "/k/a.rs:3: no version of crate `rnd` fits",
        );
        check(
            "error: rustc 1.70.0 is not supported by the following package:\n  rnd@1.0.0 requires rustc 1.80\n",
            Kind::Toolchain,
            "/k/a.rs: rustc is too old: `rnd@1.0.0` needs rustc 1.80",
        );
        check(
            "error: failed to get `rnd` as a dependency of package `a`\n\nCaused by:\n  Could not resolve hostname",
            Kind::Toolchain,
            "/k/a.rs:3: crate `rnd` cannot be fetched: the registry is not reachable",
        );
        check(
            "error: failed to download `rnd v1.0.0`\n\nattempting to make an HTTP request, but --offline was specified",
            Kind::Toolchain,
            "/k/a.rs:3: crate `rnd` is not on this machine, and `offline` is set",
        );
        check(
            "error: no matching package found\nsearched package name: `rnd`\nperhaps you meant:      rnd-core\n",
            Kind::Config,
            "/k/a.rs:3: crate `rnd` does not exist",
        );
        check(
            "error: failed to select a version for `rnd`.\npackage `rsimport-kernel` depends on `rnd` with feature `x` but `rnd` does not have that feature.",
            Kind::Config,
            "/k/a.rs:3: crate `rnd` has no feature `x`",
        );
        check(
            "error: failed to parse manifest\n\nfeature `edition2024` is required\n",
            Kind::Toolchain,
            "/k/a.rs: cargo is too old: kernels need Rust 1.85 or newer",
        );
        for text in
            ["failed to run custom build command for `x v1`", "x@0.1.0: said\nerror: build script logged errors"]
        {
            check(&format!("error: {text}"), Kind::Compile, "/k/a.rs: a dependency does not build");
        }
        check(
            "error: could not compile `rsimport-kernel` (lib)\n\nCaused by:\n  process didn't exit successfully: `rustc` (exit status: 139)",
            Kind::Compile,
            "/k/a.rs: rustc crashed while it compiled this kernel (SIGSEGV)",
        );
        check(
            "error: could not compile `syn` (lib)\n\nCaused by:\n  process didn't exit successfully: `rustc` (signal: 6, SIGABRT: process abort signal)",
            Kind::Compile,
            "/k/a.rs: rustc crashed while it compiled `syn` (SIGABRT)",
        );
        check("error: profile `x` is not defined", Kind::Config, "/k/a.rs: there is no profile `x`");
        let killed = "/k/a.rs: cargo was ended from outside, without a word of its own";
        check("   Locking 2 packages to latest compatible versions\n", Kind::Toolchain, killed);
        check("error: unexpected", Kind::Config, "/k/a.rs: cargo does not accept this kernel's manifest");
    }

    #[test]
    fn calls_of_compilers_are_left_out() {
        let text = "error: could not compile `x`\n  process didn't exit successfully: `/bin/rustc --crate-name x (a `b`)` (exit status: 1)\n";
        let shown = "error: could not compile `x`\n  process didn't exit successfully: `rustc ...` (exit status: 1)";
        assert_eq!(cargo_text(text), shown);
        let script = "error: failed\n  process didn't exit successfully: `/t/build-script-build` (exit status: 1)";
        assert_eq!(cargo_text(script), script);
    }

    #[test]
    fn a_crate_for_another_pyo3_is_told_with_both_ways_out() {
        let of = |block: &str, text: &str| {
            let text_of_kernel = format!("// rsimport\n//! ```cargo\n//! [dependencies]\n{block}//! ```\n");
            let manifest = Manifest::of_kernel(Path::new("/k/a.rs"), &text_of_kernel).unwrap();
            let source = Source { text: text_of_kernel, ..source() };
            let error = cargo_error(&source, &manifest, text);
            (error.message.lines().next().unwrap().to_owned(), error.hint.unwrap())
        };
        let links = "package `pyo3-ffi` links to the native library `python`";
        let ours = major(PYO3);
        // numpy 0.21 and 0.22.
        let text = format!(
            "error: failed to select a version for `pyo3-ffi`.\n    ... required by package `pyo3 v0.21.0`\n    ... which satisfies \
             dependency `pyo3 = \"^0.21.0\"` of package `numpy v0.21.0`\n{links}"
        );
        let (message, hint) = of("//! numpy = \"0.21\"\n", &text);
        assert_eq!(
            message,
            format!("/k/a.rs:4: `numpy` 0.21.0 is made for PyO3 0.21, and this kernel has PyO3 {ours}")
        );
        assert_eq!(
            hint,
            format!(
                "write numpy = \"{ours}\", which fits, or give the kernel that PyO3: write below line 3:\n//! pyo3 = \"0.21\""
            )
        );
        // numpy 0.29.
        let text = "error: failed to select a version for `pyo3`.\n    ... required by package `numpy v0.29.0`\nversions that \
                    meet the requirements `^0.29.0` are: 0.29.3\npackage `pyo3` links to the native library `pyo3-python`";
        let (message, _) = of("//! numpy = \"0.29\"\n", text);
        assert_eq!(
            message,
            format!("/k/a.rs:4: `numpy` 0.29.0 is made for PyO3 0.29, and this kernel has PyO3 {ours}")
        );
        // Another crate, and a PyO3 of the kernel's own.
        let text = format!("... dependency `pyo3 = \">=0.21, <0.23\"` of package `pyo3-log v0.11.0`\n{links}");
        let (_, hint) = of("//! pyo3-log = \"0.11\"\n//! pyo3 = \"0.28\"\n", &text);
        assert_eq!(hint, "write a version of pyo3-log that is made for PyO3 0.28, or pyo3 = \"0.22\"");
    }

    #[test]
    fn what_was_meant_is_told() {
        assert_eq!(meant("numpyy", "").as_deref(), Some("did you mean numpy = \"0.30\"?"));
        let text = "searched package name: `num_complex`\nperhaps you meant:      num-complex\n";
        assert_eq!(meant("num_complex", text).as_deref(), Some("did you mean num-complex = \"0.4\"?"));
        let text = "candidate versions found which didn't match: 3.1.4, 3.1.3, ...";
        assert_eq!(newest("abc", text).as_deref(), Some("the newest is 3.1.4: abc = \"3\""));
        assert_eq!(newest("abc", ""), None);
    }

    #[test]
    fn the_known_versions_fit_this_pyo3() {
        for name in ["numpy", "pythonize"] {
            assert_eq!(crates::version(name), Some(major(PYO3).as_str()));
        }
    }
}
