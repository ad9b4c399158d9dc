//! Running cargo for a kernel, and finding out what it has built and from what.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::cache::layout::Cache;
use crate::cache::staging::Staging;
use crate::compile::job::{Built, Job};
use crate::compile::lockfile;
use crate::compile::recipe::{RECORDER, Recipe, Recorded};
use crate::digest::CLOCK_LAG;
use crate::error::{Diagnostic, Error, Result};
use crate::freshness::packages::{self, Place, Sources};
use crate::observer::Observer;
use crate::rustc::cargo_errors::{cannot_be_started, cargo_error, lock_file_is_damaged, rustc_did_not_answer};
use crate::rustc::cargo_messages::CargoOutput;
use crate::rustc::cargo_notes::{at_line, cargo_notes, in_users_words};
use crate::rustc::dep_info::DepInfo;
use crate::rustc::diagnostics::{DAMAGED_LIBRARY, compile_error, is_of_others};
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
    let recorder = if cfg!(unix) { Some(cache.write_script("rustc-recorder", RECORDER)?) } else { None };
    let mut run = Run {
        toolchain,
        manifest: write_manifest(cache, job)?,
        target: cache.target(&job.plan.dependency_set),
        recorder,
        staging,
        job,
    };
    let (mut output, environment) = run.until_fresh(cache, observer)?;
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
    let real = |path: &Path| job.view.real(path);
    let place = Place { source: job.source, folder: job.compiler_folder(), cache: cache.layout(), real: &real };
    let sources = place.sources(&output.packages);
    let foreign = packages::inputs(&place, &sources, &files);
    // Another kernel with other packages may have been built meanwhile, and has written down what it found.
    let mut known: Sources = cache.kept("targets", &job.plan.sources()).unwrap_or_default();
    known.extend(packages::absolute(&sources, &job.source.base));
    cache.keep("targets", &job.plan.sources(), &known);
    if let Some(recipe) = &mut recipe {
        recipe.inputs = foreign.iter().map(|input| input.absolute(&job.source.base)).collect();
        recipe.text = output.text();
    }
    if job.source.manifest.is_none() {
        keep_versions(cache, job)?;
    }
    Ok(Built {
        library,
        notes: cargo_notes(job.source, job.manifest, &output.text()),
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
    cache.write(&job.package().join("Cargo.lock"), seed(cache).as_bytes())?;
    Ok(path)
}

/// The lock file that new kernels start from.
fn seed(cache: &Cache) -> String {
    let kept = std::fs::read_to_string(cache.layout().join("Cargo.lock")).ok();
    kept.filter(|text| lockfile::is_whole(text)).unwrap_or_else(|| lockfile::SHIPPED.to_owned())
}

/// Adds the versions that cargo has chosen to the seed for the next kernels.
fn keep_versions(cache: &Cache, job: &Job<'_>) -> Result<()> {
    let path = cache.layout().join("Cargo.lock");
    let chosen = std::fs::read_to_string(job.package().join("Cargo.lock")).unwrap_or_default();
    cache.write(&path, lockfile::merged(&seed(cache), &chosen).as_bytes())
}

/// The flags behind `--`. The search path that only this build has makes cargo compile the kernel whatever the dates of
/// its files are, and has no influence on the result.
fn flags(job: &Job<'_>, staging: &Staging) -> Vec<String> {
    let unique = format!("-Ldependency={}", staging.path().display());
    job.own_flags.iter().cloned().chain([unique]).collect()
}

/// A cargo that is started once or more often.
struct Run<'a> {
    toolchain: &'a Toolchain,
    manifest: PathBuf,
    target: PathBuf,
    recorder: Option<PathBuf>,
    staging: &'a Staging,
    job: &'a Job<'a>,
}

type Environment = Vec<(String, String)>;

impl Run<'_> {
    /// Runs cargo, and once more where the first run has shown that something generated is damaged, or that cargo took
    /// something for fresh that is not.
    fn until_fresh(&mut self, cache: &Cache, observer: &mut dyn Observer) -> Result<(CargoOutput, Environment)> {
        let job = self.job;
        let began = SystemTime::now() - CLOCK_LAG;
        let doubtful = format!("{}-doubtful", job.plan.recipe);
        if job.forced {
            // Cleaned now, they are not compiled in a second run, and the kernel neither.
            self.clean(&cache.kept::<Vec<String>>("recipes", &doubtful).unwrap_or_default(), observer)?;
        }
        let (mut output, mut success, mut environment) = self.attempt(observer)?;
        if !success && self.mend(cache, &output)? {
            (output, success, environment) = self.attempt(observer)?;
        }
        if success {
            let known: Sources = cache.kept("targets", &job.plan.sources()).unwrap_or_default();
            let mut stale = packages::stale(&known, &output.packages, began);
            if job.forced {
                stale.extend(packages::trusted(&output.packages));
            }
            if !stale.is_empty() {
                self.clean(&stale, observer)?;
                (output, success, environment) = self.attempt(observer)?;
            }
            let mut others = packages::doubtful(&output.packages);
            let own = self.manifest.parent().unwrap_or(&self.manifest).to_string_lossy();
            others.retain(|id| !id.contains(&*own));
            cache.keep("recipes", &doubtful, &others);
        }
        if success {
            return Ok((output, environment));
        }
        if rustc_did_not_answer(&output.text()) {
            self.forget_rustc(cache);
        }
        Err(self.failure(output))
    }

    /// Has cargo ask rustc anew who it is. Returns whether cargo had an answer.
    fn forget_rustc(&self, cache: &Cache) -> bool {
        let answers = self.target.join(".rustc_info.json");
        let known = answers.exists();
        cache.remove_file(&answers);
        known
    }

    /// What a failed run comes to.
    fn failure(&self, mut output: CargoOutput) -> Error {
        let job = self.job;
        let (text, mut own, others) = (output.text(), output.own(), output.others());
        if let Some(error) = exhausted(&text, own.iter().chain(&others), &job.source.path) {
            return error;
        }
        job.view.restore(&mut own);
        let failed = |diagnostics: &[Diagnostic]| diagnostics.iter().any(|diagnostic| diagnostic.level == "error");
        if failed(&own) {
            compile_error(job.source, own)
        } else if failed(&others) {
            compile_error(job.source, others)
        } else {
            let generated = job.plan.manifest_text(job.view.root());
            let Some(generated) = generated else { return cargo_error(job.source, job.manifest, &text) };
            let (text, line) =
                in_users_words(job.source, job.manifest, (&self.manifest, &generated), self.toolchain.folder(), &text);
            at_line(cargo_error(job.source, job.manifest, &text), job.source, line)
        }
    }

    fn attempt(&self, observer: &mut dyn Observer) -> Result<(CargoOutput, bool, Environment)> {
        let job = self.job;
        let mut environment: Environment =
            job.plan.environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let mut set =
            |name: &str, value: &Path| environment.push((name.to_owned(), value.to_string_lossy().into_owned()));
        set("PYO3_CONFIG_FILE", job.pyo3_config);
        if let Some(recorder) = &self.recorder {
            set("RUSTC_WORKSPACE_WRAPPER", recorder);
            set("RSIMPORT_RECORD", self.staging.path());
            set("RSIMPORT_OUTPUT", job.output);
            if job.source.manifest.is_none() {
                set("RSIMPORT_KERNEL_DIR", &job.source.base);
            }
        }
        let mut command = self.command("rustc");
        command.args(&job.plan.arguments).arg("--").args(flags(job, self.staging));
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let package = self.manifest.parent().unwrap_or(&self.manifest);
        let mut output = CargoOutput::of(job.view.root(), package, job.view.names_folder(&job.compiler_folder()));
        let status = run(command, observer, |observer, pipe, line| match pipe {
            Pipe::Out => output.message(line),
            Pipe::Err => output.line(line, observer),
        });
        let status = status.map_err(|error| output.named(error, &job.source.path))?;
        let success = status.success() && !output.has_failed();
        Ok((output, success, environment))
    }

    /// Puts right what a failed run shows to be no fault of the user's; false where there is nothing of that kind.
    fn mend(&mut self, cache: &Cache, output: &CargoOutput) -> Result<bool> {
        let text = output.text();
        if rustc_did_not_answer(&text) {
            // It may have been asked when there was too little memory.
            return Ok(self.forget_rustc(cache));
        }
        // With too little memory rustc calls intact libraries damaged.
        if exhausted(&text, output.said(), &self.job.source.path).is_some() {
            return Ok(false);
        }
        // A cache on a file system that starts no programs costs the recording, not the build.
        if self.recorder.as_deref().is_some_and(|recorder| cannot_be_started(&text, recorder)) {
            self.recorder = None;
            return Ok(true);
        }
        let lock = self.job.package().join("Cargo.lock");
        if lock_file_is_damaged(&text) && self.job.source.manifest.is_none() {
            cache.remove_file(&cache.layout().join("Cargo.lock"));
            cache.write(&lock, lockfile::SHIPPED.as_bytes())?;
            return Ok(true);
        }
        let damaged = output.said().filter_map(|said| said.code.as_deref()).any(|code| code == DAMAGED_LIBRARY);
        let program = cannot_be_started(&text, &self.target);
        // Of a forced build nothing may be left to what was compiled before.
        let mut errors = output.said().filter(|said| said.level == "error").peekable();
        let others = |said: &Diagnostic| said.file.as_deref().is_none_or(is_of_others);
        let forced = self.job.forced && errors.peek().is_some() && errors.all(others);
        if (damaged || program || forced) && self.target.is_dir() {
            cache.remove(&self.target)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Removes what cargo would take for fresh: it compares dates, and a checkout can bring older ones.
    fn clean(&self, packages: &[String], observer: &mut dyn Observer) -> Result<()> {
        if packages.is_empty() {
            return Ok(());
        }
        let mut command = self.command("clean");
        let fits = |argument: &&String| argument.starts_with("--profile=") || *argument == "--offline";
        command.args(self.job.plan.arguments.iter().filter(fits));
        command.args(packages.iter().flat_map(|package| ["-p", package]));
        run(command, observer, |_, _, _| {}).map(drop)
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = self.toolchain.cargo(subcommand);
        command.arg("--manifest-path").arg(&self.manifest).arg("--target-dir").arg(&self.target);
        // Nothing is written into the user's folders, wherever his configuration has builds written to.
        command.env("CARGO_BUILD_BUILD_DIR", &self.target);
        command
    }
}
