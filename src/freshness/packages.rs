//! What cargo has looked at besides the kernel: what the packages of a build were compiled from, and what their build
//! scripts watch.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::freshness::cargo_config::is_further;
use crate::freshness::inputs::Input;
use crate::kernel::source::{Source, workspace_folder};
use crate::rustc::cargo_messages::Package;
use crate::rustc::dep_info::DepInfo;

/// The crates with a build script that every kernel has. What these scripts read is in the key, or rsimport sets it.
const COMMON: [&str; 8] =
    ["libc", "proc-macro2", "pyo3", "pyo3-build-config", "pyo3-ffi", "pyo3-macros-backend", "quote", "target-lexicon"];

/// What packages were compiled from when cargo last looked at them, by cargo's name for the package. cargo itself
/// compares dates, and takes a file that is older than the last build for unchanged.
pub type Sources = BTreeMap<String, Compiled>;

/// What one package was compiled from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Compiled {
    /// The files of its library.
    library: Vec<Input>,
    /// The files of its build script, and those that it watches.
    script: Vec<Input>,
    /// Everything else: manifests, variables.
    others: Vec<Input>,
}

/// Where a build took place.
pub struct Place<'a> {
    /// The kernel.
    pub source: &'a Source,
    /// The folder in which cargo starts rustc for the kernel, which file names in dep-info are relative to.
    pub folder: PathBuf,
    /// The cache, in which nothing is an input: what lies there is generated.
    pub cache: PathBuf,
    /// The user's name for a path that cargo names.
    pub real: &'a dyn Fn(&Path) -> PathBuf,
}

impl Place<'_> {
    /// What these packages were compiled from.
    pub fn sources(&self, packages: &[Package]) -> Sources {
        packages.iter().map(|package| (package.id.clone(), self.compiled(package))).collect()
    }

    fn compiled(&self, package: &Package) -> Compiled {
        let base = self.source.base.as_path();
        let folder = (self.real)(&package.folder);
        let mut compiled = Compiled::default();
        let printed = package.output.as_ref().and_then(|output| std::fs::read_to_string(output).ok());
        let told = Told::of(printed.as_deref().unwrap_or_default());
        for name in told.variables {
            compiled.others.push(Input::variable(name));
        }
        for path in told.files {
            let path = (self.real)(&package.folder.join(path));
            // What lies in a package of a registry never changes.
            if !self.is_generated(&path) && (package.local || !path.starts_with(&folder)) {
                compiled.script.push(Input::tree(&path, base));
            }
        }
        if package.local {
            if package.output.is_some() && told.silent && !self.is_generated(&folder) {
                compiled.script.push(Input::folder(&folder, base));
            }
            self.read(&package.libraries, &folder, &mut compiled.library, &mut compiled.others);
            self.read(&package.scripts, &folder, &mut compiled.script, &mut compiled.others);
            if !self.is_generated(&folder) {
                let root = self.source.manifest.as_ref().map(|_| workspace_folder(base));
                let root = root.filter(|root| folder.starts_with(root));
                compiled.others.push(Input::manifest(&folder, root.as_deref(), base));
                // One that is not there makes cargo run it as soon as it is.
                compiled.script.push(Input::file(&folder.join("build.rs"), base));
            }
        }
        compiled
    }

    /// Adds what these dep-info files name; where one is gone, everything in the package counts.
    fn read(&self, dep_infos: &[PathBuf], folder: &Path, files: &mut Vec<Input>, others: &mut Vec<Input>) {
        let base = self.source.base.as_path();
        for path in dep_infos {
            if !path.is_file() && !self.is_generated(folder) {
                files.push(Input::folder(folder, base));
            }
            let info = DepInfo::read(path);
            let named = info.files.iter().map(|file| (self.real)(&self.folder.join(file)));
            files.extend(named.filter(|file| !self.is_generated(file)).map(|file| Input::file(&file, base)));
            others.extend(variables(&info.variables, base));
        }
    }

    fn is_generated(&self, path: &Path) -> bool {
        is_generated(path, &self.cache)
    }
}

/// Does a path lie in the cache, as everything does that a build script writes? Only the cells of notebooks are the user's
/// there.
fn is_generated(path: &Path, cache: &Path) -> bool {
    ["python", "targets", "work"].iter().any(|name| path.starts_with(cache.join(name)))
}

/// The inputs of a build besides the kernel's text: what cargo has looked at, and what rustc has read for the kernel.
pub fn all(
    foreign: &[Input],
    files: &[PathBuf],
    read: &[(String, Option<String>)],
    source: &Source,
    cache: &Path,
) -> Vec<Input> {
    let base = source.base.as_path();
    let files = files.iter().filter(|file| **file != source.path && !is_generated(file, cache));
    let own = files.map(|file| Input::file(file, base)).chain(variables(read, base));
    let mut inputs = Vec::new();
    for input in foreign.iter().cloned().chain(own) {
        if !inputs.contains(&input) {
            inputs.push(input);
        }
    }
    inputs
}

/// Everything that decides whether cargo would compile again, but the kernel's own text.
pub fn inputs(place: &Place<'_>, sources: &Sources, own: &[PathBuf]) -> Vec<Input> {
    let base = place.source.base.as_path();
    let mut inputs = Vec::new();
    let own: Vec<Input> = own.iter().map(|file| Input::file(file, base)).collect();
    let all = sources.values().flat_map(|package| [&package.others, &package.script, &package.library]).flatten();
    for input in all.filter(|input| !own.contains(input)) {
        if !inputs.contains(input) {
            inputs.push(input.clone());
        }
    }
    if place.source.manifest.is_some() {
        inputs.push(Input::file(&workspace_folder(base).join("Cargo.lock"), base));
    }
    inputs
}

/// The variables that come from the user's environment; cargo sets the others itself, for this build.
fn variables(read: &[(String, Option<String>)], base: &Path) -> Vec<Input> {
    let named = |name: &str| read.iter().any(|(known, _)| known == name);
    let further = read.iter().filter(|(name, _)| is_further(name)).map(|(name, _)| Input::variable(name));
    let folder = Input::OwnFolder { path: base.to_path_buf() };
    let moves = named("CARGO_MANIFEST_DIR") || named("CARGO_MANIFEST_PATH");
    further.chain(moves.then_some(folder)).collect()
}

/// The packages that cargo took for fresh although they have changed since `known` was written down. `began` is when this
/// build did.
pub fn stale(known: &Sources, packages: &[Package], began: SystemTime) -> Vec<String> {
    let changed = |inputs: &[Input]| inputs.iter().any(|input| !input.holds(Path::new("/")));
    let is_stale = |package: &&Package| {
        let Some(before) = known.get(&package.id) else { return false };
        package.fresh && changed(&before.library) || !has_run(package, began) && changed(&before.script)
    };
    packages.iter().filter(is_stale).map(|package| package.id.clone()).collect()
}

/// The packages that a forced build compiles again although nothing tells that they have changed: they lie in a folder, or
/// have a script that may have read anything.
pub fn doubtful(packages: &[Package]) -> Vec<String> {
    let is_doubtful = |package: &&Package| package.local || !COMMON.contains(&package.name.as_str());
    packages.iter().filter(is_doubtful).map(|package| package.id.clone()).collect()
}

/// Those of them that cargo took for fresh.
pub fn trusted(packages: &[Package]) -> Vec<String> {
    let is_trusted = |id: &String| packages.iter().any(|p| p.id == *id && (p.fresh || p.script_fresh));
    doubtful(packages).into_iter().filter(is_trusted).collect()
}

/// The same sources, named by absolute paths.
pub fn absolute(sources: &Sources, base: &Path) -> Sources {
    let absolute = |inputs: &[Input]| inputs.iter().map(|input| input.absolute(base)).collect();
    let with = |(id, package): (&String, &Compiled)| {
        let Compiled { library, script, others } = package;
        (id.clone(), Compiled { library: absolute(library), script: absolute(script), others: absolute(others) })
    };
    sources.iter().map(with).collect()
}

/// cargo dates what a script printed back to when it started it.
fn has_run(package: &Package, began: SystemTime) -> bool {
    let date = |output: &PathBuf| std::fs::metadata(output).and_then(|metadata| metadata.modified());
    package.output.as_ref().is_some_and(|output| date(output).is_ok_and(|date| date >= began))
}

/// What a build script has told cargo to watch.
struct Told<'a> {
    files: Vec<&'a str>,
    variables: Vec<&'a str>,
    /// Has it told nothing? Then cargo watches the package.
    silent: bool,
}

impl Told<'_> {
    fn of(printed: &str) -> Told<'_> {
        let instructions = printed.lines().filter_map(|line| line.strip_prefix("cargo:"));
        let pairs = instructions.filter_map(|line| line.strip_prefix(':').unwrap_or(line).split_once('='));
        let (mut files, mut variables, mut silent) = (Vec::new(), Vec::new(), true);
        for (key, value) in pairs {
            match key {
                "rerun-if-changed" => files.push(value.trim_end()),
                "rerun-if-env-changed" if is_further(value.trim()) => variables.push(value.trim()),
                "rerun-if-env-changed" => {}
                _ => continue,
            }
            silent = false;
        }
        Told { files, variables, silent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_build_script_watches_is_read_in_both_spellings() {
        let told =
            Told::of("cargo:rerun-if-changed=a b.txt\ncargo::rerun-if-env-changed=CFLAGS\ncargo:rustc-cfg=x\nx=y\n");
        assert_eq!((told.files, told.variables, told.silent), (vec!["a b.txt"], vec!["CFLAGS"], false));
        assert!(Told::of("cargo:rustc-cfg=rerun-if-changed=a\nrerun-if-changed=b\n").silent);
        let known = Told::of("cargo:rerun-if-env-changed=PYO3_PRINT_CONFIG\n");
        assert!(known.variables.is_empty() && !known.silent);
    }
}
