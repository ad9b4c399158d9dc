//! The inputs of a build that only the build itself tells: files and environment variables that rustc and cargo named.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};
use walkdir::WalkDir;

use crate::config::environment::{home, variable};
use crate::digest::{Digest, Stamp, is_settled, seal, stamp, stamp_of};
use crate::kernel::source::workspace_folder;
use crate::paths::{followed, normal};

/// To read this much takes longer than the rest of a warm import.
const LARGE: u64 = 256 * 1024;

/// One input, with what it was when the artifact was built. Paths are relative to the kernel's folder, so that a copy of
/// the folder is a hit, or absolute where they lead far away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Input {
    /// A file.
    File {
        /// Where it is.
        path: PathBuf,
        /// The digest of its content, or none where there was no such file.
        digest: Option<String>,
        /// What the file system said of a large one, which is not read again while it says so.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        seal: String,
    },
    /// The files of a package as cargo lists them: what a build script depends on that says nothing else.
    Folder {
        /// The package's folder.
        path: PathBuf,
        /// The digest of names and contents.
        digest: String,
        /// What the file system said of all of them.
        #[serde(default)]
        seal: String,
    },
    /// Everything below a folder that a build script watches.
    Tree {
        /// The folder.
        path: PathBuf,
        /// The digest of names and contents.
        digest: String,
        /// What the file system said of all of them.
        seal: String,
    },
    /// The manifest of a package, for what its library sees of it.
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// That of the workspace that it inherits from, if it does.
        workspace: Option<PathBuf>,
        /// Is that the workspace of the build, whose profiles and patches hold?
        root: bool,
        /// The digest of both texts.
        text: String,
        /// The digest of what they say.
        digest: String,
    },
    /// The kernel's own folder: `env!("CARGO_MANIFEST_DIR")` has compiled it in.
    OwnFolder {
        /// The absolute path.
        path: PathBuf,
    },
    /// An environment variable that `env!` or a build script read.
    Variable {
        /// Its name.
        name: String,
        /// Its value, or none where it was not set.
        value: Option<String>,
    },
}

impl Input {
    /// Describes a file as it is now.
    pub fn file(path: &Path, base: &Path) -> Input {
        let is_large = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > LARGE);
        let seal = if is_large { seal_of_file(path) } else { String::new() };
        Input::File { path: shortened(path, base), digest: Digest::of_file(path), seal }
    }

    /// Describes the files of a package as they are now.
    pub fn folder(path: &Path, base: &Path) -> Input {
        let files = files_of_package(path);
        Input::Folder { path: shortened(path, base), digest: digest_of(path, &files), seal: seal_of(&files) }
    }

    /// Describes a file or everything below a folder as it is now.
    pub fn tree(path: &Path, base: &Path) -> Input {
        if !path.is_dir() {
            return Input::file(path, base);
        }
        let files = everything_below(path);
        Input::Tree { path: shortened(path, base), digest: digest_of(path, &files), seal: seal_of(&files) }
    }

    /// Describes the manifest in a package's folder as it is now. `root` is the folder of the build's own workspace,
    /// for a package of that.
    pub fn manifest(folder: &Path, root: Option<&Path>, base: &Path) -> Input {
        let path = folder.join("Cargo.toml");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let workspace = root.map(Path::to_path_buf).or_else(|| workspace_of(folder, &text));
        let workspace = workspace.map(|folder| folder.join("Cargo.toml"));
        let shared = workspace.as_ref().map(|path| std::fs::read_to_string(path).unwrap_or_default());
        Input::Manifest {
            text: digest_of_texts(&text, shared.as_deref()),
            digest: said(&text, shared.as_deref(), root.is_some()),
            path: shortened(&path, base),
            workspace: workspace.map(|path| shortened(&path, base)),
            root: root.is_some(),
        }
    }

    /// Describes a variable as it is now.
    pub fn variable(name: &str) -> Input {
        let value = variable(name).map(|value| value.to_string_lossy().into_owned());
        Input::Variable { name: name.to_owned(), value }
    }

    /// Does the input still have the content that it had?
    pub fn holds(&self, base: &Path) -> bool {
        match self {
            Input::File { path, digest, seal } => {
                let path = base.join(path);
                !seal.is_empty() && seal_of_file(&path) == *seal || Digest::of_file(&path) == *digest
            }
            Input::Folder { path, digest, seal } => {
                let (path, files) = (base.join(path), files_of_package(&base.join(path)));
                !seal.is_empty() && seal_of(&files) == *seal || digest_of(&path, &files) == *digest
            }
            Input::Tree { path, digest, seal } => {
                let (path, files) = (base.join(path), everything_below(&base.join(path)));
                !seal.is_empty() && seal_of(&files) == *seal || digest_of(&path, &files) == *digest
            }
            Input::Manifest { path, workspace, root, text, digest } => {
                let at = |path: &PathBuf| normal(&base.join(path).with_file_name(""));
                if *root && workspace.as_ref().map(at) != Some(workspace_folder(&at(path))) {
                    return false;
                }
                let read = |path: &PathBuf| std::fs::read_to_string(base.join(path)).unwrap_or_default();
                let (own, shared) = (read(path), workspace.as_ref().map(read));
                digest_of_texts(&own, shared.as_deref()) == *text || said(&own, shared.as_deref(), *root) == *digest
            }
            Input::OwnFolder { path } => path == base,
            Input::Variable { name, .. } => Input::variable(name) == *self,
        }
    }

    /// The files and folders, absolute.
    pub fn paths(&self, base: &Path) -> Vec<PathBuf> {
        let absolute = |path: &PathBuf| normal(&base.join(path));
        match self {
            Input::File { path, .. } | Input::Folder { path, .. } | Input::Tree { path, .. } => vec![absolute(path)],
            Input::Manifest { path, workspace, .. } => [path].into_iter().chain(workspace).map(absolute).collect(),
            Input::OwnFolder { .. } | Input::Variable { .. } => Vec::new(),
        }
    }

    /// The same input, named by its absolute path.
    pub fn absolute(&self, base: &Path) -> Input {
        self.renamed(&|path| normal(&base.join(path)))
    }

    /// An input that is named by its absolute path, as it is now and named from a kernel's folder.
    pub fn renewed(&self, base: &Path) -> Input {
        match self {
            Input::File { path, .. } => Input::file(path, base),
            Input::Folder { path, .. } => Input::folder(path, base),
            Input::Tree { path, .. } => Input::tree(path, base),
            Input::OwnFolder { .. } => Input::OwnFolder { path: base.to_path_buf() },
            other => other.renamed(&|path| shortened(path, base)),
        }
    }

    /// The same input without what differs from file system to file system.
    pub fn content(&self) -> Input {
        match self.clone() {
            Input::File { path, digest, .. } => Input::File { path, digest, seal: String::new() },
            Input::Folder { path, digest, .. } => Input::Folder { path, digest, seal: String::new() },
            Input::Tree { path, digest, .. } => Input::Tree { path, digest, seal: String::new() },
            other => other,
        }
    }

    fn renamed(&self, rename: &dyn Fn(&Path) -> PathBuf) -> Input {
        let mut renamed = self.clone();
        match &mut renamed {
            Input::File { path, .. } | Input::Folder { path, .. } | Input::Tree { path, .. } => *path = rename(path),
            Input::Manifest { path, workspace, .. } => {
                *path = rename(path);
                *workspace = workspace.take().map(|path| rename(&path));
            }
            Input::OwnFolder { .. } | Input::Variable { .. } => {}
        }
        renamed
    }

    /// Was it written at that time or later? Then a build that began then may have read either content.
    pub fn touched_since(&self, base: &Path, time: SystemTime) -> bool {
        // Whatever is moved to its place keeps the date of its content.
        let since = |metadata: Metadata| {
            metadata.modified().is_ok_and(|modified| modified >= time)
                || stamp_of(&metadata).and_then(|stamp| stamp.changed()).is_some_and(|changed| changed >= time)
        };
        let modified =
            |path: &Path| [std::fs::metadata(path), std::fs::symlink_metadata(path)].into_iter().flatten().any(since);
        match self {
            Input::Folder { path, .. } => files_of_package(&base.join(path)).iter().any(|file| modified(file)),
            Input::Tree { path, .. } => everything_below(&base.join(path)).iter().any(|file| modified(file)),
            other => other.paths(base).iter().any(|path| modified(path)),
        }
    }

    /// What it is, for the explanation of a rebuild.
    pub fn name(&self) -> String {
        match self {
            Input::File { path, .. } | Input::Folder { path, .. } | Input::Tree { path, .. } => {
                path.display().to_string()
            }
            Input::Manifest { path, workspace: Some(workspace), .. } if path != workspace => {
                format!("{} or {}", path.display(), workspace.display())
            }
            Input::Manifest { path, .. } => path.display().to_string(),
            Input::OwnFolder { .. } => "the kernel's folder".to_owned(),
            Input::Variable { name, .. } => format!("environment variable {name}"),
        }
    }
}

/// Relative to the kernel's folder unless all that they share is the root or the home folder.
fn shortened(path: &Path, base: &Path) -> PathBuf {
    let path = followed(path);
    let home = home();
    let shared: PathBuf =
        path.components().zip(base.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    if shared.components().count() <= 1 || home.is_some_and(|home| home.starts_with(&shared)) && !path.starts_with(base)
    {
        return path;
    }
    pathdiff::diff_paths(&path, base).unwrap_or(path)
}

fn digest_of(folder: &Path, files: &BTreeSet<PathBuf>) -> String {
    let with = |digest: Digest, file: &PathBuf| {
        let name = file.strip_prefix(folder).unwrap_or(file).as_os_str().as_encoded_bytes();
        digest.with(name).with(Digest::of_file(file).unwrap_or_default().as_bytes())
    };
    files.iter().fold(Digest::default(), with).hex()
}

/// The same for one file.
fn seal_of_file(path: &Path) -> String {
    stamp(path).filter(is_settled).map_or_else(String::new, |stamp| seal(&[stamp]))
}

/// Says in one text that none of these files was touched; empty where the file system does not tell, or would not tell of
/// a write that comes at once.
fn seal_of(files: &BTreeSet<PathBuf>) -> String {
    let stamps: Option<Vec<Stamp>> = files.iter().map(|file| stamp(file).filter(is_settled)).collect();
    stamps.map_or_else(String::new, |stamps| seal(&stamps))
}

/// The files of a package as cargo lists them: nothing of packages below it and no build folder, and hidden files only
/// where git may know them.
fn files_of_package(folder: &Path) -> BTreeSet<PathBuf> {
    let in_git = folder.ancestors().any(|above| above.join(".git").exists());
    let listed = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        let hidden = name == ".git" || name.starts_with('.') && !in_git;
        let target = name == "target" && entry.depth() == 1;
        let package = entry.file_type().is_dir() && entry.path().join("Cargo.toml").exists();
        entry.depth() == 0 || !(hidden || target || package)
    };
    files(WalkDir::new(folder).follow_links(true).into_iter().filter_entry(listed))
}

fn everything_below(folder: &Path) -> BTreeSet<PathBuf> {
    let everything = WalkDir::new(folder).follow_links(true).into_iter();
    everything.filter_map(std::result::Result::ok).map(walkdir::DirEntry::into_path).collect()
}

fn files(entries: impl Iterator<Item = walkdir::Result<walkdir::DirEntry>>) -> BTreeSet<PathBuf> {
    let entries = entries.filter_map(std::result::Result::ok).filter(|entry| entry.file_type().is_file());
    entries.map(walkdir::DirEntry::into_path).collect()
}

/// The folder of the workspace that a package inherits from: the one that it names, or the nearest above it.
fn workspace_of(folder: &Path, manifest: &str) -> Option<PathBuf> {
    let table: Table = manifest.parse().ok()?;
    if !inherits(&Value::Table(table.clone())) {
        return None;
    }
    let named = table.get("package").and_then(|package| package.get("workspace")).and_then(Value::as_str);
    let root = |folder: &&Path| {
        let text = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        text.parse::<Table>().is_ok_and(|table| table.contains_key("workspace"))
    };
    named.map(|named| normal(&folder.join(named))).or_else(|| folder.ancestors().find(root).map(Path::to_path_buf))
}

fn inherits(value: &Value) -> bool {
    let Value::Table(table) = value else { return false };
    table.iter().any(|(key, value)| key == "workspace" && value.as_bool() == Some(true) || inherits(value))
}

fn digest_of_texts(own: &str, shared: Option<&str>) -> String {
    [own].into_iter().chain(shared).fold(Digest::default(), |digest, text| digest.with(text.as_bytes())).hex()
}

/// The digest of what a library sees of its manifest: neither comments nor tests nor what others inherit.
fn said(own: &str, shared: Option<&str>, root: bool) -> String {
    let (Ok(mut own), Ok(mut shared)) = (own.parse::<Table>(), shared.unwrap_or_default().parse::<Table>()) else {
        return digest_of_texts(own, shared);
    };
    let inherited = shared.remove("workspace").and_then(|table| table.try_into().ok()).unwrap_or_default();
    inherit(&mut own, &inherited, &mut Vec::new());
    for name in
        ["badges", "bench", "bin", "dev-dependencies", "example", "patch", "profile", "replace", "test", "workspace"]
    {
        own.remove(name);
    }
    if let Some(package) = own.get_mut("package").and_then(Value::as_table_mut) {
        for name in ["default-run", "metadata", "publish"] {
            package.remove(name);
        }
    }
    let mut digest = Digest::default().with(own.to_string().as_bytes());
    if root {
        for name in ["patch", "profile", "replace"] {
            digest = digest.with(shared.get(name).map(Value::to_string).unwrap_or_default().as_bytes());
        }
        digest = digest.with(inherited.get("resolver").map(Value::to_string).unwrap_or_default().as_bytes());
    }
    digest.hex()
}

/// Writes down beside every `workspace = true` what the workspace has in its place.
fn inherit(table: &mut Table, shared: &Table, trail: &mut Vec<String>) {
    if table.get("workspace").and_then(Value::as_bool) == Some(true) {
        let steps: Vec<&str> = match trail.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [.., "dependencies" | "build-dependencies", name] => vec!["dependencies", name],
            others => others.to_vec(),
        };
        let found = steps.iter().try_fold(Value::Table(shared.clone()), |value, step| value.get(step).cloned());
        table.insert("workspace".into(), found.unwrap_or(true.into()));
        return;
    }
    for (name, value) in table.iter_mut() {
        if let Value::Table(inner) = value {
            trail.push(name.to_owned());
            inherit(inner, shared, trail);
            trail.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_file_is_named_relative_to_the_kernel() {
        let check = |path: &str, base: &str, expected: &str| {
            assert_eq!(shortened(Path::new(path), Path::new(base)), Path::new(expected));
        };
        check("/a/b/k/x.txt", "/a/b/k", "x.txt");
        check("/a/b/x.txt", "/a/b/k", "../x.txt");
        check("/a/b/k/./y/../x.txt", "/a/b/k", "x.txt");
        check("/usr/x.h", "/a/b/k", "/usr/x.h");
    }

    #[test]
    fn an_input_holds_until_its_content_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        std::fs::write(&file, "1").unwrap();
        let inputs = [
            Input::file(&file, folder.path()),
            Input::folder(folder.path(), folder.path()),
            Input::tree(folder.path(), folder.path()),
            Input::file(&folder.path().join("none"), folder.path()),
        ];
        let hold = || inputs.iter().map(|input| input.holds(folder.path())).collect::<Vec<_>>();
        assert_eq!(hold(), [true, true, true, true]);
        std::fs::write(&file, "2").unwrap();
        assert_eq!(hold(), [false, false, false, true]);
        std::fs::write(&file, "1").unwrap();
        assert_eq!(hold(), [true, true, true, true]);
        std::fs::write(folder.path().join("none"), "").unwrap();
        assert_eq!(hold(), [true, false, false, false]);
    }

    #[cfg(unix)]
    #[test]
    fn a_large_file_is_read_again_only_when_it_was_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (file, size) = (folder.path().join("a"), usize::try_from(LARGE).unwrap() + 1);
        std::fs::write(&file, vec![1; size]).unwrap();
        std::thread::sleep(2 * crate::digest::CLOCK_LAG);
        let Input::File { path, seal, .. } = Input::file(&file, folder.path()) else { unreachable!() };
        // Nothing has this digest: the seal alone decides.
        let sealed = Input::File { path, digest: None, seal };
        assert!(sealed.holds(folder.path()));
        std::fs::write(&file, vec![2; size]).unwrap();
        assert!(!sealed.holds(folder.path()));
    }

    #[cfg(unix)]
    #[test]
    fn what_was_moved_to_its_place_is_touched_whatever_its_date_is() {
        let folder = tempfile::tempdir().unwrap();
        let (file, old) = (folder.path().join("a"), folder.path().join("b"));
        for path in [&file, &old] {
            std::fs::write(path, "").unwrap();
        }
        let input = Input::file(&file, folder.path());
        std::thread::sleep(2 * crate::digest::CLOCK_LAG);
        let time = SystemTime::now() - crate::digest::CLOCK_LAG;
        assert!(!input.touched_since(folder.path(), time));
        std::fs::rename(&old, &file).unwrap();
        assert!(input.touched_since(folder.path(), time));
    }

    #[test]
    fn a_package_has_no_hidden_files_and_nothing_of_packages_below_it_but_a_watched_folder_has() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        ["src/lib.rs", "target/x", "inner/Cargo.toml", "inner/a.txt"].iter().for_each(|name| write(name));
        let (package, tree) = (Input::folder(folder.path(), folder.path()), Input::tree(folder.path(), folder.path()));
        for (name, in_package) in [("target/y", false), (".hidden", false), ("inner/b.txt", false), ("data/c", true)] {
            write(name);
            assert_eq!(package.holds(folder.path()), !in_package, "{name}");
            assert!(!tree.holds(folder.path()), "{name}");
        }
    }

    #[test]
    fn a_manifest_is_what_a_library_sees_of_it() {
        let own = "[package]\nname = 'a'\n[dependencies]\nb = { workspace = true }\n[lints]\nworkspace = true\n";
        let shared = "[workspace.dependencies]\nb = '1'\nc = '1'\n[workspace.lints.rust]\nunused = 'allow'\n[profile.release]\nlto = true\n";
        let check = |own_now: &str, shared_now: &str, root: bool, same: bool| {
            let (before, now) = (said(own, Some(shared), root), said(own_now, Some(shared_now), root));
            assert_eq!(before == now, same, "{own_now}\n{shared_now}");
        };
        check(&format!("# a comment\n{own}[dev-dependencies]\nx = '1'\n"), shared, false, true);
        check(&own.replace("'a'", "'z'"), shared, false, false);
        check(own, &shared.replace("b = '1'", "b = '2'"), false, false);
        check(own, &shared.replace("c = '1'", "c = '2'"), false, true);
        check(own, &shared.replace("'allow'", "'deny'"), false, false);
        check(own, &shared.replace("lto = true", "lto = false"), false, true);
        check(own, &shared.replace("lto = true", "lto = false"), true, false);
    }

    #[test]
    fn a_workspace_is_looked_for_only_where_something_is_inherited() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Cargo.toml"), "[workspace]\n").unwrap();
        let member = folder.path().join("m");
        assert_eq!(workspace_of(&member, "[package]\nname = 'm'\n"), None);
        assert_eq!(workspace_of(&member, "[lints]\nworkspace = true\n"), Some(folder.path().to_path_buf()));
        let named = "[package]\nworkspace = '../w'\nversion.workspace = true\n";
        assert_eq!(workspace_of(&member, named), Some(folder.path().join("w")));
    }
}
