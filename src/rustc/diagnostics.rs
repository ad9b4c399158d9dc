//! What rustc and cargo say, turned into diagnostics and errors. The one place that knows their wording.

use std::path::Path;

use cargo_metadata::diagnostic::{Diagnostic as Message, DiagnosticLevel, DiagnosticSpan};

use crate::error::{Diagnostic, Error, Kind};
use crate::expander::stand_in::REFUSAL;
use crate::kernel::cell::is_label;
use crate::kernel::manifest::Manifest;
use crate::kernel::source::Source;
use crate::rustc::{hints, missing_crates};

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

/// The place in the user's code: of what a macro of somebody else wrote, the place where it was called.
fn users_own(span: &DiagnosticSpan) -> &DiagnosticSpan {
    match &span.expansion {
        Some(expansion) if is_of_others(&span.file_name) => users_own(&expansion.span),
        _ => span,
    }
}

/// Does a file belong to the standard library or to a crate that cargo has fetched? The sources of the standard library
/// lie in the toolchain where they are installed, else nowhere.
pub fn is_of_others(file: &str) -> bool {
    let file = file.replace('\\', "/");
    let parts = ["/registry/src/", "/git/checkouts/", "/lib/rustlib/"];
    let made = file.starts_with('<') && !is_label(&file);
    file.starts_with("/rustc/") || made || parts.iter().any(|part| file.contains(part))
}

/// rustc's code for a library of which it cannot read the metadata.
pub const DAMAGED_LIBRARY: &str = "E0786";

/// Says a text that the disk ran full while a compiler wrote to the cache? A linker that writes to a file by its memory
/// map, as rust-lld does, is killed then.
pub fn disk_full(text: &str) -> bool {
    let full =
        ["No space left on device", "Disk quota exceeded", "not enough space on the disk", "signal 7 [Bus error]"];
    full.iter().any(|words| text.contains(words))
}

/// Does an error blame the compiled dependencies, not the kernel's code?
pub fn blames_a_library(diagnostic: &Diagnostic) -> bool {
    const CODES: [&str; 6] = ["E0460", "E0461", "E0462", "E0463", "E0514", "E0786"];
    // Another build may just be compiling it again; what comes back meanwhile is there and was not.
    const GONE: [&str; 2] = ["extern location for ", "cannot determine resolution for "];
    let gone = GONE.iter().any(|start| diagnostic.message.starts_with(start));
    gone || diagnostic.code.as_deref().is_some_and(|code| CODES.contains(&code))
}

/// Does rustc say that it has no linker?
pub fn misses_linker(diagnostic: &Diagnostic) -> bool {
    diagnostic.message.starts_with("linker `") && diagnostic.message.ends_with("not found")
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
    // What rustc cannot read, as `'text'`, the engine cannot read either. PyO3's own macros would be compiled only for the
    // user to be told the same; what comes behind the refusal follows from it.
    if let Some(refused) = diagnostics.iter().position(|d| d.message.contains(REFUSAL))
        && diagnostics[..refused].iter().any(|d| d.level == "error" && is_users(source, d))
    {
        diagnostics.truncate(refused);
    }
    // What is wrong in a function is wrong once more in the module that was generated below the user's last line.
    if diagnostics.iter().any(|d| d.level == "error" && is_users(source, d)) {
        diagnostics.retain(|d| is_users(source, d));
    }
    // PyO3's macros parse once more what rustc did not, and stop at the same place.
    let told: Vec<_> = diagnostics.iter().map(|d| (d.code.clone(), d.file.clone(), d.line, d.column)).collect();
    let mut at = 0;
    diagnostics.retain(|d| {
        at += 1;
        let again = d.code.is_none() && d.line.is_some() && told[..at - 1].contains(&told[at - 1]);
        !(again && ["expected ", "unexpected "].iter().any(|word| d.message.starts_with(word)))
    });
    if let Some(missing) = diagnostics.iter().find(|found| misses_linker(found)) {
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
    let place = match errors.iter().find(|error| error.line.is_some() && is_users(source, error)) {
        Some(Diagnostic { file: Some(file), line: Some(line), .. }) => format!("{file}:{line}"),
        _ => source.path.display().to_string(),
    };
    let mut error =
        Error::new(Kind::Compile, format!("{place}: kernel `{}` does not compile ({count})", source.module));
    // rustc's other hints stand in its own text; these it cannot know.
    let declared = declared_crates(source);
    error.hint = missing_crates::hint(source, &errors, &declared).or_else(|| hints::hint(source, &errors));
    error.diagnostics(diagnostics).kernel(&source.path)
}

/// Writes the whole paths of files that rustc names as seen from a folder.
pub fn name_folder(diagnostics: &mut [Diagnostic], folder: &Path) {
    // Where rustc shows a place, what is in front of it may be followed by the end of a colour.
    let marks = ["--> ", "::: ", "closure@"];
    let whole = |text: &str| {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((at, mark)) = marks.iter().filter_map(|mark| Some((rest.find(mark)?, *mark))).min() {
            let after = &rest[at + mark.len()..];
            let (before, after) = rest.split_at(rest.len() - after.strip_prefix("\u{1b}[0m").unwrap_or(after).len());
            out.push_str(before);
            let name = after.split([':', '\n']).next().unwrap_or_default();
            let own = !name.is_empty() && !name.starts_with(['/', '<']) && folder.join(name).is_file();
            if own {
                out.push_str(&folder.join("").to_string_lossy());
            }
            rest = after;
        }
        out + rest
    };
    for diagnostic in diagnostics {
        diagnostic.ansi = whole(&diagnostic.ansi);
        diagnostic.message = whole(&diagnostic.message);
    }
}

/// Writes other columns where a diagnostic names a place, in its fields and where its text points to.
pub fn move_places(diagnostics: &mut [Diagnostic], mut moved: impl FnMut(&str, usize, usize) -> Option<usize>) {
    for diagnostic in diagnostics {
        if let (Some(file), Some(line), Some(column)) = (&diagnostic.file, diagnostic.line, diagnostic.column) {
            diagnostic.column = moved(file, line, column).or(diagnostic.column);
        }
        let mut text = String::with_capacity(diagnostic.ansi.len());
        for line in diagnostic.ansi.split_inclusive('\n') {
            let mut other = || {
                let (_, place) = ["--> ", "::: "].iter().find_map(|mark| line.split_once(mark))?;
                let place = place.trim_end();
                let mut parts = place.strip_prefix("\u{1b}[0m").unwrap_or(place).rsplitn(3, ':');
                let (column, at, file) = (parts.next()?, parts.next()?, parts.next()?);
                let other = moved(file, at.parse().ok()?, column.parse().ok()?)?;
                let before = line.trim_end().strip_suffix(column)?;
                Some(format!("{before}{other}{}", &line[line.trim_end().len()..]))
            };
            text.push_str(&other().unwrap_or_else(|| line.to_owned()));
        }
        diagnostic.ansi = text;
    }
}

/// Is a diagnostic about what the user wrote, and not about the module that was generated below his last line?
pub fn is_users(source: &Source, diagnostic: &Diagnostic) -> bool {
    diagnostic.line <= Some(source.text.lines().count())
        || !diagnostic.file.as_ref().is_some_and(|file| source.is_file(file))
}

/// The crates that a kernel declares, as its code calls them.
fn declared_crates(source: &Source) -> Vec<String> {
    match &source.manifest {
        None => Manifest::of_kernel(&source.path, &source.text).map(|manifest| manifest.crates()).unwrap_or_default(),
        Some(manifest) => {
            let table: toml::Table = manifest.text.parse().unwrap_or_default();
            let dependencies = table.get("dependencies").and_then(toml::Value::as_table);
            dependencies.into_iter().flatten().map(|(name, _)| name.replace('-', "_")).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::cell::FOLDER_FILE;

    fn source() -> Source {
        Source { path: "/k/a.rs".into(), base: "/k".into(), module: "a".into(), text: String::new(), manifest: None }
    }

    #[test]
    fn a_full_disk_is_known_by_what_compilers_and_linkers_say() {
        for text in [
            "error: failed to write `/x`: No space left on device (os error 28)",
            "collect2: fatal error: ld terminated with signal 7 [Bus error]",
        ] {
            assert!(disk_full(text), "{text}");
        }
        assert!(!disk_full("collect2: fatal error: ld terminated with signal 9 [Killed]"));
    }

    #[test]
    fn a_library_that_is_compiled_again_meanwhile_is_not_the_kernels_fault() {
        let said = |message: &str, code: Option<&str>| Diagnostic {
            level: "error".into(),
            message: message.into(),
            file: Some("/k/a.rs".into()),
            line: Some(1),
            code: code.map(str::to_owned),
            column: Some(1),
            ansi: String::new(),
        };
        assert!(blames_a_library(&said("extern location for pyo3 does not exist: /c/libpyo3.so", None)));
        assert!(blames_a_library(&said("cannot determine resolution for the attribute macro `pyo3::pymodule`", None)));
        assert!(blames_a_library(&said("found invalid metadata files for crate `pyo3`", Some("E0786"))));
        assert!(!blames_a_library(&said("cannot find macro `pymodule` in this scope", None)));
        assert!(!blames_a_library(&said("unresolved import `x`", Some("E0432"))));
    }

    #[test]
    fn what_rustc_could_not_read_is_told_without_the_refusal_that_follows_from_it() {
        let source = Source { text: "fn f() {}\n".into(), ..source() };
        let said = |message: &str| Diagnostic {
            level: "error".into(),
            message: message.into(),
            file: Some("/k/a.rs".into()),
            line: Some(1),
            code: None,
            column: Some(1),
            ansi: String::new(),
        };
        let told = |messages: &[&str]| {
            let error = compile_error(&source, messages.iter().map(|message| said(message)).collect());
            error.diagnostics.into_iter().map(|found| found.message).collect::<Vec<_>>()
        };
        let (wrong, refused) =
            ("character literal may only contain one codepoint", format!("{REFUSAL}: it was refused"));
        assert_eq!(told(&[wrong, &refused, "cannot find function `f`"]), [wrong]);
        assert_eq!(told(&[&refused, wrong]), [&refused, wrong]);
    }

    #[test]
    fn the_generated_module_is_blamed_only_where_the_users_lines_are_in_order() {
        let cell = tempfile::tempdir().unwrap();
        let cell = cell.path().join("cells/notebook/a.rs");
        std::fs::create_dir_all(cell.parent().unwrap()).unwrap();
        std::fs::write(cell.with_file_name(FOLDER_FILE), "/k").unwrap();
        let check = |path: &Path, file: &str, lines: &[usize], kept: &[usize]| {
            let source = Source { text: "fn f() {}\nfn g() {}\n".into(), path: path.into(), ..source() };
            let at = |line: &usize| Diagnostic {
                level: "error".into(),
                code: None,
                message: String::new(),
                file: Some(file.into()),
                line: Some(*line),
                column: Some(1),
                ansi: String::new(),
            };
            let error = compile_error(&source, lines.iter().map(at).collect());
            let found: Vec<usize> = error.diagnostics.iter().filter_map(|d| d.line).collect();
            assert_eq!(found, kept, "{lines:?} of {file}");
        };
        for (path, file) in [(Path::new("/k/a.rs"), "/k/a.rs"), (&*cell, "<cell a>")] {
            check(path, file, &[2, 3], &[2]);
            check(path, file, &[3], &[3]);
        }
        check(&cell, "<cell b>", &[2, 3], &[2, 3]);
    }

    #[test]
    fn names_from_a_folder_become_whole_paths() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.rs"), "").unwrap();
        let of = |text: &str| {
            let mut one = [Diagnostic {
                level: "error".into(),
                code: None,
                message: String::new(),
                file: None,
                line: None,
                column: None,
                ansi: text.into(),
            }];
            name_folder(&mut one, folder.path());
            one[0].ansi.replace(&*folder.path().to_string_lossy(), "F")
        };
        for (text, whole) in [
            ("  --> a.rs:1:2\n", "  --> F/a.rs:1:2\n"),
            ("\u{1b}[94m--> \u{1b}[0ma.rs:1:2", "\u{1b}[94m--> \u{1b}[0mF/a.rs:1:2"),
            ("  ::: a.rs:1:2\n --> a.rs:3:4", "  ::: F/a.rs:1:2\n --> F/a.rs:3:4"),
            ("{closure@a.rs:1:2: 1:4}", "{closure@F/a.rs:1:2: 1:4}"),
            ("--> /x/a.rs:1:2", "--> /x/a.rs:1:2"),
            ("--> <cell a>:1:2", "--> <cell a>:1:2"),
            ("--> b.rs:1:2", "--> b.rs:1:2"),
        ] {
            assert_eq!(of(text), whole);
        }
    }

    #[test]
    fn what_stands_in_angle_brackets_is_the_users_if_it_is_a_cell_or_a_text() {
        let others = ["<quote expansion>", "<anon>", "/rustc/hash/library/core/src/panic.rs"];
        assert!(others.iter().all(|file| is_of_others(file)));
        assert!(!["<cell step>", "<kernel step>", "/k/a.rs"].iter().any(|file| is_of_others(file)));
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
