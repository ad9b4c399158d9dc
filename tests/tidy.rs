//! What ARCHITECTURE.md promises about the sources, checked by reading them.

use std::fs;
use std::path::Path;

/// The modules in the order of `lib.rs`, with their code but without their tests and comments.
fn modules() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = fs::read_to_string(folder.join("lib.rs")).unwrap();
    let names = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    names
        .map(|name| {
            let code: Vec<String> = texts(name)
                .iter()
                .map(|text| text.split("\nmod tests {").next().unwrap_or_default())
                .flat_map(str::lines)
                .filter(|line| !line.trim_start().starts_with("//"))
                .map(str::to_owned)
                .collect();
            (name.to_owned(), code.join("\n"))
        })
        .collect()
}

/// The files that a module is made of: its own, and those in a folder of its name.
fn texts(name: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let parts = fs::read_dir(folder.join(name)).into_iter().flatten().map(|part| part.unwrap().path());
    let files = std::iter::once(folder.join(format!("{name}.rs"))).chain(parts);
    files.map(|file| fs::read_to_string(file).unwrap()).collect()
}

fn users_of<'a>(modules: &'a [(String, String)], needles: &[&str]) -> Vec<&'a str> {
    let uses = |code: &str| needles.iter().any(|needle| code.contains(needle));
    modules.iter().filter(|(_, code)| uses(code)).map(|(name, _)| name.as_str()).collect()
}

#[test]
fn a_module_uses_only_those_above_it() {
    let modules = modules();
    for (at, (name, code)) in modules.iter().enumerate() {
        for (below, _) in &modules[at..] {
            assert!(
                !code.contains(&format!("crate::{below}::")) || below == name,
                "{name} uses {below}, which stands below it"
            );
        }
    }
}

#[test]
fn every_file_is_a_module_in_the_list() {
    let listed: Vec<String> = modules().into_iter().map(|(name, _)| name).collect();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = name.strip_suffix(".rs").unwrap_or(&name).to_owned();
        assert!(name == "lib" || listed.contains(&name), "{name} is missing in lib.rs");
    }
}

#[test]
fn one_module_makes_commands() {
    assert_eq!(users_of(&modules(), &["Command::new"]), ["toolchain"]);
}

#[test]
fn one_module_names_pyo3s_types() {
    assert_eq!(users_of(&modules(), &["\nuse pyo3::"]), ["python"]);
}

#[test]
fn one_module_writes_files() {
    let writes = [
        "fs::write",
        "fs::rename",
        "fs::copy",
        "fs::create_dir",
        "fs::remove",
        "fs::set_permissions",
        "File::create",
        "DirBuilder",
        "symlink::<",
    ];
    assert_eq!(users_of(&modules(), &writes), ["cache"]);
}

#[test]
fn unsafe_code_says_why_it_is_sound() {
    for (name, code) in modules() {
        let blocks = code.matches("unsafe {").count();
        let reasons = texts(&name).iter().map(|text| text.matches("// SAFETY: ").count()).sum::<usize>();
        assert_eq!(blocks, reasons, "{name}");
    }
}

#[test]
fn the_changelog_knows_the_version() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("CHANGELOG.md")).unwrap();
    assert!(text.contains(&format!("## {}", env!("CARGO_PKG_VERSION"))));
}
