//! What rustc and cargo say, turned into diagnostics and errors. The one place that knows their wording.

use std::path::{Path, PathBuf};

use cargo_metadata::diagnostic::{Diagnostic as Message, DiagnosticLevel, DiagnosticSpan};

use crate::error::{Diagnostic, Error, Kind};
use crate::kernel::manifest::Manifest;
use crate::kernel::source::Source;

/// Reads a line that rustc wrote with `--error-format=json`; `None` where it is something else.
pub fn from_rustc(line: &str, folder: &Path) -> Option<Diagnostic> {
    let message: Message = serde_json::from_str(line).ok()?;
    from_message(message, folder)
}

/// Converts a message, leaving out the summaries at the end ("aborting due to 2 previous errors").
pub fn from_message(message: Message, folder: &Path) -> Option<Diagnostic> {
    let summary = message.spans.is_empty() && message.code.is_none();
    let text = message.message.as_str();
    if summary
        && (text.starts_with("aborting due to")
            || text.contains("warning emitted")
            || text.contains("warnings emitted")
            || text.starts_with("For more information")
            || text.starts_with("Some errors have detailed"))
    {
        return None;
    }
    let level = match message.level {
        DiagnosticLevel::Ice => "error".to_owned(),
        level => serde_json::to_value(level).ok()?.as_str().unwrap_or("error").to_owned(),
    };
    let span = message.spans.iter().find(|span| span.is_primary).map(users_own);
    Some(Diagnostic {
        level,
        code: message.code.map(|code| code.code),
        file: span.map(|span| folder.join(&span.file_name).to_string_lossy().into_owned()),
        line: span.map(|span| span.line_start),
        column: span.map(|span| span.column_start),
        ansi: message.rendered.unwrap_or_else(|| message.message.clone()),
        message: message.message,
    })
}

/// The place in the user's code: of what a macro of the standard library or of a crate wrote, the place where it was
/// called.
fn users_own(span: &DiagnosticSpan) -> &DiagnosticSpan {
    match &span.expansion {
        Some(expansion) if is_of_others(&span.file_name) => users_own(&expansion.span),
        _ => span,
    }
}

/// Is it a file of the standard library or of a crate that somebody else has written? The sources of the standard library
/// lie in the toolchain where they are installed, else nowhere.
pub fn is_of_others(file: &str) -> bool {
    let file = file.replace('\\', "/");
    let parts = ["/rustlib/src/rust/", "/registry/src/", "/git/checkouts/"];
    file.starts_with("/rustc/") || file.starts_with('<') || parts.iter().any(|part| file.contains(part))
}

/// rustc's code for a library of which it cannot read the metadata.
pub const DAMAGED_LIBRARY: &str = "E0786";

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

/// Says a text that the disk ran full while a compiler wrote to the cache?
pub fn disk_full(text: &str) -> bool {
    let full = ["No space left on device", "Disk quota exceeded", "not enough space on the disk"];
    full.iter().any(|words| text.contains(words))
}

/// Writes the user's own paths where the text names the copies that rustc was given.
pub fn unstage(diagnostics: &mut [Diagnostic], staged: &Path, real: &Path) {
    let (staged, real) = (staged.to_string_lossy().into_owned(), real.to_string_lossy().into_owned());
    for diagnostic in diagnostics {
        diagnostic.ansi = diagnostic.ansi.replace(&staged, &real);
        diagnostic.message = diagnostic.message.replace(&staged, &real);
        diagnostic.file = diagnostic.file.take().map(|file| file.replace(&staged, &real));
    }
}

/// The error for a compilation that failed with these diagnostics.
pub fn compile_error(source: &Source, mut diagnostics: Vec<Diagnostic>) -> Error {
    // What is wrong in a function is wrong once more in the module that was generated below the user's last line.
    let last = source.text.lines().count();
    let is_users = |d: &Diagnostic| d.line <= Some(last) || d.file.as_deref().map(Path::new) != Some(&source.path);
    if diagnostics.iter().any(|d| d.level == "error" && is_users(d)) {
        diagnostics.retain(is_users);
    }
    let linker = diagnostics.iter().find(|d| d.message.starts_with("linker `") && d.message.ends_with("not found"));
    if let Some(missing) = linker {
        let hint = match std::env::consts::OS {
            "macos" => "`xcode-select --install` installs it",
            "windows" => "install the Build Tools for Visual Studio with the C++ workload",
            _ => "install a C compiler: `apt install gcc`, `dnf install gcc` or `pacman -S gcc`",
        };
        return Error::toolchain(format!("{} on this machine, so {} cannot be linked", missing.message, source.name()))
            .hint(hint)
            .diagnostics(diagnostics)
            .kernel(&source.path);
    }
    let errors: Vec<&Diagnostic> = diagnostics.iter().filter(|d| d.level == "error").collect();
    let count = match errors.len() {
        1 => "1 error".to_owned(),
        count => format!("{count} errors"),
    };
    let place = match errors.iter().find(|error| error.line.is_some()) {
        Some(Diagnostic { file: Some(file), line: Some(line), .. }) => format!("{file}:{line}"),
        _ => source.path.display().to_string(),
    };
    let mut error =
        Error::new(Kind::Compile, format!("{place}: kernel `{}` does not compile ({count})", source.module));
    // rustc's other hints stand in its own text; this one it cannot know.
    let unresolved = errors.iter().find_map(|e| {
        e.message
            .strip_prefix("unresolved import `")
            .or_else(|| e.message.split("use of unresolved module or unlinked crate `").nth(1))
            .and_then(|rest| rest.split(['`', ':']).next())
    });
    if let Some(name) =
        unresolved.filter(|name| !["crate", "self", "super", "std", "core", "alloc", "pyo3"].contains(name))
    {
        error = match &source.manifest {
            None => error.hint(format!("a crate is declared in the kernel itself:  //! ```cargo  //! [dependencies]  //! {name} = \"*\"  //! ```")),
            Some(manifest) => error.hint(format!("a crate is declared in {} under [dependencies]", manifest.path.display())),
        };
    }
    error.diagnostics(diagnostics).kernel(&source.path)
}

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
        "failed to select a version for the requirement `",
        "failed to select a version for `",
        "failed to fetch `",
        "requires crate `",
    ];
    let name = wanted.iter().find_map(|after| quoted(after)).filter(|name| !name.is_empty());
    let which = name.map_or_else(|| "a crate".to_owned(), |name| format!("crate `{name}`"));
    let error = if has(&["is not supported by the following package", "requires rustc"]) {
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
        Error::toolchain(format!("{}: {which} is not on this machine, and `offline` is set", place(name)))
            .hint("unset `offline` (RSIMPORT_OFFLINE) once, or fetch it ahead with `rsimport warm --deps` while the network is there")
    } else if has(&["no matching package", "no matching package named"]) {
        Error::config(format!("{}: {which} does not exist", place(name)))
            .hint("crates and their names are listed on https://crates.io")
    } else if has(&["failed to select a version"]) {
        Error::config(format!("{}: no version of {which} fits", place(name)))
            .hint("cargo's text above names the versions that exist")
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
        Error::toolchain(format!("{}: {which} cannot be fetched: the registry is not reachable", place(name)))
            .hint("check the network; `rsimport warm --deps` fetches crates ahead, and with `offline` (RSIMPORT_OFFLINE=1) only what is on this machine is used")
    } else if has(&["--locked"]) {
        Error::config(format!("{}: Cargo.lock does not fit the manifest, and `locked` is set", place(None)))
            .hint("run `cargo update -w` in the crate, or unset `locked`")
    } else if has(&["failed to run custom build command", "could not compile"]) {
        Error::new(Kind::Compile, format!("{}: a dependency does not build", place(None)))
    } else {
        Error::config(format!("{}: cargo does not accept this kernel's manifest", place(None)))
    };
    let Error { message, .. } = &error;
    let message = format!("{message}\n\n{}", text.trim_end());
    Error { message, ..error }.kernel(&source.path)
}

/// cargo's stderr without its progress: from the first line that says what is wrong.
fn cargo_text(text: &str) -> String {
    let text = strip_ansi_escapes::strip_str(text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("Building [")).collect();
    let start = lines.iter().position(|line| line.starts_with("error")).unwrap_or(0);
    lines[start..].join("\n")
}

#[cfg(test)]
mod tests {
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
            "error: failed to run custom build command for `x v1`",
            Kind::Compile,
            "/k/a.rs: a dependency does not build",
        );
        check(
            "error: profile `x` is not defined",
            Kind::Config,
            "/k/a.rs: cargo does not accept this kernel's manifest",
        );
    }

    #[test]
    fn the_generated_module_is_blamed_only_where_the_users_lines_are_in_order() {
        let source = Source { text: "fn f() {}\nfn g() {}\n".into(), ..source() };
        let at = |line| Diagnostic {
            level: "error".into(),
            code: None,
            message: String::new(),
            file: Some("/k/a.rs".into()),
            line: Some(line),
            column: Some(1),
            ansi: String::new(),
        };
        let check = |lines: &[usize], kept: &[usize]| {
            let error = compile_error(&source, lines.iter().map(|line| at(*line)).collect());
            let found: Vec<usize> = error.diagnostics.iter().filter_map(|d| d.line).collect();
            assert_eq!(found, kept, "{lines:?}");
        };
        check(&[2, 3], &[2]);
        check(&[3], &[3]);
    }

    #[test]
    fn what_a_macro_of_the_standard_library_says_is_told_where_it_was_called() {
        let span = |file: &str, line: usize, expansion: &str| {
            format!(
                r#"{{"file_name":"{file}","byte_start":0,"byte_end":1,"line_start":{line},"line_end":{line},"column_start":5,"column_end":6,"is_primary":true,"text":[],"label":null,"suggested_replacement":null,"suggestion_applicability":null,"expansion":{expansion}}}"#
            )
        };
        let called =
            format!(r#"{{"span":{},"macro_decl_name":"assert!","def_site_span":null}}"#, span("/k/a.rs", 3, "null"));
        for library in ["/rustc/hash/library/core/src/panic.rs", "/r/lib/rustlib/src/rust/library/core/src/panic.rs"] {
            let span = span(library, 100, &called);
            let line = format!(
                r#"{{"message":"evaluation panicked","code":null,"level":"error","spans":[{span}],"children":[],"rendered":null}}"#
            );
            let found = from_rustc(&line, Path::new("/k")).unwrap();
            assert_eq!((found.file.as_deref(), found.line), (Some("/k/a.rs"), Some(3)));
        }
    }

    #[test]
    fn rustcs_json_becomes_a_diagnostic_and_its_summary_does_not() {
        let span = r#"{"file_name":"a.rs","byte_start":0,"byte_end":1,"line_start":3,"line_end":3,"column_start":5,"column_end":6,"is_primary":true,"text":[],"label":null,"suggested_replacement":null,"suggestion_applicability":null,"expansion":null}"#;
        let line = format!(
            r#"{{"$message_type":"diagnostic","message":"mismatched types","code":{{"code":"E0308","explanation":null}},"level":"error","spans":[{span}],"children":[],"rendered":"\u001b[1merror\u001b[0m"}}"#
        );
        let found = from_rustc(&line, Path::new("/k")).unwrap();
        assert_eq!((found.file.as_deref(), found.line, found.column), (Some("/k/a.rs"), Some(3), Some(5)));
        assert_eq!(
            (found.level.as_str(), found.code.as_deref(), found.rendered().as_str()),
            ("error", Some("E0308"), "error")
        );
        let summary = r#"{"message":"aborting due to 1 previous error","code":null,"level":"error","spans":[],"children":[],"rendered":"x"}"#;
        assert_eq!(from_rustc(summary, Path::new("/k")), None);
    }
}
