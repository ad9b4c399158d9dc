//! A kernel's source: its path, its module name, its text. The one place that knows the marker.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::kernel::block::frontmatter;
use crate::kernel::cell::{Cell, folder_of};
use crate::kernel::last_read;
use crate::limits::{failed, is_out_of_files};
use crate::paths::{followed, quoted};

/// How much of a file is looked at for the marker.
const HEAD: u64 = 64 * 1024;
/// A kernel larger than this is taken for an accident.
const LARGEST: u64 = 16 * 1024 * 1024;

/// A kernel that was read from the disk.
#[derive(Debug, Clone)]
pub struct Source {
    /// The absolute path of the crate root: the kernel file, or the `lib.rs` of a crate.
    pub path: PathBuf,
    /// The folder that relative paths start from: the file's folder, the crate's, or that of a cell's notebook.
    pub base: PathBuf,
    /// The last component of the Python module's name.
    pub module: String,
    /// The text, UTF-8, without a byte-order mark removed.
    pub text: String,
    /// A crate's own `Cargo.toml`, where the kernel is a crate.
    pub manifest: Option<CrateManifest>,
}

/// The manifest of a crate that is imported as a module.
#[derive(Debug, Clone)]
pub struct CrateManifest {
    /// Its absolute path.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Reads a kernel file or a crate folder that is to become the module `module`.
    pub fn open(path: &Path, module: &str) -> Result<Source> {
        check_module_name(path, module)?;
        let path = std::path::absolute(path).map_err(|e| unreadable(path, &e))?;
        // A crate is named by its folder; most kernels are files, and need not be looked at twice.
        if path.extension().is_none_or(|extension| extension != "rs") && path.is_dir() {
            // Where cargo would be started, `..` leads to what lies beside the folder, not to what lies beside a link.
            let path = std::fs::canonicalize(&path).map_err(|e| unreadable(&path, &e))?;
            let manifest_path = path.join("Cargo.toml");
            if !manifest_path.exists() {
                let message = format!("{} is no kernel: there is no Cargo.toml in the folder", path.display());
                return Err(Error::config(message)
                    .hint("name a .rs file, or the folder of a crate; `rsimport build FOLDER` takes all marked ones")
                    .kernel(&path));
            }
            let manifest = read_text(&manifest_path)?;
            let lib = lib_path(&path, &manifest);
            let text = read_text(&lib)?;
            let manifest = Some(CrateManifest { path: manifest_path, text: manifest });
            return Ok(Source { path: lib, base: path, module: module.to_owned(), text, manifest });
        }
        // rustc looks for `mod` files beside the path that it is given, and they lie beside the file, not beside a link.
        let metadata = std::fs::symlink_metadata(&path).map_err(|e| unreadable(&path, &e))?;
        let (path, text) = if metadata.is_symlink() {
            let path = std::fs::canonicalize(&path).map_err(|e| unreadable(&path, &e))?;
            let text = read_text(&path)?;
            (path, text)
        } else {
            let text = read_described(&path, &metadata)?;
            (path, text)
        };
        let base = folder_of(&path);
        Ok(Source { path, base, module: module.to_owned(), text, manifest: None })
    }

    /// The text that is on the disk now, for noticing an edit during a build.
    pub fn reread(&self) -> Result<Source> {
        let path = if self.manifest.is_some() { &self.base } else { &self.path };
        Source::open(path, &self.module)
    }

    /// Is this what messages call the kernel's own file? They name a cell by its label.
    pub fn is_file(&self, name: &str) -> bool {
        Path::new(name) == self.path || Cell::of(&self.path).is_some_and(|cell| cell.label == name)
    }

    /// The file's name without its folder, for messages.
    pub fn name(&self) -> String {
        if let Some(cell) = Cell::of(&self.path) {
            return cell.label;
        }
        let path = if self.manifest.is_some() { &self.base } else { &self.path };
        path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Is this file a kernel, that is, is its first line that is not blank the marker? Never fails: a file that
/// cannot be read is not one, unless that is because no file can be opened: then it is for the import to say so, as for
/// any module of Python.
pub fn is_marked(path: &Path) -> bool {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return false };
    // Opening a FIFO would block, so only regular files are opened at all.
    let regular = metadata.is_file() || metadata.is_symlink() && path.is_file();
    if !regular {
        return false;
    }
    // One that is no longer than it said is read in one go. Some file systems do not know how long a file is.
    let limit = if metadata.is_file() && metadata.len() > 0 { metadata.len().min(HEAD) } else { HEAD };
    let head = match last_read::read(path, limit, limit) {
        Ok(head) => head,
        Err(error) => return is_out_of_files(&error),
    };
    let marked = has_marker(&head);
    if marked && metadata.is_file() && head.len() as u64 == metadata.len() {
        last_read::keep(&metadata, head);
    }
    marked
}

/// The `lib.rs` of the marked crate in a folder, if it is one.
pub fn crate_source(folder: &Path) -> Option<PathBuf> {
    let manifest = read_text(&folder.join("Cargo.toml")).ok()?;
    let lib = lib_path(folder, &manifest);
    let by_manifest = || metadata_of(&manifest).is_some();
    (lib.is_file() && (is_marked(&lib) || by_manifest())).then_some(lib)
}

/// The folder of the workspace that a crate belongs to, as cargo finds it: its own, the one that it names, or the nearest
/// above it that does not exclude it; the crate's own folder where there is none.
pub fn workspace_folder(base: &Path) -> PathBuf {
    let read = |folder: &Path| {
        let text = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
        memchr::memmem::find(text.as_bytes(), b"workspace")?;
        text.parse::<toml::Table>().ok()
    };
    let own = read(base);
    if own.as_ref().is_some_and(|own| own.contains_key("workspace")) {
        return base.to_path_buf();
    }
    let named = own.as_ref().and_then(|own| own.get("package")?.get("workspace")?.as_str());
    if let Some(named) = named {
        return followed(&base.join(named));
    }
    let is_root = |folder: &&Path| {
        let Some(table) = read(folder) else { return false };
        let names = |key: &str| {
            let listed = table.get("workspace").and_then(|workspace| workspace.get(key)?.as_array());
            listed.into_iter().flatten().filter_map(toml::Value::as_str).any(|name| base.starts_with(folder.join(name)))
        };
        table.contains_key("workspace") && (names("members") || !names("exclude"))
    };
    base.ancestors().skip(1).find(is_root).unwrap_or(base).to_path_buf()
}

/// The `[package.metadata.rsimport]` table of a manifest's text.
pub fn metadata_of(manifest: &str) -> Option<toml::Table> {
    memchr::memmem::find(manifest.as_bytes(), b"rsimport")?;
    let table: toml::Table = manifest.parse().ok()?;
    table.get("package")?.get("metadata")?.get("rsimport")?.as_table().cloned()
}

fn has_marker(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let first = head.split(|&b| b == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty());
    match first {
        Some(line) if line.starts_with(b"//") => line[2..].trim_ascii() == b"rsimport",
        Some(line) if line.starts_with(b"---") || line.starts_with(b"#!") => {
            let text = String::from_utf8_lossy(head);
            frontmatter(&text).is_some_and(|block| metadata_of(&block.toml).is_some())
        }
        _ => false,
    }
}

/// Reads a text file with a bound on its size; the message names the line of a byte that is not UTF-8.
fn read_text(path: &Path) -> Result<String> {
    read_described(path, &std::fs::metadata(path).map_err(|e| unreadable(path, &e))?)
}

fn read_described(path: &Path, metadata: &Metadata) -> Result<String> {
    if !metadata.is_file() {
        return Err(Error::config(format!("{} is not a regular file", path.display())).kernel(path));
    }
    if metadata.len() > LARGEST {
        let megabytes = metadata.len() / (1024 * 1024);
        return Err(Error::config(format!("{} has {megabytes} MiB, more than a kernel may have", path.display()))
            .hint(format!("the limit is {} MiB; data belongs in a file of its own", LARGEST / (1024 * 1024)))
            .kernel(path));
    }
    let bytes = match last_read::take(metadata) {
        Some(bytes) => bytes,
        None => last_read::read(path, LARGEST + 1, metadata.len()).map_err(|e| unreadable(path, &e))?,
    };
    String::from_utf8(bytes).map_err(|e| {
        let line = 1 + e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|&&b| b == b'\n').count();
        Error::config(format!("{}:{line}: this line is not UTF-8", path.display()))
            .hint("Rust source is UTF-8: save the file in that encoding")
            .kernel(path)
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    failed(Kind::Config, format_args!("{} cannot be read", path.display()), error).kernel(path)
}

/// Refuses a name that no Rust module for Python can have.
pub fn check_module_name(path: &Path, module: &str) -> Result<()> {
    let mut letters = module.chars();
    let first = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if first && letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(Error::config(format!("{}: {module:?} cannot be the name of a Rust module for Python", path.display()))
        .hint(match path.file_stem() {
            Some(stem) if stem == module => {
                let better = renamed(path, module);
                let name = better.file_stem().unwrap_or_default().to_string_lossy();
                format!("mv {} {}  # or, in Python, fullname=\"{name}\"", quoted(path), quoted(&better))
            }
            _ => "use ASCII letters, digits and underscores".to_owned(),
        })
        .kernel(path))
}

/// A file or folder under the nearest name that a module can have.
fn renamed(path: &Path, module: &str) -> PathBuf {
    let words = module.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = words.collect::<Vec<_>>().join("_");
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        name = format!("kernel_{name}").trim_end_matches('_').to_owned();
    }
    let named = path.with_file_name(name);
    path.extension().map_or_else(|| named.clone(), |extension| named.with_extension(extension))
}

/// Where a manifest says that its library is; broken TOML is left for cargo to report.
fn lib_path(folder: &Path, manifest: &str) -> PathBuf {
    let table: toml::Table = manifest.parse().unwrap_or_default();
    let path = table.get("lib").and_then(|lib| lib.get("path")).and_then(|path| path.as_str());
    folder.join(path.unwrap_or("src/lib.rs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_is_the_first_line_that_is_not_blank() {
        let check = |head: &str, marked: bool| assert_eq!(has_marker(head.as_bytes()), marked, "{head:?}");
        check("// rsimport\n", true);
        check("//rsimport", true);
        check("\u{feff}// rsimport\r\nfn f() {}", true);
        check("\n  \n\t// rsimport  \n", true);
        check("", false);
        check("\n\n", false);
        check("//! rsimport\n", false);
        check("// rsimport2\n", false);
        check("// not rsimport\n", false);
        check("use x;\n// rsimport\n", false);
        check("---\n[package.metadata.rsimport]\n---\nfn f() {}", true);
        check("#!/usr/bin/env cargo\n---cargo\n[package.metadata.rsimport]\nprofile = 'dev'\n---\n", true);
        check("---\n[dependencies]\n---\nfn f() {}", false);
        check("---\n[package.metadata.rsimport]\n", false);
    }

    #[test]
    fn a_workspace_is_found_as_cargo_finds_it() {
        let place = tempfile::tempdir().unwrap();
        let (top, base) = (place.path().join("top"), place.path().join("top/deep/k"));
        std::fs::create_dir_all(&base).unwrap();
        let check = |above: &str, own: &str, expected: &Path| {
            std::fs::write(top.join("Cargo.toml"), above).unwrap();
            std::fs::write(base.join("Cargo.toml"), own).unwrap();
            assert_eq!(workspace_folder(&base), expected, "{above:?} {own:?}");
        };
        check("", "", &base);
        check("[package]\nname = 'workspace'\n", "", &base);
        check("[workspace]\n", "", &top);
        check("[workspace]\n", "[workspace]\n", &base);
        check("[workspace]\nexclude = ['other']\n", "", &top);
        check("[workspace]\nexclude = ['deep']\n", "", &base);
        check("[workspace]\nexclude = ['deep']\nmembers = ['deep/k']\n", "", &top);
        check("[workspace]\n", "[package]\nworkspace = '../other'\n", &top.join("deep/other"));
    }

    #[test]
    fn a_module_name_is_an_ascii_identifier() {
        for (name, good) in [("a", true), ("_a1", true), ("fn", true), ("1a", false), ("a-b", false), ("é", false)] {
            assert_eq!(check_module_name(Path::new("x.rs"), name).is_ok(), good, "{name}");
        }
        assert!(check_module_name(Path::new("x.rs"), "").is_err());
    }

    #[test]
    fn a_file_that_cannot_be_a_module_is_to_be_renamed() {
        for (file, module, hint) in [
            ("a/my-step.rs", "my-step", "mv a/my-step.rs a/my_step.rs  # or, in Python, fullname=\"my_step\""),
            ("größer als.rs", "größer als", "mv 'größer als.rs' gr_er_als.rs  # or, in Python, fullname=\"gr_er_als\""),
            ("3d.rs", "3d", "mv 3d.rs kernel_3d.rs  # or, in Python, fullname=\"kernel_3d\""),
            ("ß.rs", "ß", "mv 'ß.rs' kernel.rs  # or, in Python, fullname=\"kernel\""),
            ("my-crate", "my-crate", "mv my-crate my_crate  # or, in Python, fullname=\"my_crate\""),
            ("step.rs", "my-step", "use ASCII letters, digits and underscores"),
        ] {
            let error = check_module_name(Path::new(file), module).unwrap_err();
            assert_eq!(error.hint.as_deref(), Some(hint));
        }
    }
}
