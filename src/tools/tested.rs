//! The files of a kernel, and where its tests stand in them: `#[test]` functions.

use std::path::{Path, PathBuf};

use syn::{Attribute, Item};

use crate::kernel::mod_files::{Place, place};
use crate::kernel::source::Source;
use crate::kernel::syntax;
use crate::paths::normal;

/// A test as the harness calls it, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// Its path from the crate root.
    pub name: String,
    /// The user's file.
    pub file: PathBuf,
    /// The line of its name, 1-based.
    pub line: usize,
}

/// The tests of a kernel. A test that a macro makes is not among them.
pub fn tests(source: &Source) -> Vec<Test> {
    walk(source).0
}

/// The files of a kernel: its root first, then those of its modules.
pub fn files(source: &Source) -> Vec<PathBuf> {
    walk(source).1
}

fn walk(source: &Source) -> (Vec<Test>, Vec<PathBuf>) {
    let folder = match &source.manifest {
        Some(_) => source.path.parent().unwrap_or(Path::new("/")),
        None => &source.base,
    };
    let mut found = Vec::new();
    let mut seen = vec![source.path.clone()];
    read(&source.text, &source.path, folder, "", &mut seen, &mut found);
    syntax::forget();
    (found, seen)
}

fn read(text: &str, file: &Path, modules: &Path, path: &str, seen: &mut Vec<PathBuf>, found: &mut Vec<Test>) {
    if let Some(parsed) = syntax::parse(text) {
        let own = file.parent().unwrap_or(Path::new("/"));
        collect(&parsed.items, file, (modules, own), path, seen, found);
    }
}

fn collect(
    items: &[Item],
    file: &Path,
    (modules, own): (&Path, &Path),
    path: &str,
    seen: &mut Vec<PathBuf>,
    found: &mut Vec<Test>,
) {
    for item in items {
        match item {
            Item::Fn(item) if item.attrs.iter().any(is_test) => {
                let (name, line) = (format!("{path}{}", item.sig.ident), item.sig.ident.span().start().line);
                found.push(Test { name, file: file.to_path_buf(), line });
            }
            Item::Mod(item) => {
                let below = format!("{path}{}::", item.ident);
                match place(item, modules, own) {
                    Place::Here(folder) => {
                        let items = item.content.as_ref().map_or(&[][..], |(_, items)| items);
                        collect(items, file, (&folder, &folder), &below, seen, found);
                    }
                    Place::Files(files) => {
                        let files = files.into_iter().map(|(file, folder)| (normal(&file), folder));
                        for (file, folder) in files {
                            if seen.contains(&file) {
                                continue;
                            }
                            if let Ok(text) = std::fs::read_to_string(&file) {
                                seen.push(file.clone());
                                read(&text, &file, &folder, &below, seen, found);
                                break;
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

/// `#[test]`, or an attribute of another crate that makes one: `#[tokio::test]`, `#[rstest]`.
fn is_test(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|last| last.ident == "test" || last.ident == "rstest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_found_in_all_files_with_their_paths_and_lines() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(
            "k.rs",
            "mod part;\n#[cfg(test)]\nmod tests {\n    #[test]\n    #[should_panic]\n    fn one() {}\n    fn no() {}\n}\n",
        );
        write("part.rs", "#[test]\nfn two() {}\nmod part;\n");
        let source = Source::open(&folder.path().join("k.rs"), "k").unwrap();
        let found: Vec<_> = super::tests(&source)
            .into_iter()
            .map(|test| (test.name, test.file.file_name().unwrap().to_string_lossy().into_owned(), test.line))
            .collect();
        assert_eq!(found, [("part::two".into(), "part.rs".into(), 2), ("tests::one".into(), "k.rs".into(), 6)]);
    }
}
