//! What cargo says while it builds: its JSON messages, its progress, and in the end what went wrong.

use std::path::{Path, PathBuf};

use cargo_metadata::{Message, TargetKind};

use crate::error::{Diagnostic, Error, Kind};
use crate::observer::{Observer, Phase};
use crate::paths::normal;
use crate::rustc::collected::{Collected, Excerpt};
use crate::rustc::diagnostics::from_message;

/// Everything that was output from one run of cargo.
#[derive(Default)]
pub struct CargoOutput {
    /// The crate root, by which the kernel is told from its dependencies.
    root: PathBuf,
    /// The folder of the kernel's manifest.
    package: PathBuf,
    /// The folder that file names in diagnostics are relative to.
    folder: PathBuf,
    /// The compiled kernel.
    pub library: Option<PathBuf>,
    /// Diagnostics about the kernel.
    own: Collected,
    /// Diagnostics about dependencies.
    others: Collected,
    /// What cargo wrote to stderr, without its progress.
    text: Excerpt,
    /// Whose build scripts run now.
    scripts: Vec<String>,
    /// Did cargo say that it failed?
    failed: bool,
    /// The packages that can change: those in folders, the kernel's own among them, and those with a build script.
    pub packages: Vec<Package>,
    /// Is a dependency being fetched or compiled, rather than found ready?
    at_work: bool,
}

/// A package that lies in a folder of the user's and can change there, or that has a build script.
#[derive(Debug, Default)]
pub struct Package {
    /// Cargo's name for it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The folder of its manifest.
    pub folder: PathBuf,
    /// Does it lie in a folder of the user's?
    pub local: bool,
    /// Did cargo take any of its libraries for fresh?
    pub fresh: bool,
    /// And its build script?
    pub script_fresh: bool,
    /// What its build script printed.
    pub output: Option<PathBuf>,
    /// The dep-info of its libraries, but not of the kernel itself.
    pub libraries: Vec<PathBuf>,
    /// The dep-info of its build script.
    pub scripts: Vec<PathBuf>,
}

impl CargoOutput {
    /// Listens to a build of this crate root, of the package in this folder, by a compiler that runs in that folder.
    pub fn of(root: &Path, package: &Path, folder: &Path) -> CargoOutput {
        CargoOutput { root: root.into(), package: package.into(), folder: folder.into(), ..CargoOutput::default() }
    }

    /// Reads a line of stdout.
    pub fn message(&mut self, line: &str) {
        let Ok(message) = serde_json::from_str::<Message>(line) else { return };
        match message {
            Message::CompilerMessage(message) => {
                let own = normal(message.target.src_path.as_std_path()) == self.root;
                let list = if own { &mut self.own } else { &mut self.others };
                if let Some(found) = from_message(message.message, &self.folder) {
                    list.add(found);
                }
            }
            Message::CompilerArtifact(artifact) => {
                let files: Vec<PathBuf> =
                    artifact.filenames.iter().map(|file| file.clone().into_std_path_buf()).collect();
                let script = artifact.target.kind.contains(&TargetKind::CustomBuild);
                let own = !script && normal(artifact.target.src_path.as_std_path()) == self.root;
                if own {
                    let suffix = std::env::consts::DLL_SUFFIX;
                    self.library = files.iter().find(|file| file.to_string_lossy().ends_with(suffix)).cloned();
                }
                if let Some(package) = self.package(&artifact.package_id.repr, script) {
                    package.folder = artifact.manifest_path.with_file_name("").into_std_path_buf();
                    package.name = name_in(&package.id).to_owned();
                    if script {
                        package.script_fresh |= artifact.fresh;
                        package.scripts.extend(files.iter().flat_map(|file| dep_info_beside(file)));
                    } else if !own {
                        package.fresh |= artifact.fresh;
                        package.libraries.extend(files.iter().filter_map(|file| dep_info_of(file)));
                        package.libraries.dedup();
                    }
                }
            }
            Message::BuildScriptExecuted(script) => {
                if let Some(package) = self.package(&script.package_id.repr, true) {
                    package.output = Some(script.out_dir.with_file_name("output").into_std_path_buf());
                }
            }
            Message::BuildFinished(finished) => self.failed = !finished.success,
            _ => {}
        }
    }

    /// All diagnostics so far.
    pub fn said(&self) -> impl Iterator<Item = &Diagnostic> + Clone {
        self.own.iter().chain(self.others.iter())
    }

    /// What was said about the kernel so far.
    pub fn said_of_kernel(&self) -> impl Iterator<Item = &Diagnostic> + Clone {
        self.own.iter()
    }

    /// Diagnostics about the kernel.
    pub fn own(&mut self) -> Vec<Diagnostic> {
        self.own.all()
    }

    /// Diagnostics about dependencies.
    pub fn others(&mut self) -> Vec<Diagnostic> {
        self.others.all()
    }

    /// What cargo wrote to stderr, without its progress.
    pub fn text(&self) -> String {
        self.text.text()
    }

    /// Did cargo say itself that it failed?
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Names the kernel in an error about what its build has started, and the build scripts that run now.
    pub fn named(&self, error: Error, kernel: &Path) -> Error {
        if error.kind != Kind::Compile {
            return error;
        }
        let mut message = format!("{}: {}", kernel.display(), error.message);
        if !self.scripts.is_empty() {
            let names = format!("the build script of `{}`", self.scripts.join("` or `"));
            let some = ["a build script or a macro", "a build script"];
            let some = some.into_iter().find(|some| message.contains(some)).unwrap_or(&names);
            message = message.replacen(some, &names, 1);
        }
        Error { message, ..error }.kernel(kernel)
    }

    /// Reads a line of stderr.
    pub fn line(&mut self, line: &str, observer: &mut dyn Observer) {
        let trimmed = line.trim();
        if let Some((done, total, crates)) = progress(trimmed) {
            let scripts = crates.split(", ").filter_map(|name| name.strip_suffix("(build)"));
            self.scripts = scripts.map(str::to_owned).collect();
            if done + 1 >= total {
                observer.progress(Phase::Kernel, done, total, crates);
            } else if self.at_work {
                observer.progress(Phase::Dependencies, done, total, crates);
            }
        } else if ["Blocking", "Updating", "Downloading", "Downloaded"].iter().any(|word| trimmed.starts_with(word)) {
            observer.progress(Phase::Dependencies, 0, 0, trimmed);
        } else if trimmed.starts_with("Compiling ") {
            self.at_work |= !trimmed.contains(&format!("({})", self.package.display()));
        } else {
            self.text.add(line);
            self.text.add("\n");
        }
    }

    /// The package, if it can change or is known to have a build script.
    fn package(&mut self, id: &str, scripted: bool) -> Option<&mut Package> {
        let local = id.starts_with("path+");
        let at = self.packages.iter().position(|package| package.id == id);
        if at.is_none() && (local || scripted) {
            self.packages.push(Package { id: id.to_owned(), local, ..Package::default() });
            return self.packages.last_mut();
        }
        self.packages.get_mut(at?)
    }
}

/// The dep-info that rustc wrote beside a library.
fn dep_info_of(library: &Path) -> Option<PathBuf> {
    let stem = library.file_stem()?.to_string_lossy();
    Some(library.with_file_name(format!("{}.d", stem.strip_prefix("lib").unwrap_or(&stem))))
}

/// The dep-info beside the program of a build script, which cargo has given another name.
fn dep_info_beside(program: &Path) -> Vec<PathBuf> {
    let beside = program.parent().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    beside.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "d")).collect()
}

/// The name of a package: `registry+https://...#name@1.0.0`, or, where the folder has the same name, `path+file:///name#1.0.0`.
fn name_in(id: &str) -> &str {
    let (place, rest) = id.rsplit_once('#').unwrap_or(("", id));
    rest.split_once('@').map_or_else(|| place.rsplit('/').next().unwrap_or(place), |(name, _)| name)
}

/// `Building [=====>   ] 5/28: syn, pyo3-ffi`
fn progress(line: &str) -> Option<(usize, usize, &str)> {
    let (_, rest) = line.strip_prefix("Building [")?.split_once("] ")?;
    let (counts, crates) = rest.split_once(':').unwrap_or((rest, ""));
    let (done, total) = counts.trim().split_once('/')?;
    Some((done.parse().ok()?, total.parse().ok()?, crates.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_named_by_its_id() {
        assert_eq!(name_in("registry+https://index#libc@0.2.1"), "libc");
        assert_eq!(name_in("path+file:///k/helper#0.1.0"), "helper");
        assert_eq!(name_in("path+file:///k/folder#helper@0.1.0"), "helper");
    }

    #[test]
    fn cargos_progress_is_read() {
        assert_eq!(progress("Building [=====>     ] 21/28: syn, pyo3-ffi"), Some((21, 28, "syn, pyo3-ffi")));
        assert_eq!(progress("Building [=] 2/3"), Some((2, 3, "")));
        assert_eq!(progress("Compiling syn v3"), None);
    }
}
