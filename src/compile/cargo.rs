//! Running cargo for a kernel, and finding out what it has built and from what.

use std::path::{Path, PathBuf};

use crate::cache::layout::Cache;
use crate::cache::staging::Staging;
use crate::compile::freshness::foreign_inputs;
use crate::compile::job::{Built, Job};
use crate::compile::lockfile;
use crate::compile::recipe::{RECORDER, Recipe, Recorded};
use crate::error::{Diagnostic, Error, Result};
use crate::observer::Observer;
use crate::rustc::cargo_errors::{cannot_be_started, cargo_error};
use crate::rustc::cargo_messages::CargoOutput;
use crate::rustc::dep_info::DepInfo;
use crate::rustc::diagnostics::compile_error;
use crate::rustc::exhausted::exhausted;
use crate::rustc::process::{Pipe, run};
use crate::rustc::toolchain::Toolchain;

/// Runs `cargo rustc` and copies its library into the staging folder. The caller holds the lock of the target folder.
pub fn build(
    toolchain: &Toolchain,
    cache: &Cache,
    staging: &Staging,
    job: &Job<'_>,
    observer: &mut dyn Observer,
) -> Result<Built> {
    let manifest_path = write_manifest(cache, job)?;
    let target = cache.target(&job.plan.dependency_set);
    if !job.stale.is_empty() {
        clean(toolchain, &manifest_path, &target, job, observer)?;
    }
    let recorder = if cfg!(unix) { Some(cache.write_script("rustc-recorder", RECORDER)?) } else { None };
    let (mut output, success, environment) =
        match attempt(toolchain, &manifest_path, &target, recorder.as_deref(), staging, job, observer)? {
            // A cache on a file system that starts no programs costs the recording, not the build.
            (output, false, _)
                if recorder.as_deref().is_some_and(|recorder| cannot_be_started(&output.text(), recorder)) =>
            {
                attempt(toolchain, &manifest_path, &target, None, staging, job, observer)?
            }
            outcome => outcome,
        };
    if !success {
        return Err(failure(job, output));
    }
    let Some(built) = output.library.clone() else {
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
    let files = job.view.files(&dep_info, &job.compiler_folder());
    let foreign = foreign_inputs(&output, &files, &built, job);
    if let Some(recipe) = &mut recipe {
        recipe.inputs = foreign.iter().map(|input| input.absolute(&job.source.base)).collect();
        recipe.packages = job.dependencies(&output.local).map(|package| package.id.clone()).collect();
    }
    if job.source.manifest.is_none() {
        keep_versions(cache, job)?;
    }
    Ok(Built {
        library,
        diagnostics: output.own(),
        files,
        variables: dep_info.variables,
        foreign,
        recipe,
        exports: Vec::new(),
    })
}

/// Writes the generated manifest and its lock file, or finds the crate's own manifest.
fn write_manifest(cache: &Cache, job: &Job<'_>) -> Result<PathBuf> {
    if let Some(manifest) = &job.view.source.manifest {
        return Ok(manifest.path.clone());
    }
    let path = job.package().join("Cargo.toml");
    let text = job.plan.manifest_text(job.view.root()).unwrap_or_default();
    cache.write(&path, text.as_bytes())?;
    let seed =
        std::fs::read_to_string(cache.layout().join("Cargo.lock")).unwrap_or_else(|_| lockfile::SHIPPED.to_owned());
    cache.write(&job.package().join("Cargo.lock"), seed.as_bytes())?;
    Ok(path)
}

/// Adds the versions that cargo has chosen to the seed for the next kernels.
fn keep_versions(cache: &Cache, job: &Job<'_>) -> Result<()> {
    let path = cache.layout().join("Cargo.lock");
    let seed = std::fs::read_to_string(&path).unwrap_or_else(|_| lockfile::SHIPPED.to_owned());
    let chosen = std::fs::read_to_string(job.package().join("Cargo.lock")).unwrap_or_default();
    cache.write(&path, lockfile::merged(&seed, &chosen).as_bytes())
}

/// The flags behind `--`. The search path that only this build has makes cargo compile the kernel whatever the dates of
/// its files are, and has no influence on the result.
fn flags(job: &Job<'_>, staging: &Staging) -> Vec<String> {
    let unique = format!("-Ldependency={}", staging.path().display());
    job.own_flags.iter().cloned().chain([unique]).collect()
}

type Attempt = (CargoOutput, bool, Vec<(String, String)>);

fn attempt(
    toolchain: &Toolchain,
    manifest: &Path,
    target: &Path,
    recorder: Option<&Path>,
    staging: &Staging,
    job: &Job<'_>,
    observer: &mut dyn Observer,
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
    let mut output = CargoOutput::of(job.view.root(), package, job.view.names_folder(&job.compiler_folder()));
    let status = run(command, observer, |observer, pipe, line| match pipe {
        Pipe::Out => output.message(line),
        Pipe::Err => output.line(line, observer),
    });
    let status = status.map_err(|error| output.named(error, &job.source.path))?;
    let success = status.success() && !output.has_failed();
    Ok((output, success, environment))
}

/// Removes what cargo would take for fresh: it compares dates, and a checkout can bring older ones.
fn clean(
    toolchain: &Toolchain,
    manifest: &Path,
    target: &Path,
    job: &Job<'_>,
    observer: &mut dyn Observer,
) -> Result<()> {
    let mut command = toolchain.cargo(&job.plan.folder);
    command.arg("clean").arg("--manifest-path").arg(manifest).arg("--target-dir").arg(target);
    command.args(
        job.plan.arguments.iter().filter(|argument| argument.starts_with("--profile=") || *argument == "--offline"),
    );
    command.args(job.stale.iter().flat_map(|package| ["-p", package]));
    // A package that is no longer part of the build cannot be cleaned, and need not be.
    run(command, observer, |_, _, _| {}).map(drop)
}

fn failure(job: &Job<'_>, mut output: CargoOutput) -> Error {
    let (mut own, others) = (output.own(), output.others());
    if let Some(error) = exhausted(&output.text(), own.iter().chain(&others), &job.source.path) {
        return error;
    }
    job.view.restore(&mut own);
    let failed = |diagnostics: &[Diagnostic]| diagnostics.iter().any(|diagnostic| diagnostic.level == "error");
    if failed(&own) {
        compile_error(job.source, own)
    } else if failed(&others) {
        compile_error(job.source, others)
    } else {
        cargo_error(job.source, job.manifest, &output.text())
    }
}
