//! Running cargo for a kernel, and reading from its messages what it has built and from what.

use std::path::{Path, PathBuf};

use cargo_metadata::{Message, TargetKind};

use crate::cache::{Cache, Staging};
use crate::depinfo::DepInfo;
use crate::diagnostics::{cargo_error, compile_error, from_message};
use crate::error::{Diagnostic, Error, Result};
use crate::inputs::{Input, normal};
use crate::manifest::Manifest;
use crate::plan::Plan;
use crate::process::{Pipe, Stage, Watch, run};
use crate::recipe::{RECORDER, Recipe, Recorded};
use crate::seed;
use crate::source::Source;
use crate::toolchain::Toolchain;

/// Everything that a run of cargo needs to know.
pub struct Job<'a> {
    /// The kernel.
    pub source: &'a Source,
    /// Its manifest block.
    pub manifest: &'a Manifest,
    /// What to build.
    pub plan: &'a Plan,
    /// The file that rustc is given.
    pub root: &'a Path,
    /// The kernel's folder in the cache.
    pub work: &'a Path,
    /// Flags for the kernel's own rustc.
    pub own_flags: &'a [String],
    /// The configuration that PyO3's build script reads.
    pub pyo3_config: &'a Path,
    /// Packages that have to be compiled again whatever their dates say.
    pub stale: &'a [String],
}

/// What a compiler made, be it started by cargo or directly.
pub struct Built {
    /// The library, in the staging folder.
    pub library: PathBuf,
    /// What rustc said about the user's code.
    pub diagnostics: Vec<Diagnostic>,
    /// What rustc has read for the kernel itself.
    pub dep_info: DepInfo,
    /// The folder that relative paths in it start from.
    pub folder: PathBuf,
    /// What cargo has looked at besides; what a later build needs for doing without cargo.
    pub foreign: Vec<Input>,
    /// The recorded call, where recording works.
    pub recipe: Option<Recipe>,
}

/// What cargo's messages say.
#[derive(Default)]
struct Heard {
    library: Option<PathBuf>,
    own: Vec<Diagnostic>,
    others: Vec<Diagnostic>,
    errors: String,
    /// Path packages: name, folder, has a build script.
    packages: Vec<(String, PathBuf, bool)>,
    /// Where build scripts wrote, of path packages.
    script_outputs: Vec<PathBuf>,
    /// Compiled libraries of path packages.
    path_libraries: Vec<PathBuf>,
}

/// Runs `cargo rustc` and copies its library into the staging folder. The caller holds the lock of the target folder.
pub fn build(
    toolchain: &Toolchain,
    cache: &Cache,
    staging: &Staging,
    job: &Job<'_>,
    watch: &mut dyn Watch,
) -> Result<Built> {
    let manifest_path = write_manifest(cache, job)?;
    let target = cache.target(&job.plan.dependency_set);
    if !job.stale.is_empty() {
        clean(toolchain, &manifest_path, &target, job, watch)?;
    }
    let recorder = if cfg!(unix) { Some(cache.write_script("rustc-recorder", RECORDER)?) } else { None };
    let (heard, success, environment) =
        match attempt(toolchain, &manifest_path, &target, recorder.as_deref(), staging, job, watch)? {
            // A cache on a file system that starts no programs costs the recording, not the build.
            (heard, false, _)
                if recorder.as_deref().is_some_and(|recorder| {
                    heard.errors.contains("could not execute process")
                        && heard.errors.contains(&*recorder.to_string_lossy())
                }) =>
            {
                attempt(toolchain, &manifest_path, &target, None, staging, job, watch)?
            }
            outcome => outcome,
        };
    if !success {
        return Err(failure(job, heard));
    }
    let Some(built) = heard.library.clone() else {
        return Err(Error::toolchain(format!("cargo built no library for {}", job.source.path.display()))
            .hint("`rsimport doctor` checks the toolchain; a cargo older than 1.85 may be the cause"));
    };
    let library = staging.path().join(built.file_name().unwrap_or_default());
    std::fs::copy(&built, &library).map_err(|e| cache.unwritable(&e))?;
    let own_flags: Vec<String> = flags(job, staging);
    let recorded =
        Recorded { record: staging.path(), root: job.root, own_flags: &own_flags, own_environment: &environment };
    let mut recipe = Recipe::read(&recorded);
    let folder =
        recipe.as_ref().map_or_else(|| manifest_path.with_file_name(""), |recipe| recipe.folder().to_path_buf());
    let dep_info = DepInfo::read(&target_dep_info(&target, &built, &job.plan.crate_name));
    let foreign = foreign_inputs(&heard, &dep_info, &folder, &built, job);
    if let Some(recipe) = &mut recipe {
        recipe.inputs = foreign.iter().map(|input| absolute(input, &job.source.base)).collect();
        recipe.packages = heard.packages.iter().map(|(name, _, _)| name.clone()).collect();
    }
    if job.source.manifest.is_none() {
        keep_versions(cache, job)?;
    }
    Ok(Built { library, diagnostics: heard.own, dep_info, folder, foreign, recipe })
}

/// Writes the generated manifest and its lock file, or finds the crate's own manifest.
fn write_manifest(cache: &Cache, job: &Job<'_>) -> Result<PathBuf> {
    if let Some(manifest) = &job.source.manifest {
        return Ok(manifest.path.clone());
    }
    let path = job.work.join("Cargo.toml");
    let text = job.plan.manifest_text(job.root).unwrap_or_default();
    cache.write(&path, text.as_bytes())?;
    let seed = std::fs::read_to_string(cache.layout().join("Cargo.lock")).unwrap_or_else(|_| seed::SHIPPED.to_owned());
    cache.write(&job.work.join("Cargo.lock"), seed.as_bytes())?;
    Ok(path)
}

/// Adds the versions that cargo has chosen to the seed for the next kernels.
fn keep_versions(cache: &Cache, job: &Job<'_>) -> Result<()> {
    let path = cache.layout().join("Cargo.lock");
    let seed = std::fs::read_to_string(&path).unwrap_or_else(|_| seed::SHIPPED.to_owned());
    let chosen = std::fs::read_to_string(job.work.join("Cargo.lock")).unwrap_or_default();
    cache.write(&path, seed::merged(&seed, &chosen).as_bytes())
}

/// The flags behind `--`. The search path that only this build has makes cargo compile the kernel whatever the dates of
/// its files are, and has no influence on the result.
fn flags(job: &Job<'_>, staging: &Staging) -> Vec<String> {
    let unique = format!("-Ldependency={}", staging.path().display());
    job.own_flags.iter().cloned().chain([unique]).collect()
}

type Attempt = (Heard, bool, Vec<(String, String)>);

fn attempt(
    toolchain: &Toolchain,
    manifest: &Path,
    target: &Path,
    recorder: Option<&Path>,
    staging: &Staging,
    job: &Job<'_>,
    watch: &mut dyn Watch,
) -> Result<Attempt> {
    let mut environment: Vec<(String, String)> =
        job.plan.environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let mut set = |name: &str, value: &Path| environment.push((name.to_owned(), value.to_string_lossy().into_owned()));
    set("PYO3_CONFIG_FILE", job.pyo3_config);
    if let Some(recorder) = recorder {
        set("RUSTC_WORKSPACE_WRAPPER", recorder);
        set("RSIMPORT_RECORD", staging.path());
        if job.source.manifest.is_none() {
            set("RSIMPORT_KERNEL_DIR", &job.source.base);
        }
    }
    let mut command = toolchain.cargo(&job.plan.folder);
    command.arg("rustc").args(&job.plan.arguments).arg("--manifest-path").arg(manifest).arg("--target-dir").arg(target);
    command.arg("--").args(flags(job, staging));
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let mut heard = Heard::default();
    let status = run(command, watch, |watch, pipe, line| match pipe {
        Pipe::Out => heard.message(line, manifest, job),
        Pipe::Err => heard.text(line, watch),
    })?;
    Ok((heard, status.success(), environment))
}

/// Removes what cargo would take for fresh: it compares dates, and a checkout can bring older ones.
fn clean(toolchain: &Toolchain, manifest: &Path, target: &Path, job: &Job<'_>, watch: &mut dyn Watch) -> Result<()> {
    let mut command = toolchain.cargo(&job.plan.folder);
    command.arg("clean").arg("--manifest-path").arg(manifest).arg("--target-dir").arg(target);
    command.args(
        job.plan.arguments.iter().filter(|argument| argument.starts_with("--profile=") || *argument == "--offline"),
    );
    command.args(job.stale.iter().flat_map(|package| ["-p", package]));
    // A package that is no longer part of the build cannot be cleaned, and need not be.
    run(command, watch, |_, _, _| {}).map(drop)
}

impl Heard {
    fn message(&mut self, line: &str, manifest: &Path, job: &Job<'_>) {
        let Ok(message) = serde_json::from_str::<Message>(line) else { return };
        match message {
            Message::CompilerMessage(message) => {
                let own = normal(message.target.src_path.as_std_path()) == *job.root;
                let folder = if job.source.manifest.is_some() { workspace_folder(job) } else { job.work.to_path_buf() };
                let list = if own { &mut self.own } else { &mut self.others };
                list.extend(from_message(message.message, &folder));
            }
            Message::CompilerArtifact(artifact) => {
                let local = artifact.package_id.repr.starts_with("path+");
                let files = artifact.filenames.iter().map(|file| file.as_std_path().to_path_buf());
                let script = artifact.target.kind.contains(&TargetKind::CustomBuild);
                if !script && normal(artifact.target.src_path.as_std_path()) == *job.root {
                    let suffix = std::env::consts::DLL_SUFFIX;
                    self.library = files.clone().find(|file| file.to_string_lossy().ends_with(suffix));
                } else if local && !script {
                    self.path_libraries.extend(files);
                }
                let folder = artifact.manifest_path.parent().map(|folder| folder.as_std_path().to_path_buf());
                if let Some(folder) = folder.filter(|_| local && artifact.manifest_path != manifest) {
                    let name = artifact.package_id.repr.clone();
                    match self.packages.iter_mut().find(|(_, known, _)| *known == folder) {
                        Some(package) => package.2 |= script,
                        None => self.packages.push((name, folder, script)),
                    }
                }
            }
            Message::BuildScriptExecuted(script) if script.package_id.repr.starts_with("path+") => {
                self.script_outputs.push(script.out_dir.with_file_name("output").into_std_path_buf());
            }
            _ => {}
        }
    }

    fn text(&mut self, line: &str, watch: &mut dyn Watch) {
        let trimmed = line.trim();
        if let Some((done, total, crates)) = progress(trimmed) {
            let last = total > 0 && done + 1 >= total;
            watch.progress(if last { Stage::Kernel } else { Stage::Dependencies }, done, total, crates);
        } else if ["Blocking", "Updating", "Downloading", "Downloaded"].iter().any(|word| trimmed.starts_with(word)) {
            watch.progress(Stage::Dependencies, 0, 0, trimmed);
        } else {
            self.errors.push_str(line);
            self.errors.push('\n');
        }
    }
}

/// `Building [=====>   ] 5/28: syn, pyo3-ffi`
fn progress(line: &str) -> Option<(usize, usize, &str)> {
    let (_, rest) = line.strip_prefix("Building [")?.split_once("] ")?;
    let (counts, crates) = rest.split_once(':').unwrap_or((rest, ""));
    let (done, total) = counts.trim().split_once('/')?;
    Some((done.parse().ok()?, total.parse().ok()?, crates.trim()))
}

fn failure(job: &Job<'_>, heard: Heard) -> Error {
    if heard.own.iter().any(|diagnostic| diagnostic.level == "error") {
        return compile_error(job.source, heard.own);
    }
    if heard.others.iter().any(|diagnostic| diagnostic.level == "error") {
        return compile_error(job.source, heard.others);
    }
    cargo_error(job.source, job.manifest, &heard.errors)
}

/// rustc's own dep-info: beside the library in cargo's `deps` folder, whose place the library's own path tells.
fn target_dep_info(target: &Path, built: &Path, crate_name: &str) -> PathBuf {
    let folder = built.parent().unwrap_or(target);
    folder.join("deps").join(format!("{crate_name}.d"))
}

/// What cargo looked at that is not the kernel's own source: path dependencies, build scripts, manifests, lock file.
fn foreign_inputs(heard: &Heard, own: &DepInfo, folder: &Path, built: &Path, job: &Job<'_>) -> Vec<Input> {
    let base = &job.source.base;
    let own: Vec<PathBuf> = own.files.iter().map(|file| normal(&folder.join(file))).collect();
    let everything = DepInfo::read(&built.with_extension("d")).files;
    let mut files: Vec<PathBuf> =
        everything.iter().map(|file| normal(file)).filter(|file| !own.contains(file)).collect();
    let mut inputs = Vec::new();
    for (_, package, has_script) in &heard.packages {
        files.extend([package.join("Cargo.toml"), package.join("build.rs")]);
        if *has_script {
            let said = heard
                .script_outputs
                .iter()
                .any(|output| std::fs::read_to_string(output).is_ok_and(|text| text.contains("rerun-if-changed")));
            // Without `rerun-if-changed` cargo runs the script again after any change in the package.
            if !said {
                inputs.push(Input::folder(package, base));
            }
        }
    }
    if job.source.manifest.is_some() {
        let workspace = workspace_folder(job);
        files.extend([workspace.join("Cargo.toml"), workspace.join("Cargo.lock")]);
    }
    for output in &heard.script_outputs {
        let text = std::fs::read_to_string(output).unwrap_or_default();
        let names = text
            .lines()
            .filter_map(|line| line.split_once("rerun-if-env-changed=").map(|(_, name)| name.trim().to_owned()));
        inputs.extend(names.map(|name| Input::Variable { value: std::env::var(&name).ok(), name }));
    }
    for library in &heard.path_libraries {
        let stem = library.file_stem().unwrap_or_default().to_string_lossy();
        let dep_info =
            DepInfo::read(&library.with_file_name(format!("{}.d", stem.strip_prefix("lib").unwrap_or(&stem))));
        inputs.extend(variables(&dep_info));
    }
    files.retain(|file| !file.starts_with(job.work));
    files.sort();
    files.dedup();
    inputs.extend(files.iter().map(|file| Input::file(file, base)));
    inputs
}

/// The variables of a dep-info that come from the user's environment; cargo sets the others itself, for this build.
pub fn variables(dep_info: &DepInfo) -> Vec<Input> {
    let users = |name: &str, value: &Option<String>| {
        !name.starts_with("CARGO") && name != "OUT_DIR" && std::env::var(name).ok() == *value
    };
    dep_info
        .variables
        .iter()
        .filter(|(name, value)| users(name, value))
        .map(|(name, value)| Input::Variable { name: name.clone(), value: value.clone() })
        .collect()
}

/// The folder of the workspace that a crate belongs to: the nearest above it whose manifest has `[workspace]`.
fn workspace_folder(job: &Job<'_>) -> PathBuf {
    let base = &job.source.base;
    let is_root = |folder: &&Path| {
        std::fs::read_to_string(folder.join("Cargo.toml"))
            .is_ok_and(|text| text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("workspace")))
    };
    base.ancestors().find(is_root).unwrap_or(base).to_path_buf()
}

/// The same input, named by its absolute path.
fn absolute(input: &Input, base: &Path) -> Input {
    match input.clone() {
        Input::File { path, digest } => Input::File { path: normal(&base.join(path)), digest },
        Input::Folder { path, digest } => Input::Folder { path: normal(&base.join(path)), digest },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_progress_is_read() {
        assert_eq!(progress("Building [=====>     ] 21/28: syn, pyo3-ffi"), Some((21, 28, "syn, pyo3-ffi")));
        assert_eq!(progress("Building [=] 2/3"), Some((2, 3, "")));
        assert_eq!(progress("Compiling syn v3"), None);
    }
}
