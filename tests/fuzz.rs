//! Texts that nobody has thought of: what users write, what compilers say and what lies in the cache, put together at
//! random. Whatever they are, the engine neither panics nor hangs nor takes memory without end, and what can be written and
//! read again comes back as it was.
//!
//! Every target runs in a process of its own, so that a crash or a hang is reported with the smallest input that makes it.
//! `make fuzz` tries a million inputs for each, an ordinary run a few: the variable `FUZZ_INPUTS` says how many.
#![cfg(unix)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Once, OnceLock};

use _engine::cache::entries;
use _engine::cache::entry::Entry;
use _engine::cache::layout::Cache;
use _engine::config::settings::Settings;
use _engine::config::tier::Tier;
use _engine::error::Diagnostic;
use _engine::freshness::fingerprint::Fingerprint;
use _engine::freshness::inputs::Input;
use _engine::history::Last;
use _engine::kernel::block::{find, frontmatter, lookalike};
use _engine::kernel::cell::{dependencies, dependency_line, file_text};
use _engine::kernel::exports::exports;
use _engine::kernel::manifest::Manifest;
use _engine::kernel::outline::outline;
use _engine::kernel::source::Source;
use _engine::kernel::syntax::forget;
use _engine::observer::{Observer, Phase};
use _engine::recall::Origin;
use _engine::rustc::cargo_messages::CargoOutput;
use _engine::rustc::dep_info::DepInfo;
use _engine::rustc::diagnostics::from_rustc;
use _engine::rustc::toolchain::Identity;
use _engine::stage::copies::{Form, readable, stage};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Inputs of each target in an ordinary run.
const FEW: u32 = 64;
/// Milliseconds after which an input counts as one that hangs.
const LIMIT: u32 = 20_000;
/// Bytes of address space for a target.
const MEMORY: u64 = 4 << 30;

fn inputs() -> u32 {
    std::env::var("FUZZ_INPUTS").ok().and_then(|count| count.parse().ok()).unwrap_or(FEW)
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: inputs(),
        fork: true,
        timeout: LIMIT,
        failure_persistence: None,
        max_shrink_time: 60_000,
        ..ProptestConfig::default()
    }
}

/// Counts an input, bounds the memory of the process before the first, and says now and then how far it is. Is it the last one?
fn count(target: &str) -> bool {
    static DONE: AtomicU32 = AtomicU32::new(0);
    static BEGIN: Once = Once::new();
    BEGIN.call_once(|| {
        let limit = rustix::process::Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
        rustix::process::setrlimit(rustix::process::Resource::As, limit).unwrap();
    });
    let (done, all) = (DONE.fetch_add(1, Ordering::Relaxed) + 1, inputs());
    if all > 1000 && done.is_multiple_of((all / 4).max(1)) {
        let _ = writeln!(std::io::stderr(), "{target}: {done} inputs");
    }
    done == all
}

/// What is kept is read so, and what is garbled is as good as none.
fn kept<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

/// Pieces of a text in any order, with any character between them now and then.
fn soup(pieces: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    let piece = move |number: u32| match pieces.get(number as usize % (pieces.len() + 1)) {
        Some(piece) => (*piece).to_owned(),
        None => char::from_u32(number >> 11).unwrap_or('\u{2028}').to_string(),
    };
    vec(any::<u32>(), 0..most).prop_map(move |numbers| numbers.into_iter().map(piece).collect())
}

const BLOCKS: &[&str] = &[
    "// rsimport\n",
    "//! ",
    "//: ",
    "/// ",
    "// ",
    "/*!",
    "/**",
    " * ",
    "*/",
    "\n",
    "\r\n",
    "\u{feff}",
    "#!/bin/sh\n",
    "#![allow(x)]\n",
    "```cargo\n",
    "```toml\n",
    "```\n",
    "~~~cargo\n",
    "---\n",
    "--- cargo\n",
    "----\n",
    "[dependencies]\n",
    "[dependencies.",
    "[package]\n",
    "[profile.dev]\n",
    "[package.metadata.rsimport]\n",
    "[[",
    "]",
    "]\n",
    "serde = \"1\"\n",
    "pyo3",
    "pyo3 = { version = \"0.30\", features = [",
    "= ",
    "\"",
    "'''",
    "\"\"\"",
    "{ ",
    " }",
    ", ",
    "path = \"..\"\n",
    "cargo-deps: a=\"1\", ",
    "edition = \"2021\"\n",
    "rustflags = [\"-g\"]\n",
    "0x_",
    "1979-05-27T07:32:00Z\n",
    "1e999\n",
    "\t",
    "use x;\n",
    "fn f() {}\n",
    "é",
    "\u{1F980}",
    "\0",
    "\\u12",
    "package = ",
    "workspace = true\n",
    "true\n",
    "a.b.\"c\"",
];

const CODE: &[&str] = &[
    "// rsimport\n",
    "use pyo3::prelude::*;\n",
    "#[pyfunction]\n",
    "#[pyclass]\n",
    "#[pymethods]\n",
    "#[pymodule]\n",
    "pub ",
    "fn f",
    "(a: i64)",
    " -> PyResult<",
    "f64",
    ">",
    "<",
    " { ",
    " }\n",
    "(",
    ")",
    "[",
    "]",
    "struct S",
    "enum E { A, B = 1 }\n",
    "impl S",
    "mod m { ",
    "macro_rules! m",
    " => ",
    "$x:expr",
    "$x:tt",
    "$x:ty",
    "$($x:ident),*",
    "$($x)*",
    "$",
    "m!",
    ";\n",
    "{ ($($x:tt)*) => { m!{ $($x)* $($x)* } } }\n",
    "create_exception!(k, Error, PyException);\n",
    "#[unsafe(no_mangle)]\n",
    "extern \"C\" ",
    "*const f64",
    "&'a ",
    "&mut ",
    "- ",
    "! ",
    "|x| ",
    "if a ",
    "else ",
    "match a ",
    "let x = ",
    "=",
    "..",
    "\"",
    "r#\"",
    "'",
    "b'",
    "//",
    "/*",
    "*/",
    "#[cfg(unix)]\n",
    "#[pyo3(name = \"n\", signature = (a, *, b = 1))]\n",
    "include!(\"x.rs\");\n",
    "#[path = \"y.rs\"]\n",
    "mod y;\n",
    "type f64 = i64;\n",
    "use self::*;\n",
    "use a::b as c;\n",
    "::",
    "dyn Fn()",
    "1",
    "0xffu8",
    "1e9",
    "é",
    "async ",
    "unsafe ",
    "#!/usr/bin/env x\n",
    "\n",
    "T",
    "where T: Copy",
    "const N: usize",
];

const MESSAGES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"reason\":\"compiler-message\"",
    "\"reason\":\"compiler-artifact\"",
    "\"reason\":\"build-script-executed\"",
    "\"message\":",
    "\"spans\":[",
    "\"level\":\"error\"",
    "\"code\":null",
    "\"rendered\":\"error: x\\n --> k.rs:1:1\\n\"",
    "\"children\":[]",
    "\"line_start\":",
    "1",
    "-1",
    "18446744073709551616",
    "null",
    "\"file_name\":\"k.rs\"",
    "\"is_primary\":true",
    "\"byte_start\":0",
    "\"target\":",
    "\"\\u001b[31m",
    "\\",
    "\n",
    "\r",
    " ",
    "Building [====>   ] ",
    "5/28",
    ": syn, pyo3",
    "Compiling k v0.1.0 (/x)",
    "error: ",
    "/k.d: ",
    "/a.rs ",
    "\\ ",
    "# env-dep:",
    "A=",
    "\"text\":[{\"text\":\"é\",\"highlight_start\":1,\"highlight_end\":2}]",
    "\"filenames\":[\"/x/libk.so\"]",
];

struct Silent;

impl Observer for Silent {
    fn interrupted(&mut self) -> bool {
        false
    }

    fn progress(&mut self, _: Phase, _: usize, _: usize, _: &str) {}
    fn warning(&mut self, _: &str) {}
}

fn source(text: &str) -> Source {
    let path = PathBuf::from("/nowhere/k.rs");
    Source { path, base: "/nowhere".into(), module: "k".into(), text: text.to_owned(), manifest: None }
}

fn read_block(text: &str) -> Result<(), TestCaseError> {
    let path = Path::new("/nowhere/k.rs");
    let lines = text.matches('\n').count() + 1;
    lookalike(text);
    if let Ok(Some(block)) = find(path, text) {
        prop_assert!((1..=lines + 1).contains(&block.line), "line {} of {lines}", block.line);
    }
    match Manifest::of_kernel(path, text) {
        Ok(manifest) => {
            manifest.has_pyo3_before(23);
            manifest.pyo3(None);
            manifest.pyo3(Some(text));
            for (key, _, line) in &manifest.settings {
                prop_assert!((1..=lines).contains(line), "{key} on line {line} of {lines}");
            }
            for name in manifest.crates() {
                prop_assert!(manifest.line_of_dependency(&name).is_none_or(|line| line <= lines));
            }
            // What rustc is given has the lines and columns that the user sees.
            let shown = readable(&source(text), &manifest);
            prop_assert_eq!(shown.len(), text.len());
            prop_assert_eq!(shown.matches('\n').count() + 1, lines);
        }
        Err(error) => prop_assert!(error.message.contains("k.rs"), "{}", error.message),
    }
    Ok(())
}

/// A block with these lines, in each of the forms.
fn forms(toml: &str) -> Vec<String> {
    let each = |prefix: &str| toml.lines().map(|line| format!("{prefix}{line}\n")).collect::<String>();
    vec![
        format!("---\n{toml}---\n// rsimport\nfn f() {{}}\n"),
        format!("// rsimport\n//! ```cargo\n{}//! ```\nfn f() {{}}\n", each("//! ")),
        format!("// rsimport\n//! ```toml\n{}//! ```\n", each("//! ")),
        format!("// rsimport\n// ```cargo\n{}// ```\n", each("// ")),
        format!("// rsimport\n{}use x;\n", each("//: ")),
        format!("// rsimport\n/*!\n```cargo\n{toml}```\n*/\n"),
        format!("// rsimport\r\n//! ```cargo\r\n{}//! ```\r\n", each("//! ").replace('\n', "\r\n")),
    ]
}

fn entry() -> Entry {
    let warning = Diagnostic {
        level: "warning".into(),
        code: Some("unused".into()),
        message: "unused variable".into(),
        file: Some("/k.rs".into()),
        line: Some(3),
        column: Some(5),
        ansi: "\u{1b}[33mwarning".into(),
    };
    Entry {
        module: "k".into(),
        source: "/k.rs".into(),
        abi: ".so".into(),
        profile: "release".into(),
        tier: Tier::Fast,
        inputs: vec![
            Input::File { path: "a.txt".into(), digest: None, seal: String::new() },
            Input::Variable { name: "RSIMPORT_FUZZ_NONE".into(), value: None },
        ],
        reason: "first build".into(),
        seconds: 1.5,
        warnings: vec![warning],
        exports: Vec::new(),
        library: "k.so".into(),
        checksum: (0, String::new()),
        stamp: None,
        glibc: None,
        cpu: None,
        foreign: false,
        created: 1.0,
    }
}

/// What can happen to the bytes of a file.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Insert(Index, String),
    Cut(Index, Index),
    Repeat(Index, u16),
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let text =
        select(vec!["", "{", "}", "[", "]", "\"", "null", "-1", "1e999", "\\u0000", "../", "/etc/passwd", "é", ","]);
    let damage = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (any::<Index>(), text).prop_map(|(at, text)| Damage::Insert(at, text.to_owned())),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Cut(from, to)),
        (any::<Index>(), any::<u16>()).prop_map(|(at, times)| Damage::Repeat(at, times)),
    ];
    vec(damage, 1..4)
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        if bytes.is_empty() {
            return bytes;
        }
        match damage {
            Damage::Flip(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << (bit % 8);
            }
            Damage::Insert(at, text) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, text.bytes());
            }
            Damage::Cut(from, to) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                bytes.drain(from.min(to)..from.max(to));
            }
            Damage::Repeat(at, times) => {
                let byte = bytes[at.index(bytes.len())];
                bytes.splice(0..0, std::iter::repeat_n(byte, usize::from(*times)));
            }
        }
    }
    bytes
}

/// A cache with one published library, and that library.
fn published() -> (Cache, PathBuf) {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    // In memory, where that is possible: on a disk a million inputs take an hour.
    let shared = Path::new("/dev/shm");
    let base = if shared.is_dir() { shared } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
    let root = base.join("rsimport-fuzz");
    if LIBRARY.get().is_none() {
        let _ = std::fs::remove_dir_all(&root);
    }
    let settings = Settings { cache_dir: root.display().to_string(), ..Settings::default() };
    let cache = Cache::open(&settings).unwrap();
    let library = LIBRARY.get_or_init(|| {
        cache.prepare().unwrap();
        let staging = cache.staging().unwrap();
        let built = staging.path().join("k.so");
        std::fs::write(&built, "content").unwrap();
        entries::publish(&cache, "key", &staging, &built, entry()).unwrap().1
    });
    (cache, library.clone())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn manifest_blocks(text in soup(BLOCKS, 40)) {
        count("manifest blocks");
        read_block(&text)?;
    }

    #[test]
    fn blocks_that_are_written_are_read(
        names in vec(select(vec!["a", "serde", "rand_core", "x-y", "\"q\""]), 0..4),
        versions in vec(select(vec!["\"1\"", "\"=1.2.3\"", "{ version = \"1\", features = [\"x\"] }", "\">=1, <3\""]), 4),
        profile in any::<bool>(),
    ) {
        count("blocks that are written");
        let pairs: std::collections::BTreeMap<_, _> = names.iter().zip(&versions).collect();
        let lines: String = pairs.iter().map(|(name, version)| format!("{name} = {version}\n")).collect();
        let profile = if profile { "[profile.release]\nopt-level = 1\n" } else { "" };
        let toml = format!("[dependencies]\n{lines}{profile}");
        let expected: toml::Table = toml.parse().unwrap();
        for text in forms(&toml) {
            let manifest = Manifest::of_kernel(Path::new("k.rs"), &text);
            prop_assert_eq!(manifest.map(|found| found.table).ok(), Some(expected.clone()), "{}", text);
        }
    }

    #[test]
    fn frontmatters(text in soup(BLOCKS, 24), dashes in 2usize..6, end in 2usize..6) {
        count("frontmatters");
        let text = format!("{}\n{text}\n{}\n{text}", "-".repeat(dashes), "-".repeat(end));
        if let Some(block) = frontmatter(&text) {
            let hidden = block.hidden.clone().unwrap();
            prop_assert!(text.is_char_boundary(hidden.start) && text.is_char_boundary(hidden.end));
            prop_assert!(text[hidden.clone()].starts_with("---") && text[hidden.clone()].ends_with("---"));
            prop_assert!(text[hidden].contains(&block.toml));
        }
        read_block(&text)?;
    }

    #[test]
    fn cells(
        cell in soup(CODE, 12),
        deps in vec(prop_oneof![
            soup(BLOCKS, 4),
            soup(&["numpy", "=", "0.30", "@", " ", "{ ", "version = ", "\"", "1", "'", " }", ",", "\n", "#", "x-y", "features = [\"a\"]"], 8),
        ], 0..4),
    ) {
        count("cells");
        for dep in &deps {
            if let Ok(line) = dependency_line(dep) {
                let table: toml::Table = line.parse().unwrap();
                prop_assert_eq!(table.len(), 1, "{}", line);
            }
        }
        if let Ok(text) = file_text(&cell, &deps) {
            prop_assert_eq!(text.split_once('\n').map(|(_, rest)| rest), Some(cell.as_str()));
            let named = dependencies(&text);
            prop_assert!(named.is_some(), "{}", text);
            let table: toml::Table = named.unwrap_or_default().parse().unwrap();
            prop_assert_eq!(table.len(), 1);
            prop_assert_eq!(table["dependencies"].as_table().map(toml::Table::len), Some(deps.len()), "{}", text);
            read_block(&text)?;
        }
    }

    #[test]
    fn kernels(text in soup(CODE, 60)) {
        count("kernels");
        let source = source(&text);
        outline(&text, &[]);
        exports(&source.path, &text);
        let manifest = Manifest::of_kernel(&source.path, &text).unwrap_or_default();
        for form in [Form::Fast, Form::Pieces] {
            if let Err(error) = stage(&source, &manifest, form, "") {
                prop_assert!(error.message.contains("k.rs"), "{}", error.message);
            }
        }
        forget();
    }

    #[test]
    fn kernels_that_are_nested(
        piece in select(vec![
            ("(", ")"), ("{", "}"), ("[", "]"), ("-", ""), ("!", ""), ("&", ""), ("|x| ", ""), ("if a ", ""), ("a = ", ""),
            ("a(", ")"), ("a::<", ">"), ("return ", ""), ("*", ""), ("1 + ", ""), ("", ".a()"), ("", "?"), ("&&mut ", ""),
            ("if a {} else ", ""), ("match a { _ => ", " }"), ("a..", ""), ("a as ", ""), ("async ", ""), ("unsafe {", "}"),
            ("fn f() {", "}"), ("mod m {", "}"), ("'a: ", ""), ("a[", "]"), ("m!(", ")"), ("move || ", ""), ("", " as u8"),
            ("A<", ">"), ("fn() -> ", ""), ("*const ", ""), ("dyn Fn() -> ", ""), ("a::{", "}"), ("a::", ""), ("box ", ""),
            ("1 < ", ""), ("let A(", ") = 1"), ("a @ ", ""), ("break ", ""), ("S {} = ", ""), ("loop ", "{}"), ("#[a] ", ""), ("S { a: ", "}"),
        ]),
        times in prop_oneof![179 => 0usize..32, 20 => 32usize..160, 1 => 160usize..3000],
        place in select(vec![
            ("fn f() -> i64 { ", " }"), ("fn f(a: ", ") {}"), ("use ", ";"), ("const A: B = ", ";"), ("", ""),
            ("macro_rules! m { ($x:expr) => { fn g() { $x } } }\nm!(", ");"), ("fn f() { let ", " = 1; }"), ("type A = ", ";"),
            ("#[pyo3(signature = (a = ", "))]\n#[pyfunction]\nfn f(a: i64) {}"), ("mod m { impl A for ", " {} }"),
        ]),
    ) {
        count("kernels that are nested");
        let ((open, close), (before, after)) = (piece, place);
        let text = format!("// rsimport\n{before}{}1{}{after}\n", open.repeat(times), close.repeat(times));
        let source = source(&text);
        outline(&text, &[]);
        exports(&source.path, &format!("#[unsafe(no_mangle)]\n{text}"));
        for form in [Form::Fast, Form::Pieces] {
            let _ = stage(&source, &Manifest::default(), form, "");
        }
        forget();
    }

    #[test]
    fn manifests_that_are_nested(
        piece in select(vec![("[", "]"), ("{ a = ", " }"), ("[{ a = ", " }]"), ("a.", ""), ("'a'.", ""), ("[ # x\n//! ", "]")]),
        times in prop_oneof![19 => 0usize..160, 1 => 160usize..3000],
        place in select(vec![
            ("a = ", ""), ("", " = 1"), ("[", "]"), ("[[", "]]"), ("a = { ", " = 1 }"), ("[dependencies]\n//! a = { x = ", " }"),
            ("[package.metadata.rsimport]\n//! a = ", ""), ("[package.metadata.rsimport.", "]"), ("[profile.", "]"),
        ]),
    ) {
        count("manifests that are nested");
        let ((open, close), (before, after)) = (piece, place);
        let toml = format!("{before}{}a{}{after}", open.repeat(times), close.repeat(times));
        let text = format!("// rsimport\n//! ```cargo\n//! {toml}\n//! ```\n");
        read_block(&text)?;
        read_block(&text.replace("//! ", "").replace("```cargo", "---").replace("```", "---").replace("// rsimport\n", ""))?;
    }

    #[test]
    fn what_compilers_say(text in soup(MESSAGES, 40)) {
        count("what compilers say");
        let mut output = CargoOutput::of(Path::new("/k.rs"), Path::new("/p"), Path::new("/"));
        for line in text.lines() {
            output.message(line);
            output.line(line, &mut Silent);
            if let Some(diagnostic) = from_rustc(line, Path::new("/")) {
                diagnostic.rendered();
            }
        }
        DepInfo::parse(&text);
    }

    #[test]
    fn metadata_of_entries(damages in damages()) {
        let is_last = count("metadata of entries");
        let (cache, library) = published();
        let metadata = library.with_file_name("entry.json");
        static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
        let whole = WHOLE.get_or_init(|| std::fs::read(&metadata).unwrap()).clone();
        std::fs::create_dir_all(library.parent().unwrap()).unwrap();
        if !library.exists() {
            std::fs::write(&library, "content").unwrap();
        }
        std::fs::write(&metadata, damaged(whole, &damages)).unwrap();
        let found = entries::find(&cache, "key", "k.so", Path::new("/nowhere")).unwrap();
        if let Some(hit) = found.hit {
            prop_assert_eq!(std::fs::read(hit.library).unwrap(), b"content");
        }
        entries::entries(&cache);
        if is_last {
            std::fs::remove_dir_all(cache.root()).unwrap();
        }
    }

    #[test]
    fn kept_metadata(damages in damages(), which in 0usize..6) {
        count("kept metadata");
        let fingerprint = serde_json::json!([["source", "a"], ["Python ABI", ".so"]]);
        let inputs = serde_json::to_value(entry().inputs).unwrap();
        let value = [
            serde_json::json!({"fingerprint": fingerprint, "inputs": inputs, "built": 1.5, "published": ["/x/y"]}),
            serde_json::json!("scratch-1"),
            serde_json::json!({"version": "rustc 1.95.0", "rustc": "/x/rustc", "stamp": [1, 2]}),
            serde_json::json!({"kernel": "/k.rs", "source": "/k.rs", "library": "/x.so", "given": [["profile", "dev"]], "further": false}),
            serde_json::json!({"rustc": "/r", "folder": "/f", "arguments": ["a=b"], "environment": [["A", "b"]],
                "libraries": [["/l.rlib", 1, 2]], "inputs": inputs, "packages": ["p"]}),
            serde_json::to_value(entry()).unwrap(),
        ];
        let bytes = damaged(serde_json::to_vec(&value[which]).unwrap(), &damages);
        match which {
            0 => {
                if let Some(last) = kept::<Last>(&bytes) {
                    last.confirmed(Path::new("/nowhere"));
                    last.changes(&source(""), &Fingerprint::default());
                }
            }
            1 => drop(kept::<String>(&bytes)),
            2 => drop(kept::<Identity>(&bytes)),
            3 => drop(kept::<Origin>(&bytes)),
            4 => drop(kept::<_engine::compile::recipe::Recipe>(&bytes)),
            _ => drop(kept::<Entry>(&bytes)),
        }
    }
}
