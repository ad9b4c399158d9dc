//! What ARCHITECTURE.md promises about the sources and README.md about kernels, checked by reading them.

use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;

/// A file of the sources: how the crate calls it, and its code without its tests and comments.
struct Module {
    /// `cache::lock`, or `error` for a file beside the folders. A folder's own file has the folder's name.
    name: String,
    /// Its place in the order in which modules may use one another.
    place: usize,
    code: String,
}

/// All files in the order of the `mod` lines, those of a folder after the folder's own one.
fn modules() -> Vec<Module> {
    fn visit(folder: &Path, file: &Path, prefix: &str, found: &mut Vec<Module>) {
        let text = fs::read_to_string(file).unwrap();
        let names = text.lines().filter_map(|line| {
            let line = line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod "))?;
            line.strip_suffix(';')
        });
        for name in names {
            let full = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") };
            let (plain, inside) = (folder.join(format!("{name}.rs")), folder.join(name));
            let file = if plain.is_file() { plain } else { inside.join("mod.rs") };
            found.push(Module { name: full.clone(), place: found.len(), code: code(&file) });
            if file.ends_with("mod.rs") {
                visit(&inside, &file, &full, found);
            }
        }
    }
    let mut found = Vec::new();
    let src = src();
    visit(&src, &src.join("lib.rs"), "", &mut found);
    found
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| format!("{line}\n")).collect()
}

fn users_of(needles: &[&str]) -> Vec<String> {
    let uses = |module: &Module| needles.iter().any(|needle| module.code.contains(needle));
    modules().into_iter().filter(uses).map(|module| module.name).collect()
}

/// Is there `crate::a::b` in the code, as a whole name, be it followed by `::`, by `;` or by anything else?
fn names(code: &str, module: &str) -> bool {
    let path = format!("crate::{module}");
    code.match_indices(&path).any(|(at, _)| {
        let next = code[at + path.len()..].chars().next();
        !next.is_some_and(|next| next.is_alphanumeric() || next == '_')
    })
}

#[test]
fn a_module_uses_only_those_above_it() {
    let modules = modules();
    for user in &modules {
        let folder = user.name.split("::").next().unwrap();
        for used in modules.iter().filter(|used| used.place > user.place) {
            // A folder may be named on the way to something in it; what is named then has its own turn.
            let own =
                used.name == folder || user.name == used.name || used.name.starts_with(&format!("{}::", user.name));
            assert!(own || !names(&user.code, &used.name), "{} uses {}, which stands below it", user.name, used.name);
        }
    }
}

#[test]
fn every_file_is_a_module_in_a_list() {
    let listed = modules().len();
    let files = walkdir::WalkDir::new(src()).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    let files: Vec<_> = files.map(walkdir::DirEntry::into_path).collect();
    // Beside the modules there are the root and two texts that are compiled into kernels.
    assert_eq!(files.len(), listed + 3, "{files:?}");
}

#[test]
fn nothing_is_imported_by_braces_right_below_the_crate() {
    // `use crate::{a, b}` would hide what is used from the test above.
    assert_eq!(users_of(&["crate::{", "crate::*"]), Vec::<String>::new());
}

#[test]
fn one_module_makes_commands() {
    assert_eq!(users_of(&["Command::new"]), ["rustc::toolchain"]);
    assert_eq!(users_of(&["env::var", "dirs::"]), ["config::environment"]);
}

#[test]
fn one_folder_names_pyo3s_types() {
    let users = users_of(&["\nuse pyo3::"]);
    assert!(!users.is_empty() && users.iter().all(|user| user.split("::").next() == Some("python")), "{users:?}");
}

#[test]
fn one_folder_writes_files() {
    let writes = [
        "fs::write",
        "fs::rename",
        "fs::copy",
        "fs::create_dir",
        "fs::remove",
        "fs::set_permissions",
        "File::create",
        "OpenOptions",
        "DirBuilder",
        "symlink::<",
    ];
    let users = users_of(&writes);
    assert!(!users.is_empty() && users.iter().all(|user| user.split("::").next() == Some("cache")), "{users:?}");
}

#[test]
fn the_changelog_knows_the_version() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("CHANGELOG.md")).unwrap();
    assert!(text.contains(&format!("## {}", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn the_extension_of_jupyterlab_has_the_version_of_the_crate() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("labextension/data/share/jupyter/labextensions/rsimport");
    let package = fs::read_to_string(folder.join("package.json")).unwrap();
    assert!(package.contains(&format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"))), "{package}");
}

/// README.md names 1.85. What is younger in the library, clippy finds (`make lint`), but not what is younger in the language.
#[test]
fn shipped_kernels_are_written_in_the_oldest_rust_that_builds_kernels() {
    #[derive(Default)]
    struct Chains(Vec<String>);
    impl<'a> syn::visit::Visit<'a> for Chains {
        fn visit_expr_binary(&mut self, binary: &'a syn::ExprBinary) {
            if [&binary.left, &binary.right].iter().any(|side| matches!(***side, syn::Expr::Let(_))) {
                self.0.push(format!("{:?}", binary.op.span().start()));
            }
            syn::visit::visit_expr_binary(self, binary);
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["kernels", "examples", "templates"] {
        let files = walkdir::WalkDir::new(root.join(folder)).into_iter().flatten().map(walkdir::DirEntry::into_path);
        for file in files.filter(|file| file.extension().is_some_and(|end| end == "rs")) {
            let mut chains = Chains::default();
            let parsed = syn::parse_file(&fs::read_to_string(&file).unwrap()).unwrap();
            syn::visit::visit_file(&mut chains, &parsed);
            assert!(chains.0.is_empty(), "Rust 1.85 has no let chains: {} {:?}", file.display(), chains.0);
        }
    }
}
