//! Running cargo for a kernel, and finding out what it has built and from what.

use std::path::{Path, PathBuf};

use crate::cache::{Cache, Staging};
use crate::depinfo::DepInfo;
use crate::diagnostics::{cargo_error, compile_error};
use crate::error::{Diagnostic, Error, Result};
use crate::exports::Export;
use crate::inputs::{Input, normal};
use crate::manifest::Manifest;
use crate::messages::{Heard, LocalPackage};
use crate::plan::Plan;
use crate::process::{Pipe, Watch, run};
use crate::recipe::{RECORDER, Recipe, Recorded};
use crate::runtime::Runtime;
use crate::seed;
use crate::source::{Source, workspace_folder};
use crate::toolchain::Toolchain;
use crate::view::View;

/// Everything that a run of cargo needs to know.
pub struct Job<'a> {
    /// The kernel.
    pub source: &'a Source,
    /// Its manifest block.
    pub manifest: &'a Manifest,
    /// What to build.
    pub plan: &'a Plan,
    /// The files as the compiler sees them.
    pub view: &'a View,
    /// The kernel's folder in the cache.
    pub work: &'a Path,
    /// Where rustc puts the library; the same for every build of a kernel.
    pub output: &'a Path,
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
    /// The files that rustc has read for the kernel itself.
    pub files: Vec<PathBuf>,
    /// The environment variables that it has read, with their values.
    pub variables: Vec<(String, Option<String>)>,
    /// What cargo has looked at besides; what a later build needs for doing without cargo.
    pub foreign: Vec<Input>,
    /// The recorded call, where recording works.
    pub recipe: Option<Recipe>,
    /// The standard library, where the library does not have it in itself.
    pub runtime: Option<Runtime>,
    /// What the kernel's own files export to native callers, or would if no `cfg` left it out.
    pub exports: Vec<Export>,
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
                    heard.text.contains("could not execute process")
                        && heard.text.contains(&*recorder.to_string_lossy())
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
    let library = cache.take(&built, staging)?;
    let own_flags: Vec<String> = flags(job, staging);
    let recorded = Recorded {
        record: staging.path(),
        root: job.view.root(),
        own_flags: &own_flags,
        own_environment: &environment,
    };
    let mut recipe = Recipe::read(&recorded);
    let dep_info = DepInfo::read(&built.with_file_name("deps").join(format!("{}.d", job.plan.crate_name)));
    let files = job.view.files(&dep_info, &compiler_folder(job));
    let foreign = foreign_inputs(&heard, &files, &built, job);
    if let Some(recipe) = &mut recipe {
        recipe.inputs = foreign.iter().map(|input| absolute(input, &job.source.base)).collect();
        recipe.packages = dependencies(&heard, job).map(|package| package.id.clone()).collect();
    }
    if job.source.manifest.is_none() {
        keep_versions(cache, job)?;
    }
    Ok(Built {
        library,
        diagnostics: heard.own,
        files,
        variables: dep_info.variables,
        foreign,
        recipe,
        runtime: None,
        exports: Vec::new(),
    })
}

/// Writes the generated manifest and its lock file, or finds the crate's own manifest.
fn write_manifest(cache: &Cache, job: &Job<'_>) -> Result<PathBuf> {
    if let Some(manifest) = &job.view.source.manifest {
        return Ok(manifest.path.clone());
    }
    let path = package(job).join("Cargo.toml");
    let text = job.plan.manifest_text(job.view.root()).unwrap_or_default();
    cache.write(&path, text.as_bytes())?;
    let seed = std::fs::read_to_string(cache.layout().join("Cargo.lock")).unwrap_or_else(|_| seed::SHIPPED.to_owned());
    cache.write(&package(job).join("Cargo.lock"), seed.as_bytes())?;
    Ok(path)
}

/// Adds the versions that cargo has chosen to the seed for the next kernels.
fn keep_versions(cache: &Cache, job: &Job<'_>) -> Result<()> {
    let path = cache.layout().join("Cargo.lock");
    let seed = std::fs::read_to_string(&path).unwrap_or_else(|_| seed::SHIPPED.to_owned());
    let chosen = std::fs::read_to_string(package(job).join("Cargo.lock")).unwrap_or_default();
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
        set("RSIMPORT_OUTPUT", job.output);
        if job.source.manifest.is_none() {
            set("RSIMPORT_KERNEL_DIR", &job.source.base);
        }
    }
    let mut command = toolchain.cargo(&job.plan.folder);
    command.arg("rustc").args(&job.plan.arguments).arg("--manifest-path").arg(manifest).arg("--target-dir").arg(target);
    command.arg("--").args(flags(job, staging));
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let package = manifest.parent().unwrap_or(manifest);
    let mut heard = Heard::of(job.view.root(), package, &compiler_folder(job));
    let status = run(command, watch, |watch, pipe, line| match pipe {
        Pipe::Out => heard.message(line),
        Pipe::Err => heard.line(line, watch),
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

fn failure(job: &Job<'_>, mut heard: Heard) -> Error {
    job.view.restore(&mut heard.own);
    let failed = |diagnostics: &[Diagnostic]| diagnostics.iter().any(|diagnostic| diagnostic.level == "error");
    if failed(&heard.own) {
        compile_error(job.source, heard.own)
    } else if failed(&heard.others) {
        compile_error(job.source, heard.others)
    } else {
        cargo_error(job.source, job.manifest, &heard.text)
    }
}

/// The path dependencies among the local packages.
fn dependencies<'a>(heard: &'a Heard, job: &'a Job<'_>) -> impl Iterator<Item = &'a LocalPackage> {
    let own = if job.source.manifest.is_some() { job.view.source.base.clone() } else { package(job) };
    heard.local.iter().filter(move |package| normal(&package.folder) != own)
}

/// What cargo looked at that is not the kernel's own source: path dependencies, build scripts, manifests, lock file.
fn foreign_inputs(heard: &Heard, own: &[PathBuf], built: &Path, job: &Job<'_>) -> Vec<Input> {
    let base = &job.source.base;
    let everything = DepInfo::read(&built.with_extension("d")).files;
    let mut files: Vec<PathBuf> =
        everything.iter().map(|file| job.view.real(file)).filter(|file| !own.contains(file)).collect();
    let mut inputs = Vec::new();
    for package in &heard.local {
        let folder = job.view.real(&package.folder);
        let printed =
            package.output.as_ref().and_then(|output| std::fs::read_to_string(output).ok()).unwrap_or_default();
        files.extend([folder.join("Cargo.toml"), folder.join("build.rs")]);
        // Without `rerun-if-changed` cargo runs the script again after any change in the package.
        if package.scripted && !printed.contains("rerun-if-changed") {
            inputs.push(Input::folder(&folder, base));
        }
        for name in printed.lines().filter_map(|line| Some(line.split_once("rerun-if-env-changed=")?.1.trim())) {
            inputs.push(Input::Variable { name: name.to_owned(), value: std::env::var(name).ok() });
        }
        for library in &package.libraries {
            let stem = library.file_stem().unwrap_or_default().to_string_lossy();
            let name = format!("{}.d", stem.strip_prefix("lib").unwrap_or(&stem));
            inputs.extend(variables(&DepInfo::read(&library.with_file_name(name)).variables));
        }
    }
    if job.source.manifest.is_some() {
        let workspace = workspace_folder(base);
        files.extend([workspace.join("Cargo.toml"), workspace.join("Cargo.lock")]);
    }
    files.retain(|file| !file.starts_with(job.work));
    files.sort();
    files.dedup();
    inputs.extend(files.iter().map(|file| Input::file(file, base)));
    inputs
}

/// The variables that come from the user's environment; cargo sets the others itself, for this build.
pub fn variables(read: &[(String, Option<String>)]) -> Vec<Input> {
    let users = |name: &str, value: &Option<String>| {
        !name.starts_with("CARGO") && name != "OUT_DIR" && std::env::var(name).ok() == *value
    };
    let read = read.iter().filter(|(name, value)| users(name, value));
    read.map(|(name, value)| Input::Variable { name: name.clone(), value: value.clone() }).collect()
}

/// The folder in which cargo starts rustc for the kernel.
fn compiler_folder(job: &Job<'_>) -> PathBuf {
    if job.source.manifest.is_some() { workspace_folder(&job.view.source.base) } else { package(job) }
}

/// The folder of the generated package. The copies of a kernel lie beside it, not in it: cargo names files of a package
/// relative to it, and the user is to read his own path.
fn package(job: &Job<'_>) -> PathBuf {
    job.work.join("package")
}

/// The same input, named by its absolute path.
fn absolute(input: &Input, base: &Path) -> Input {
    match input.clone() {
        Input::File { path, digest } => Input::File { path: normal(&base.join(path)), digest },
        Input::Folder { path, digest } => Input::Folder { path: normal(&base.join(path)), digest },
        other => other,
    }
}
