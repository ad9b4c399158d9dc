//! What cargo has looked at besides the kernel: what the packages of a build were compiled from, and what their build
//! scripts watch.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::freshness::cargo_config::{CargoConfig, is_further};
use crate::freshness::inputs::Input;
use crate::kernel::source::{Source, workspace_folder};
use crate::rustc::cargo_messages::Package;
use crate::rustc::dep_info::DepInfo;

/// The crates with a build script that every kernel has. What these scripts read is in the key, or rsimport sets it.
const COMMON: [&str; 8] =
    ["libc", "proc-macro2", "pyo3", "pyo3-build-config", "pyo3-ffi", "pyo3-macros-backend", "quote", "target-lexicon"];

/// A line of a build script that is longer names nothing.
const LONGEST_LINE: u64 = 1 << 16;

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
        let printed = package.output.as_ref().and_then(|output| File::open(output).ok());
        let told = printed.map_or_else(Told::nothing, |printed| Told::of(BufReader::new(printed)));
        for name in told.variables {
            compiled.others.push(Input::variable(&name));
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
                let root = root.filter(|root| workspace_folder(&folder) == *root);
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

/// The same without the variables that cargo's configuration, which the key has, gives whatever the environment says.
pub fn left_to_the_environment(mut inputs: Vec<Input>, cargo: &CargoConfig) -> Vec<Input> {
    inputs.retain(|input| !matches!(input, Input::Variable { name, .. } if cargo.forces(name)));
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
struct Told {
    files: Vec<String>,
    variables: Vec<String>,
    /// Has it told nothing? Then cargo watches the package.
    silent: bool,
}

impl Told {
    fn nothing() -> Told {
        Told { files: Vec::new(), variables: Vec::new(), silent: true }
    }

    /// Reads what was printed line by line, of which one may be as long as the disk is large.
    fn of(mut printed: impl BufRead) -> Told {
        let mut told = Told::nothing();
        let mut line = Vec::new();
        while printed.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            if line.last() != Some(&b'\n') && line.len() as u64 == LONGEST_LINE {
                let _ = printed.skip_until(b'\n');
            } else {
                told.add(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
            }
            line.clear();
        }
        told
    }

    fn add(&mut self, line: &str) {
        let Some(line) = line.strip_prefix("cargo:") else { return };
        let Some((key, value)) = line.strip_prefix(':').unwrap_or(line).split_once('=') else { return };
        match key {
            "rerun-if-changed" => self.files.push(value.trim_end().to_owned()),
            "rerun-if-env-changed" if is_further(value.trim()) => self.variables.push(value.trim().to_owned()),
            "rerun-if-env-changed" => {}
            _ => return,
        }
        self.silent = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_build_script_watches_is_read_in_both_spellings() {
        let of = |text: &str| Told::of(text.as_bytes());
        let told = of("cargo:rerun-if-changed=a b.txt\r\ncargo::rerun-if-env-changed=CFLAGS\ncargo:rustc-cfg=x\nx=y\n");
        assert_eq!((told.files, told.variables, told.silent), (vec!["a b.txt".into()], vec!["CFLAGS".into()], false));
        assert!(of("cargo:rustc-cfg=rerun-if-changed=a\nrerun-if-changed=b\n").silent);
        let known = of("cargo:rerun-if-env-changed=PYO3_PRINT_CONFIG\n");
        assert!(known.variables.is_empty() && !known.silent);
    }

    #[test]
    fn a_line_without_end_is_left_out_and_the_one_behind_it_is_read() {
        struct Endless(u64);
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let size = buffer.len().min(usize::try_from(self.0).unwrap());
                buffer[..size].fill(b'x');
                self.0 -= size as u64;
                Ok(size)
            }
        }
        let printed = Endless(3 * LONGEST_LINE).chain(&b"\n\xff\ncargo:rerun-if-changed=a\n"[..]);
        assert_eq!(Told::of(BufReader::new(printed)).files, ["a"]);
    }
}
