//! The hints to recorded errors of rustc. What rustc says about the commonest of them today is asked in the Python suite.

use std::path::Path;

use _engine::error::Diagnostic;
use _engine::kernel::source::Source;
use _engine::rustc::diagnostics::compile_error;

/// A kernel, what rustc said about it, and the hint to that.
struct Recorded<'a> {
    name: &'a str,
    kernel: &'a str,
    errors: Vec<Diagnostic>,
    hint: &'a str,
}

fn recorded(section: &str) -> Recorded<'_> {
    let (name, rest) = section.split_once('\n').unwrap();
    let (rest, hint) = rest.split_once("\n--- hint\n").unwrap();
    let mut parts = rest.split("\n--- error ");
    let kernel = parts.next().unwrap();
    let errors = parts.map(|part| {
        let (head, text) = part.split_once('\n').unwrap();
        let (code, line) = head.split_once(' ').unwrap();
        Diagnostic {
            level: "error".into(),
            code: (code != "-").then(|| code.to_owned()),
            message: text.lines().next().unwrap_or_default().to_owned(),
            file: Some("/k/kern.rs".into()),
            line: line.parse().ok(),
            column: Some(1),
            ansi: format!("error: {text}"),
        }
    });
    Recorded { name: name.trim(), kernel, errors: errors.collect(), hint: hint.trim_end() }
}

fn source(text: &str) -> Source {
    Source {
        path: Path::new("/k/kern.rs").into(),
        base: "/k".into(),
        module: "kern".into(),
        text: text.to_owned(),
        manifest: None,
    }
}

#[test]
fn recorded_errors_have_their_hints() {
    let text = include_str!("hints.txt");
    let sections: Vec<&str> = text.split("\n=== ").skip(1).collect();
    assert!(sections.len() > 80);
    let wrong = sections.into_iter().filter_map(|section| {
        let Recorded { name, kernel, errors, hint } = recorded(section);
        let found = compile_error(&source(kernel), errors).hint.unwrap_or_default();
        (found != hint).then(|| format!("{name}\n  found    {found}\n  expected {hint}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_hint_never_fails_whatever_rustc_says() {
    let text = include_str!("hints.txt");
    let kernels =
        ["", "\n", "// rsimport", "\u{feff}// rsimport\n//! ```cargo", "é\u{301}\n--- ``` [dependencies]\n/*"];
    for section in text.split("\n=== ").skip(1) {
        let Recorded { errors, .. } = recorded(section);
        for error in errors {
            // Every beginning of what it says, about kernels that do not have that line.
            for (end, _) in error.message.char_indices() {
                for (kernel, line) in kernels.iter().zip([None, Some(1), Some(999), Some(0), Some(3)]) {
                    let message = error.message[..end].to_owned();
                    let ansi = message.clone();
                    compile_error(&source(kernel), vec![Diagnostic { message, ansi, line, ..error.clone() }]);
                }
            }
        }
    }
}
