//! Where cargo and rustc are started, so that they find what configures the project and nothing that others left above it.
//!
//! cargo reads `.cargo/config.toml` in its working folder and in all above it, and rustup `rust-toolchain.toml`. Where only
//! those can put files into these folders who decide about the kernel, both are started in the kernel's folder, and find
//! everything themselves. Otherwise, as below `/tmp`, they are started in the root folder and are told what is to hold: a
//! look at what there is, before they are started in the kernel's folder all the same, would leave others a moment.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::config::ancestors::{Ancestors, Ignored, PROJECT, cargo_home, mentions, rustup_home};
use crate::config::trust::Trust;
use crate::error::{Error, Result};
use crate::kernel::source::Source;
use crate::paths::quoted;

/// The names of rustup's file, the stronger one first.
const TOOLCHAIN: [&str; 2] = ["rust-toolchain", "rust-toolchain.toml"];

/// A folder to start in, and what is not found from there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Start {
    /// The working folder.
    pub folder: PathBuf,
    /// cargo's configuration files, the strongest last.
    pub configs: Vec<PathBuf>,
    /// rustup's name of the project's toolchain; empty where rustup finds it.
    pub toolchain: String,
    /// The files that would have named another one.
    pub ignored: Vec<Ignored>,
    /// The folder above which cargo looks for no workspace, where others could put one there at any moment.
    pub top: Option<PathBuf>,
}

impl Start {
    /// For the kernels of a folder, or for one of them.
    pub fn of(folder: &Path, kernel: Option<&Path>) -> Start {
        // Both see where a folder is, and not by which links one came there.
        let real = real(folder);
        let kernel = kernel.map(self::real);
        let (trust, found) = (Trust::of(&real, kernel.as_deref()), Ancestors::of(&real, kernel.as_deref()));
        let mut start = Start { folder: folder.to_path_buf(), ..Start::default() };
        let toolchain = toolchain_of(&real, &trust, &mut start.ignored);
        let foreign = found.ignored.iter().any(|ignored| !ignored.path.ends_with(PROJECT));
        if foreign || !start.ignored.is_empty() || trust.is_exposed(&real) {
            start.folder = real.ancestors().last().unwrap_or(&real).to_path_buf();
            start.toolchain = toolchain.unwrap_or_default();
            // These cargo finds by itself.
            let known = [Some(start.folder.join(".cargo")), cargo_home().map(|home| self::real(&home))];
            let is_known = |path: &PathBuf| known.iter().flatten().any(|folder| path.parent() == Some(folder));
            start.configs = found.cargo.into_iter().rev().filter(|path| !is_known(path)).collect();
        }
        start
    }
}

/// Refuses a crate that cargo would take for a member of a workspace of somebody else's: its patches and profiles would hold.
/// Returns the folder above which cargo is not to look again, where it could find another one than was found here.
pub fn check_workspace(source: &Source) -> Result<Option<PathBuf>> {
    let Some(manifest) = &source.manifest else { return Ok(None) };
    let own: Table = manifest.text.parse().unwrap_or_default();
    if own.contains_key("workspace") || own.get("package").is_some_and(|package| package.get("workspace").is_some()) {
        return Ok(None);
    }
    let base = real(&source.base);
    let trust = Trust::of(&base, Some(&source.path));
    let is_exposed = trust.is_exposed(&base);
    for path in base.ancestors().skip(1).map(|above| above.join("Cargo.toml")) {
        if let Some(why) = trust.objection(&path) {
            if mentions(&path, b"workspace") || !path.is_file() {
                let (found, words, name) = (path.display(), why.words(), source.name());
                let error =
                    Error::config(format!("cargo would take {found} for the workspace of {name}, and it {words}"));
                let hint = format!(
                    "make the crate its own workspace: printf '\\n[workspace]\\n' >> {}",
                    quoted(&manifest.path)
                );
                return Err(error.hint(hint).kernel(&source.path));
            }
        } else if let Some(root) = workspace(&path)
            && root.get("exclude").is_none()
        {
            return Ok(is_exposed.then(|| path.with_file_name("")));
        }
    }
    Ok(is_exposed.then_some(base))
}

/// The `[workspace]` of a manifest.
fn workspace(path: &Path) -> Option<Table> {
    let manifest: Table = fs::read_to_string(path).ok()?.parse().ok()?;
    manifest.get("workspace")?.as_table().cloned()
}

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The toolchain that rustup would find for a folder, in that which may decide.
fn toolchain_of(folder: &Path, trust: &Trust<'_>, ignored: &mut Vec<Ignored>) -> Option<String> {
    let overrides = overrides().unwrap_or_default();
    for above in folder.ancestors() {
        if let Some(name) = overrides.get(&*above.to_string_lossy()).and_then(Value::as_str) {
            return Some(name.to_owned());
        }
        for path in TOOLCHAIN.map(|name| above.join(name)) {
            if fs::symlink_metadata(&path).is_err() {
                continue;
            }
            match trust.objection(&path) {
                Some(why) => ignored.push(Ignored::new(&path, &path, folder, why)),
                None => {
                    let name = fs::read_to_string(&path).ok().and_then(|text| named_by(&text, above));
                    if name.is_some() {
                        return name;
                    }
                }
            }
        }
    }
    None
}

/// The toolchain that a file names: a table, or in the older form nothing but the name. A path is relative to the file.
fn named_by(text: &str, folder: &Path) -> Option<String> {
    let Some(table) = text.parse::<Table>().ok().filter(|table| !table.is_empty()) else {
        return Some(text.trim().to_owned()).filter(|name| !name.is_empty() && !name.contains('\n'));
    };
    let own = |key: &str| table.get("toolchain")?.get(key)?.as_str();
    own("channel").map(str::to_owned).or_else(|| Some(folder.join(own("path")?).to_string_lossy().into_owned()))
}

/// The toolchains that `rustup override` has set for folders.
fn overrides() -> Option<Table> {
    let settings: Table = fs::read_to_string(rustup_home()?.join("settings.toml")).ok()?.parse().ok()?;
    settings.get("overrides")?.as_table().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_is_named_as_rustup_reads_it() {
        let check = |text: &str, name: Option<&str>| {
            assert_eq!(named_by(text, Path::new("/p")).as_deref(), name, "{text:?}");
        };
        check("nightly-2026-01-01\n", Some("nightly-2026-01-01"));
        check("[toolchain]\nchannel = '1.90'\ncomponents = ['rust-src']\n", Some("1.90"));
        check("[toolchain]\npath = 'own'\n", Some("/p/own"));
        check("[toolchain]\nprofile = 'minimal'\n", None);
        check("", None);
    }

    #[cfg(unix)]
    #[test]
    fn the_tools_start_in_the_kernels_folder_unless_others_can_put_files_above_it() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let (shared, folder) = (place.path().join("shared"), place.path().join("shared/mine"));
        fs::create_dir_all(shared.join(".cargo")).unwrap();
        fs::create_dir_all(folder.join(".cargo")).unwrap();
        let files = [shared.join(".cargo/config.toml"), folder.join(".cargo/config.toml")];
        files.iter().for_each(|file| fs::write(file, "").unwrap());
        fs::write(shared.join("rust-toolchain.toml"), "[toolchain]\nchannel = '1.90'\n").unwrap();
        let start = Start::of(&folder, None);
        if start.folder == Path::new("/") {
            return; // Others can put files above this repository.
        }
        assert_eq!(start, Start { folder: folder.clone(), ..Start::default() });
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
        let start = Start::of(&folder, None);
        assert_eq!((&*start.folder, &*start.toolchain), (Path::new("/"), "1.90"));
        assert!(start.configs.ends_with(&files), "{:?}", start.configs);
    }
}
