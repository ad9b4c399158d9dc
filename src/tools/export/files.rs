//! The files of an exported kernel: its text, its `mod` files, what it includes. What lies in the kernel's folder stays where
//! it is relative to it; what lies elsewhere gets a folder of its own, and its paths are rewritten.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use syn::Item;
use toml_edit::DocumentMut;
use walkdir::{DirEntry, WalkDir};

use super::inherited::write_out;
use crate::error::{Error, Result};
use crate::kernel::mod_files::{Place, place};
use crate::kernel::source::Source;
use crate::kernel::syntax;
use crate::paths::{followed, normal};
use crate::stage::copies::find_includes;

/// Suffixes of what a build leaves in a folder.
const BUILT: [&str; 5] = ["so", "pyd", "dll", "dylib", "pyc"];

/// The files found so far.
pub struct Files {
    /// Texts by their place in the project.
    pub texts: Vec<(PathBuf, String)>,
    /// What is copied: its place, and where it is.
    pub copied: Vec<(PathBuf, PathBuf)>,
    /// Folders of the user's and what they become.
    folders: Vec<(PathBuf, PathBuf)>,
    /// The place of every file that was found.
    places: HashMap<PathBuf, PathBuf>,
    /// The crates that were copied, by their folder.
    crates: BTreeMap<PathBuf, PathBuf>,
}

impl Files {
    /// Nothing yet, but where a kernel's folder goes: that of a crate is the project's.
    pub fn of(source: &Source) -> Files {
        let place = if source.manifest.is_some() { "" } else { "src" };
        Files {
            texts: Vec::new(),
            copied: Vec::new(),
            folders: vec![(followed(&source.base), place.into())],
            places: HashMap::new(),
            crates: BTreeMap::new(),
        }
    }

    /// The place of the crate root, which is `src/lib.rs` unless the kernel has another file of that name.
    pub fn root(&mut self, source: &Source) -> PathBuf {
        let path = followed(&source.path);
        let place = match source.manifest {
            None if path.ends_with("lib.rs") || !source.base.join("lib.rs").exists() => PathBuf::from("src/lib.rs"),
            _ => self.place(&path),
        };
        self.places.insert(path, place.clone());
        place
    }

    /// The place of a file, in a new folder if need be.
    pub fn place(&mut self, path: &Path) -> PathBuf {
        if let Some(known) = self.places.get(path) {
            return known.clone();
        }
        let below = |(folder, at): &(PathBuf, PathBuf)| path.strip_prefix(folder).ok().map(|rest| at.join(rest));
        if let Some(place) = self.folders.iter().find_map(below) {
            return place;
        }
        let folder = path.parent().unwrap_or(path).to_path_buf();
        let name = folder.file_name().map_or_else(|| "outside".into(), |name| name.to_string_lossy().into_owned());
        let is_taken = |place: &PathBuf| {
            let own = self.folders[0].0.join(place.strip_prefix(&self.folders[0].1).unwrap_or(place));
            own.exists() || self.folders.iter().any(|(_, known)| known == place)
        };
        let mut place = Path::new("src").join(&name);
        for number in 2.. {
            if !is_taken(&place) {
                break;
            }
            place = Path::new("src").join(format!("{name}_{number}"));
        }
        self.folders.push((folder, place.clone()));
        place.join(path.file_name().unwrap_or_default())
    }

    /// Every file that was found.
    pub fn found(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = self.places.keys().cloned().collect();
        found.sort();
        found
    }

    /// Adds a file of Rust and all that it names.
    pub fn add(&mut self, path: &Path, text: &str) -> Result<()> {
        let path = followed(path);
        let modules = path.parent().unwrap_or(Path::new("/")).to_path_buf();
        self.add_text(path, text, &modules)
    }

    fn add_text(&mut self, path: PathBuf, text: &str, modules: &Path) -> Result<()> {
        let place = self.place(&path);
        if self.texts.iter().any(|(known, _)| *known == place) {
            return Ok(());
        }
        self.places.insert(path.clone(), place.clone());
        // Its turn among the others is here, whatever it names.
        let at = self.texts.len();
        self.texts.push((place.clone(), String::new()));
        let folder = path.parent().unwrap_or(Path::new("/")).to_path_buf();
        let mut out = String::with_capacity(text.len());
        let mut copied = 0;
        let mut found = Vec::new();
        if let Some(tokens) = syntax::tokens(text) {
            find_includes(tokens, &mut found);
        }
        found.sort_by_key(|(range, ..)| range.start);
        for (range, written, is_module) in found {
            let target = followed(&folder.join(&written));
            if !target.is_file() {
                continue;
            }
            let new = self.place(&target);
            if !is_module {
                self.include(&target, &new)?;
            }
            let own = place.parent().unwrap_or(Path::new(""));
            if normal(&own.join(&written)) != new || Path::new(&written).is_absolute() {
                let relative = pathdiff::diff_paths(&new, own).unwrap_or(new);
                out.push_str(&text[copied..range.start]);
                out.push_str(&format!("{:?}", relative.to_string_lossy().replace('\\', "/")));
                copied = range.end;
            }
        }
        self.texts[at].1 = out + &text[copied..];
        if let Some(file) = syntax::parse(text) {
            self.add_modules(&file.items, modules, &folder)?;
        }
        Ok(())
    }

    fn include(&mut self, path: &Path, place: &Path) -> Result<()> {
        // What is included as code may include something itself.
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Ok(text) = std::fs::read_to_string(path)
        {
            return self.add(path, &text);
        }
        self.copy(place.to_path_buf(), path.to_path_buf());
        Ok(())
    }

    fn copy(&mut self, place: PathBuf, path: PathBuf) {
        let is_known = self.texts.iter().map(|(known, _)| known).chain(self.copied.iter().map(|(known, _)| known));
        if !is_known.into_iter().any(|known| *known == place) {
            self.places.insert(path.clone(), place.clone());
            self.copied.push((place, path));
        }
    }

    fn add_modules(&mut self, items: &[Item], modules: &Path, own: &Path) -> Result<()> {
        for item in items {
            let Item::Mod(item) = item else { continue };
            match place(item, modules, own) {
                Place::Here(below) => {
                    let items = item.content.as_ref().map_or(&[][..], |(_, items)| items);
                    self.add_modules(items, &below, &below)?;
                }
                Place::Files(files) => {
                    let read = |(file, below): &(PathBuf, PathBuf)| {
                        let file = followed(file);
                        std::fs::read_to_string(&file).ok().map(|text| (file, text, followed(below)))
                    };
                    // One that is not there is for another system.
                    if let Some((file, text, below)) = files.iter().find_map(read) {
                        self.add_text(file, &text, &below)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds what the compiler has read besides; only it knows of files whose path is computed.
    pub fn add_inputs(&mut self, inputs: &[PathBuf], source: &Source) -> Result<()> {
        for path in inputs.iter().map(|path| followed(path)).filter(|path| path.is_file()) {
            let is_known =
                self.places.contains_key(&path) || ["Cargo.toml", "Cargo.lock"].iter().any(|name| path.ends_with(name));
            let in_crate = path.ancestors().skip(1).any(|folder| folder.join("Cargo.toml").is_file());
            if is_known || in_crate && source.manifest.is_none() {
                continue;
            }
            if !path.starts_with(&self.folders[0].0) {
                if in_crate {
                    continue;
                }
                let (kernel, outside) = (source.path.display(), path.display());
                let error = Error::config(format!(
                    "{kernel} reads {outside}, by a path that is not written out, and that leads out of its folder"
                ));
                let hint = format!("copy the file to {} and change the path", source.base.display());
                return Err(error.hint(hint).kernel(&source.path));
            }
            let place = self.place(&path);
            self.copy(place, path);
        }
        Ok(())
    }

    /// Adds a crate that lies in a folder of its own, under `crates/` unless it is a part of the project already. Returns its
    /// place. `from` is the crate that names it, by the path `written`.
    pub fn add_crate(&mut self, folder: &Path, from: Option<(&Path, &str)>, source: &Source) -> Result<PathBuf> {
        let folder = followed(folder);
        if let Some(known) = self.crates.get(&folder) {
            return Ok(known.clone());
        }
        let refused = |what: String, hint: String| Err(Error::config(what).hint(hint).kernel(&source.path));
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let place = match from {
            _ if source.manifest.is_some() && folder.starts_with(&self.folders[0].0) => {
                folder.strip_prefix(&self.folders[0].0).unwrap_or(&folder).to_path_buf()
            }
            None => Path::new("crates").join(&name),
            // What a crate says of its own dependencies stays as it is.
            Some((place, written)) => normal(&place.join(written)),
        };
        let is_taken = self.crates.iter().any(|(_, known)| *known == place);
        let is_inside = source.manifest.is_some() || place.starts_with("crates") && place.components().count() > 1;
        if is_taken || place.starts_with("..") || !is_inside {
            let (kernel, path) = (source.path.display(), folder.display());
            return refused(
                format!("{kernel} needs the crate in {path}, for which there is no place in the project"),
                "crates that need one another are exported where their folders lie side by side under different names"
                    .into(),
            );
        }
        let manifest = folder.join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).unwrap_or_default();
        let broken = |error: toml_edit::TomlError| Error::config(format!("{}: {error}", manifest.display()));
        let mut document: DocumentMut = text.parse().map_err(|error| broken(error).kernel(&source.path))?;
        write_out(&mut document, &folder).map_err(|error| error.kernel(&source.path))?;
        let table: toml::Table = document.to_string().parse().unwrap_or_default();
        self.crates.insert(folder.clone(), place.clone());
        if document.to_string() != text {
            self.texts.push((place.join("Cargo.toml"), document.to_string()));
        }
        for path in files_below(&folder, true) {
            let inner = place.join(path.strip_prefix(&folder).unwrap_or(&path));
            self.copy(inner, path);
        }
        for written in paths_in(&table) {
            let target = followed(&folder.join(&written));
            if !target.starts_with(&folder) {
                self.add_crate(&target, Some((&place, &written)), source)?;
            }
        }
        Ok(place)
    }

    /// Adds everything else in a crate's folder: tests, benches, data that a build script reads.
    pub fn add_rest(&mut self, source: &Source) {
        if source.manifest.is_none() {
            return;
        }
        let base = followed(&source.base);
        for path in files_below(&base, false) {
            let place = path.strip_prefix(&base).unwrap_or(&path).to_path_buf();
            let ours = ["Cargo.toml", "Cargo.lock", "pyproject.toml", "README.md"];
            if !ours.iter().any(|name| place == Path::new(name)) {
                self.copy(place, path);
            }
        }
    }
}

/// The paths of dependencies in a manifest.
fn paths_in(table: &toml::Table) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in table {
        if let toml::Value::Table(inner) = value {
            let of_packages = key.ends_with("dependencies") || key == "patch";
            match of_packages {
                true => collect(inner, &mut found),
                false if key == "target" => {
                    inner.values().filter_map(toml::Value::as_table).for_each(|of| found.extend(paths_in(of)))
                }
                false => {}
            }
        }
    }
    found
}

fn collect(table: &toml::Table, found: &mut Vec<String>) {
    for (key, value) in table {
        match value {
            toml::Value::String(path) if key == "path" => found.push(path.clone()),
            toml::Value::Table(inner) => collect(inner, found),
            _ => {}
        }
    }
}

/// The files of a folder without what a build, git or an environment of Python has left there.
fn files_below(folder: &Path, whole: bool) -> Vec<PathBuf> {
    let listed = move |entry: &DirEntry| {
        let name = entry.file_name().to_string_lossy();
        let is_left = name.starts_with('.') && entry.depth() > 0 || name == "__pycache__" || name == "dist" && !whole;
        let target = name == "target" && entry.depth() == 1;
        let environment = entry.file_type().is_dir() && entry.path().join("pyvenv.cfg").exists();
        !(is_left || target || environment)
    };
    let entries = WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(listed).flatten();
    let files = entries.filter(|entry| entry.path().is_file()).map(DirEntry::into_path);
    let is_built = |path: &PathBuf| path.extension().is_some_and(|found| BUILT.iter().any(|built| found == *built));
    files.filter(|path| !is_built(path)).collect()
}
