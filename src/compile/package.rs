//! The package that cargo is given: a generated one for a kernel that is a file, or a crate's own. Its manifest and lock
//! file, its place among the compiled dependencies, and what its failures mean.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::layout::Cache;
use crate::cache::parcel;
use crate::compile::job::Job;
use crate::compile::lockfile;
use crate::compile::macros;
use crate::compile::recipe::RECORDER;
use crate::error::{Diagnostic, Error, Result};
use crate::expander::server::VARIABLE;
use crate::expander::stand_in;
use crate::rustc::cargo_errors::{cannot_be_started, cargo_error, lock_file_is_damaged, rustc_did_not_answer};
use crate::rustc::cargo_messages::CargoOutput;
use crate::rustc::cargo_notes::{at_line, in_users_words};
use crate::rustc::diagnostics::{DAMAGED_LIBRARY, compile_error, is_of_others};
use crate::rustc::exhausted::exhausted;
use crate::rustc::toolchain::Toolchain;

/// A package whose manifest is written. Whoever runs cargo on it holds the lock of its set of dependencies.
pub struct Package<'a> {
    /// The tools that build it.
    pub toolchain: &'a Toolchain,
    /// The cache in which it lies.
    pub cache: &'a Cache,
    /// What is known of it.
    pub job: &'a Job<'a>,
    /// Its manifest.
    pub manifest: PathBuf,
    /// Cargo's target folder, which it shares with all that have the same dependencies.
    pub target: PathBuf,
    /// The script between cargo and rustc, where one can be started.
    pub recorder: Option<PathBuf>,
}

impl Package<'_> {
    /// Writes the generated manifest and its lock file, or finds the crate's own manifest. The script between cargo and
    /// rustc gets this name: cargo compiles the kernel anew for each name that it has not seen.
    pub fn written<'a>(
        toolchain: &'a Toolchain,
        cache: &'a Cache,
        job: &'a Job<'a>,
        recorder: &str,
    ) -> Result<Package<'a>> {
        let recorder = if cfg!(unix) { Some(cache.write_script(recorder, RECORDER)?) } else { None };
        let target = cache.target(&job.plan.dependency_set);
        let manifest = match &job.view.source.manifest {
            Some(manifest) => manifest.path.clone(),
            None => {
                let path = job.package().join("Cargo.toml");
                let text = job.plan.manifest_text(job.view.root()).unwrap_or_default();
                cache.write(&path, text.as_bytes())?;
                let sent = parcel::lock_of(cache, &job.source.base).filter(|text| lockfile::is_whole(text));
                let lock = sent.unwrap_or_else(|| seed(cache));
                cache.write(&job.package().join("Cargo.lock"), lock.as_bytes())?;
                path
            }
        };
        let package = Package { toolchain, cache, job, manifest, target, recorder };
        package.write_stand_in()?;
        Ok(package)
    }

    /// Writes what stands in the place of PyO3's macros, where something does. Cargo names a package below the one that it
    /// builds by its place in that, and takes it for compiled if it is old enough: so every kernel has one of its own,
    /// all share what was compiled of it, and nothing is compiled again in a cache that was moved.
    fn write_stand_in(&self) -> Result<()> {
        if self.job.plan.macros.is_none() {
            return Ok(());
        }
        let folder = self.job.package().join(macros::FOLDER);
        self.cache.write_undated(&folder.join("Cargo.toml"), stand_in::manifest().as_bytes())?;
        self.cache.write_undated(&folder.join("lib.rs"), stand_in::TEXT.as_bytes())
    }

    /// A command of cargo's on it.
    pub fn command(&self, subcommand: &str) -> Command {
        self.command_into(&self.target, subcommand)
    }

    /// The same, with what is made of it in another folder; what is made on the way stays where it is shared.
    pub fn command_into(&self, results: &Path, subcommand: &str) -> Command {
        let mut command = self.toolchain.cargo(subcommand);
        command.arg("--manifest-path").arg(&self.manifest).arg("--target-dir").arg(results);
        for config in self.job.plan.macros.iter().flat_map(|macros| macros.configs(&self.job.package())) {
            command.arg("--config").arg(config);
        }
        // Nothing is written into the user's folders, wherever his configuration has builds written to.
        command.env("CARGO_BUILD_BUILD_DIR", &self.target);
        // Its report is about all that is in the folder, other kernels too, and names packages that nobody has written.
        command.env("CARGO_FUTURE_INCOMPAT_REPORT_FREQUENCY", "never");
        if !self.toolchain.start.configs.is_empty() {
            // A file that is named on the command line beats the environment.
            let own = toml::Value::from(self.target.to_string_lossy().into_owned());
            command.arg("--config").arg(format!("build.build-dir={own}"));
        }
        command
    }

    /// The environment of a command that compiles.
    pub fn environment(&self) -> Vec<(String, String)> {
        let job = self.job;
        let mut environment: Vec<(String, String)> =
            job.plan.environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let mut set =
            |name: &str, value: &Path| environment.push((name.to_owned(), value.to_string_lossy().into_owned()));
        set("PYO3_CONFIG_FILE", job.pyo3_config);
        if let Some(expander) = job.expander {
            set(VARIABLE, expander.folder());
        }
        if let Some(recorder) = &self.recorder {
            set("RUSTC_WORKSPACE_WRAPPER", recorder);
            if job.source.manifest.is_none() {
                set("RSIMPORT_KERNEL_DIR", &job.source.base);
            }
        }
        environment
    }

    /// Who listens to a run of cargo on it.
    pub fn listener(&self) -> CargoOutput {
        let (job, package) = (self.job, self.manifest.parent().unwrap_or(&self.manifest));
        CargoOutput::of(job.view.root(), package, job.view.names_folder(&job.compiler_folder()))
    }

    /// Adds the versions that cargo has chosen to the seed for the next kernels.
    pub fn keep_versions(&self) -> Result<()> {
        if self.job.source.manifest.is_some() {
            return Ok(());
        }
        let path = self.cache.layout().join("Cargo.lock");
        let chosen = std::fs::read_to_string(self.job.package().join("Cargo.lock")).unwrap_or_default();
        self.cache.write(&path, lockfile::merged(&seed(self.cache), &chosen).as_bytes())
    }

    /// What a failed run comes to.
    pub fn failure(&self, mut output: CargoOutput) -> Error {
        let job = self.job;
        if rustc_did_not_answer(&output.text()) {
            self.forget_rustc();
        }
        let (text, mut own, mut others) = (output.text(), output.own(), output.others());
        if let Some(error) = exhausted(&text, own.iter().chain(&others), &job.source.path) {
            return error;
        }
        job.view.restore(&mut own);
        job.view.restore(&mut others);
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

    /// Puts right what a failed run shows to be no fault of the user's; false where there is nothing of that kind.
    pub fn mend(&mut self, output: &CargoOutput) -> Result<bool> {
        let text = output.text();
        if rustc_did_not_answer(&text) {
            // It may have been asked when there was too little memory.
            return Ok(self.forget_rustc());
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
            self.cache.remove_file(&self.cache.layout().join("Cargo.lock"));
            self.cache.write(&lock, lockfile::SHIPPED.as_bytes())?;
            return Ok(true);
        }
        let damaged = output.said().filter_map(|said| said.code.as_deref()).any(|code| code == DAMAGED_LIBRARY);
        let program = cannot_be_started(&text, &self.target);
        // Of a forced build nothing may be left to what was compiled before.
        let mut errors = output.said().filter(|said| said.level == "error").peekable();
        let others = |said: &Diagnostic| said.file.as_deref().is_none_or(is_of_others);
        let forced = self.job.forced && errors.peek().is_some() && errors.all(others);
        if (damaged || program || forced) && self.target.is_dir() {
            self.cache.remove(&self.target)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Has cargo ask rustc anew who it is. Returns whether cargo had an answer.
    fn forget_rustc(&self) -> bool {
        let answers = self.target.join(".rustc_info.json");
        let known = answers.exists();
        self.cache.remove_file(&answers);
        known
    }
}

/// The lock file that new kernels start from.
fn seed(cache: &Cache) -> String {
    let kept = std::fs::read_to_string(cache.layout().join("Cargo.lock")).ok();
    kept.filter(|text| lockfile::is_whole(text)).unwrap_or_else(|| lockfile::SHIPPED.to_owned())
}
