//! Running cargo for a kernel, and finding out what it has built and from what.

use std::path::Path;
use std::time::SystemTime;

use crate::cache::layout::Cache;
use crate::cache::staging::Staging;
use crate::compile::job::{Built, Job};
use crate::compile::macros;
use crate::compile::package::Package;
use crate::compile::recipe::{Recipe, Recorded};
use crate::digest::CLOCK_LAG;
use crate::error::{Error, Result};
use crate::freshness::packages::{self, Place, Sources};
use crate::observer::Observer;
use crate::rustc::cargo_messages::CargoOutput;
use crate::rustc::cargo_notes::cargo_notes;
use crate::rustc::dep_info::DepInfo;
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
    let mut run = Run { package: Package::written(toolchain, cache, job, "rustc-recorder")?, staging };
    let (mut output, environment) = run.until_fresh(cache, observer)?;
    let Some(built) = output.library.clone() else {
        return Err(Error::toolchain(format!("cargo built no library for {}", job.source.path.display()))
            .hint("`rsimport doctor` checks the toolchain; a cargo older than 1.85 may be the cause"));
    };
    let library = cache.take(&built, staging)?;
    let own_flags: Vec<String> = flags(job, staging);
    let recorded = Recorded {
        cache: cache.root(),
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
    run.package.keep_versions()?;
    Ok(Built {
        library,
        notes: cargo_notes(job.source, job.manifest, &output.text()),
        diagnostics: output.own(),
        files,
        variables: dep_info.variables,
        foreign,
        recipe,
        cpu: None,
        exports: Vec::new(),
        tier: job.tier,
        seconds: Recipe::seconds(staging.path()),
    })
}

/// The flags behind `--`. The search path that only this build has makes cargo compile the kernel whatever the dates of
/// its files are, and has no influence on the result.
fn flags(job: &Job<'_>, staging: &Staging) -> Vec<String> {
    let unique = format!("-Ldependency={}", staging.path().display());
    job.own_flags.iter().cloned().chain([unique]).collect()
}

/// A cargo that is started once or more often.
struct Run<'a> {
    package: Package<'a>,
    staging: &'a Staging,
}

type Environment = Vec<(String, String)>;

impl Run<'_> {
    /// Runs cargo, and once more where the first run has shown that something generated is damaged, or that cargo took
    /// something for fresh that is not.
    fn until_fresh(&mut self, cache: &Cache, observer: &mut dyn Observer) -> Result<(CargoOutput, Environment)> {
        let job = self.package.job;
        let began = SystemTime::now() - CLOCK_LAG;
        let doubtful = format!("{}-doubtful", job.plan.recipe);
        if job.forced {
            // Cleaned now, they are not compiled in a second run, and the kernel neither.
            self.clean(&cache.kept::<Vec<String>>("recipes", &doubtful).unwrap_or_default(), observer)?;
        }
        let (mut output, mut success, mut environment) = self.attempt(observer)?;
        if !success && self.package.mend(&output)? {
            (output, success, environment) = self.attempt(observer)?;
        }
        if success {
            let known: Sources = cache.kept("targets", &job.plan.sources()).unwrap_or_default();
            let mut stale = packages::stale(&known, &output.packages, began);
            if job.forced {
                stale.extend(packages::trusted(&output.packages));
            }
            // What stands in the place of PyO3's macros changes only along with the name of the set, and PyO3 hangs on it.
            let changes = |id: &String| !id.contains(macros::FOLDER);
            stale.retain(changes);
            if !stale.is_empty() {
                self.clean(&stale, observer)?;
                (output, success, environment) = self.attempt(observer)?;
            }
            let mut others = packages::doubtful(&output.packages);
            let own = self.package.manifest.parent().unwrap_or(&self.package.manifest).to_string_lossy();
            others.retain(|id| !id.contains(&*own) && changes(id));
            cache.keep("recipes", &doubtful, &others);
        }
        if success {
            return Ok((output, environment));
        }
        Err(self.package.failure(output))
    }

    fn attempt(&self, observer: &mut dyn Observer) -> Result<(CargoOutput, bool, Environment)> {
        let job = self.package.job;
        let mut environment = self.package.environment();
        if self.package.recorder.is_some() {
            let mut set =
                |name: &str, value: &Path| environment.push((name.to_owned(), value.to_string_lossy().into_owned()));
            set("RSIMPORT_RECORD", self.staging.path());
            set("RSIMPORT_OUTPUT", job.output);
        }
        let mut command = self.package.command("rustc");
        command.args(&job.plan.arguments).arg("--").args(flags(job, self.staging));
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let mut output = self.package.listener();
        let status = run(command, observer, |observer, pipe, line| match pipe {
            Pipe::Out => output.message(line),
            Pipe::Err => output.line(line, observer),
        });
        let status = status.map_err(|error| output.named(error, &job.source.path))?;
        let success = status.success() && !output.has_failed();
        Ok((output, success, environment))
    }

    /// Removes what cargo would take for fresh: it compares dates, and a checkout can bring older ones.
    fn clean(&self, packages: &[String], observer: &mut dyn Observer) -> Result<()> {
        if packages.is_empty() {
            return Ok(());
        }
        let mut command = self.package.command("clean");
        let fits = |argument: &&String| argument.starts_with("--profile=") || *argument == "--offline";
        command.args(self.package.job.plan.arguments.iter().filter(fits));
        command.args(packages.iter().flat_map(|package| ["-p", package]));
        run(command, observer, |_, _, _| {}).map(drop)
    }
}
