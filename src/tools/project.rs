//! A kernel as a package of cargo's, on which any of its verbs can be run: `check`, `clippy`, `rustc`, `doc`, `metadata`.
//!
//! It is the package that a build has, staged once more in a folder of its own, with the same set of dependencies: what
//! was compiled of them for the kernel is not compiled again. Nothing is written into the user's folders, and what the
//! tools say is told of the user's own files.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cargo_metadata::{Artifact, BuildScript, Message};

use crate::cache::gc::note_use;
use crate::cache::layout::now;
use crate::cache::lock::Lock;
use crate::compile::build::{tools, write_pyo3_config};
use crate::compile::job::Job;
use crate::compile::package::Package;
use crate::compile::plan::{MARK, Plan};
use crate::config::abi::Python;
use crate::config::ancestors::Ignored;
use crate::config::tier::Tier;
use crate::digest::Digest;
use crate::engine::{Request, Resolved, resolve};
use crate::error::{Diagnostic, Error, Result};
use crate::history::identity;
use crate::kernel::syntax;
use crate::observer::Observer;
use crate::rustc::cargo_messages::CargoOutput;
use crate::rustc::diagnostics::{is_users, name_folder};
use crate::rustc::process::{Pipe, run};
use crate::rustc::toolchain::Toolchain;
use crate::stage::copies::Form;
use crate::stage::view::View;
use crate::tools::messages::Messages;
use crate::tools::tested::{Test, tests};

/// What stdout may have of text before the rest of it is left out.
const MOST_OUTPUT: usize = 256 << 20;
/// The verbs that compile, and so have a profile, a target folder and messages.
const COMPILING: [&str; 9] = ["bench", "build", "check", "clippy", "doc", "fix", "rustc", "rustdoc", "test"];
/// So many programs of a kernel are kept besides the last one.
const PROGRAMS: usize = 3;
/// How clippy's driver wants its arguments put together.
const CLIPPY_SEPARATOR: &str = "__CLIPPY_HACKERY__";

/// How the package is to differ from the one that is built for an import.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Features of PyO3 that the kernel does not ask for itself.
    pub pyo3_features: Vec<String>,
    /// Text below the user's last line in the crate root.
    pub below: String,
}

/// One run of cargo.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The subcommand.
    pub verb: String,
    /// Arguments in front of `--`.
    pub arguments: Vec<String>,
    /// What stands behind `--`: flags for the kernel's own rustc, for rustdoc, for clippy.
    pub flags: Vec<String>,
    /// Another profile than the kernel's.
    pub profile: Option<String>,
    /// Variables for cargo and all that it starts.
    pub environment: Vec<(String, String)>,
    /// Is the compiler to take options that are not stable? For the kernel alone: build scripts would notice.
    pub unstable: bool,
}

/// What a run has come to.
#[derive(Debug, Default)]
pub struct Run {
    /// Did cargo succeed?
    pub success: bool,
    /// What was said about the user's own code, and nothing about what was generated.
    pub diagnostics: Vec<Diagnostic>,
    /// What a run that failed comes to: the same error as that of an import.
    pub failure: Option<Error>,
    /// Everything that was compiled, or was ready.
    pub artifacts: Vec<Artifact>,
    /// What build scripts said: their output folders, `cfg`s and variables.
    pub scripts: Vec<BuildScript>,
    /// The library that was made of the kernel.
    library: Option<PathBuf>,
    /// A copy of the program that was made of the kernel.
    program: Option<PathBuf>,
    /// The lines of stdout as they came: cargo's JSON messages, which name staged paths.
    pub output: Vec<String>,
    /// What cargo wrote to stderr, without its progress.
    pub text: String,
}

/// A kernel as a package.
pub struct Project {
    resolved: Resolved,
    wishes: Wishes,
    toolchain: Toolchain,
    plan: Plan,
    view: View,
    work: PathBuf,
    pyo3_config: PathBuf,
    sysroot: PathBuf,
}

impl Project {
    /// Stages a kernel as a package. A cargo has to be there, and nothing is started beyond asking rustc who it is.
    pub fn open(request: &Request, python: &Python, wishes: Wishes, observer: &mut dyn Observer) -> Result<Project> {
        let resolved = resolve(request)?;
        let Resolved { source, config, cargo, cache, fingerprint, .. } = &resolved;
        Ignored::tell(&resolved.ignored, observer);
        cache.prepare()?;
        let (toolchain, rustc) = tools(source, config, cache, observer)?;
        let plan = Plan::of(source, config, cargo, fingerprint.value("CPU"), python, &rustc);
        // The real compiler lies in `bin` of its sysroot.
        let sysroot = rustc.rustc.ancestors().nth(2).unwrap_or(&rustc.rustc).to_path_buf();
        let plan = plan.anew(&format!("{:x}", now().as_nanos()));
        let pyo3_config = write_pyo3_config(cache, python)?;
        let work = cache.work(&name(&resolved));
        let lock = lock(&resolved, observer)?;
        let view = staged(&resolved, &work, &wishes)?;
        let project = Project { resolved, wishes, toolchain, plan, view, work, pyo3_config, sysroot };
        project.with_package("rustc-recorder", |_| Ok(()))?;
        drop(lock);
        syntax::forget();
        Ok(project)
    }

    /// The folder of the manifest.
    pub fn folder(&self) -> PathBuf {
        self.view.source.manifest.as_ref().map_or_else(
            || self.work.join("package"),
            |manifest| manifest.path.parent().unwrap_or(&manifest.path).to_path_buf(),
        )
    }

    /// The manifest.
    pub fn manifest(&self) -> PathBuf {
        self.folder().join("Cargo.toml")
    }

    /// The crate root that the compiler sees.
    pub fn root(&self) -> &Path {
        self.view.root()
    }

    /// The crate root in the user's folder.
    pub fn source(&self) -> &Path {
        &self.resolved.source.path
    }

    /// Cargo's target folder.
    pub fn target(&self) -> PathBuf {
        self.resolved.cache.target(&self.plan.dependency_set)
    }

    /// A folder in the cache for what tools make of the kernel, besides its package.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// The crate's name, as rustc gets it.
    pub fn crate_name(&self) -> &str {
        &self.plan.crate_name
    }

    /// Cargo's profile of the kernel.
    pub fn profile(&self) -> &str {
        &self.plan.profile
    }

    /// Where the compiler has its standard library.
    pub fn sysroot(&self) -> &Path {
        &self.sysroot
    }

    /// The tools.
    pub fn toolchain(&self) -> &Toolchain {
        &self.toolchain
    }

    /// The user's name for a path that the compiler named.
    pub fn real(&self, path: &Path) -> PathBuf {
        self.view.real(&self.view.names_folder(&self.compiler_folder()).join(path))
    }

    /// Lines of cargo's with the names and the places of the user's files, without those about generated code.
    pub fn in_users_words(&self, lines: &[String], colours: bool) -> Vec<String> {
        let compiler = self.compiler_folder();
        let mut messages = Messages::of(&self.resolved.source, &self.view, self.view.names_folder(&compiler));
        lines.iter().filter_map(|line| messages.in_users_words(line, colours)).collect()
    }

    /// The folder that the kernel's relative paths start from.
    pub fn base(&self) -> &Path {
        &self.resolved.source.base
    }

    /// Where its tests stand.
    pub fn tests(&self) -> Vec<Test> {
        tests(&self.resolved.source)
    }

    /// The folder in which cargo starts rustc for the kernel.
    fn compiler_folder(&self) -> PathBuf {
        self.with_job(|job| job.compiler_folder())
    }

    /// Runs a verb of cargo's. What the user's code is to blame for is a [`Run::failure`]; everything else an error.
    pub fn run(&self, call: &Call, observer: &mut dyn Observer) -> Result<Run> {
        let Resolved { source, config, cache, .. } = &self.resolved;
        let _own = lock(&self.resolved, observer)?;
        // Another run may have staged the kernel with other wishes meanwhile.
        staged(&self.resolved, &self.work, &self.wishes)?;
        syntax::forget();
        let timeout = config.settings.lock_timeout;
        note_use(cache, &self.plan.dependency_set);
        let set = cache.lock(&self.plan.dependency_set);
        let _set = Lock::acquire(&set, "the shared dependencies", timeout, observer)?;
        let is_clippy = call.verb == "clippy";
        let driver = if is_clippy { Some(self.clippy()?) } else { None };
        // What clippy has checked is not what rustc has checked.
        let recorder = if is_clippy { "clippy-recorder" } else { "rustc-recorder" };
        self.with_package(recorder, |package| {
            let mut attempt = self.attempt(package, call, driver.as_deref(), observer)?;
            if !attempt.1.success && package.mend(&attempt.0)? {
                attempt = self.attempt(package, call, driver.as_deref(), observer)?;
            }
            let (mut output, mut run) = attempt;
            run.text = output.text();
            run.library = output.library.clone();
            let mut own: Vec<Diagnostic> = Vec::new();
            if run.success {
                own = output.own();
                package.keep_versions()?;
            } else {
                own.extend(output.said_of_kernel().cloned());
                run.failure = Some(self.view.restored(package.failure(output)));
            }
            if let Some(program) = run.executable().filter(|_| run.success) {
                run.program = Some(self.kept(program)?);
            }
            self.view.restore(&mut own);
            if source.manifest.is_some() {
                // As seen from a crate's folder they would be wrong elsewhere.
                let folder = self.compiler_folder();
                name_folder(&mut own, &self.view.real(&folder));
            }
            own.extend(self.view.warnings.iter().cloned());
            // rustdoc, and nobody else, wants to know the lint that is our mark.
            own.retain(|found| is_users(source, found) && !found.message.contains(MARK));
            run.diagnostics = own;
            Ok(run)
        })
    }

    /// A copy of a program, which the next run leaves alone: by its content, so that the same one is one file.
    fn kept(&self, program: &Path) -> Result<PathBuf> {
        let cache = &self.resolved.cache;
        let content = std::fs::read(program).map_err(|e| cache.unwritable(&e))?;
        let folder = self.work.join("programs");
        let place = folder.join(&Digest::of(&content)[..16]);
        if !place.exists() {
            cache.copy_file(program, &place)?;
        }
        let mut others: Vec<(SystemTime, PathBuf)> = std::fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.path() != place)
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        others.sort();
        others.iter().rev().skip(PROGRAMS).for_each(|(_, old)| cache.remove_file(old));
        Ok(place)
    }

    fn attempt(
        &self,
        package: &Package<'_>,
        call: &Call,
        driver: Option<&Path>,
        observer: &mut dyn Observer,
    ) -> Result<(CargoOutput, Run)> {
        let wrapped = driver.filter(|_| package.recorder.is_some());
        let verb = if wrapped.is_some() { "check" } else { &call.verb };
        let compiles = COMPILING.contains(&verb);
        let mut command = match verb {
            // Documentation has an index, and all kernels with these dependencies would be in it.
            "doc" | "rustdoc" => package.command_into(&self.work.join("target"), verb),
            _ if compiles => package.command(verb),
            _ => self.toolchain.cargo(verb),
        };
        if compiles {
            command.args(["--lib", "--message-format=json-diagnostic-rendered-ansi"]);
            command.arg(format!("--profile={}", call.profile.as_deref().unwrap_or(&self.plan.profile)));
        } else {
            command.arg("--manifest-path").arg(&package.manifest);
        }
        command.args(self.plan.common());
        if !self.wishes.pyo3_features.is_empty() {
            let pyo3 = self.pyo3();
            let features = self.wishes.pyo3_features.iter().map(|feature| format!("{pyo3}/{feature}"));
            command.arg(format!("--features={}", features.collect::<Vec<_>>().join(",")));
        }
        command.args(&call.arguments);
        command.envs(package.environment()).envs(call.environment.iter().cloned());
        if call.unstable {
            let variable = if package.recorder.is_some() { "RSIMPORT_BOOTSTRAP" } else { "RUSTC_BOOTSTRAP" };
            command.env(variable, "1");
        }
        // As in a build, panics and `file!()` name a kernel's files as seen from its folder.
        let remapped =
            if verb == "rustc" { self.view.remap_flags(self.resolved.config.profile.names_paths) } else { Vec::new() };
        match wrapped {
            Some(driver) => {
                command.env("RSIMPORT_DRIVER", driver);
                command.env(
                    "CLIPPY_ARGS",
                    call.flags.iter().map(|flag| format!("{flag}{CLIPPY_SEPARATOR}")).collect::<String>(),
                );
            }
            None if !call.flags.is_empty() || !remapped.is_empty() => {
                command.arg("--").args(&call.flags).args(remapped);
            }
            None => {}
        }
        let mut output = package.listener();
        let mut done = Run::default();
        let mut heard = 0;
        let status = run(command, observer, |observer, pipe, line| match pipe {
            Pipe::Out => {
                output.message(line);
                match serde_json::from_str(line) {
                    Ok(Message::CompilerArtifact(artifact)) => done.artifacts.push(artifact),
                    Ok(Message::BuildScriptExecuted(script)) => done.scripts.push(script),
                    _ => {}
                }
                heard += line.len();
                if heard <= MOST_OUTPUT {
                    done.output.push(line.to_owned());
                }
            }
            Pipe::Err => output.line(line, observer),
        });
        let status = status.map_err(|error| output.named(error, &self.resolved.source.path))?;
        done.success = status.success() && !output.has_failed();
        Ok((output, done))
    }

    /// What the manifest calls PyO3.
    fn pyo3(&self) -> String {
        let Resolved { source, config, .. } = &self.resolved;
        config.manifest.pyo3_key(source.manifest.as_ref().map(|manifest| &*manifest.text)).0
    }

    fn clippy(&self) -> Result<PathBuf> {
        let missing =
            || Error::toolchain("clippy is not installed").hint("rustup component add clippy").kernel(self.source());
        self.toolchain.tool("clippy-driver").ok_or_else(missing)
    }

    fn with_job<T>(&self, work: impl FnOnce(&Job<'_>) -> T) -> T {
        let Resolved { source, config, .. } = &self.resolved;
        work(&Job {
            source,
            manifest: &config.manifest,
            plan: &self.plan,
            view: &self.view,
            work: &self.work,
            output: &self.work,
            own_flags: &[],
            tier: Tier::Profile,
            pyo3_config: &self.pyo3_config,
            forced: false,
        })
    }

    fn with_package<T>(&self, recorder: &str, work: impl FnOnce(&mut Package<'_>) -> Result<T>) -> Result<T> {
        self.with_job(|job| work(&mut Package::written(&self.toolchain, &self.resolved.cache, job, recorder)?))
    }
}

impl Run {
    /// The library that was made of the kernel.
    pub fn library(&self) -> Option<&Path> {
        self.library.as_deref()
    }

    /// A copy of the program that was made of the kernel, as of its tests, which stays what it is.
    pub fn program(&self) -> Option<&Path> {
        self.program.as_deref()
    }

    /// The program where cargo has put it.
    fn executable(&self) -> Option<&Path> {
        let program = self.artifacts.iter().rev().find_map(|artifact| artifact.executable.as_ref())?;
        Some(program.as_std_path())
    }

    /// The same, or what it failed of.
    pub fn checked(self) -> Result<Run> {
        match self.failure {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }
}

/// Names the package: it is not that of the builds, which may run meanwhile.
fn name(resolved: &Resolved) -> String {
    format!("{}-tools", identity(&resolved.source, Tier::Fast))
}

fn lock(resolved: &Resolved, observer: &mut dyn Observer) -> Result<Lock> {
    let Resolved { source, config, cache, .. } = resolved;
    Lock::acquire(&cache.lock(&name(resolved)), &source.name(), config.settings.lock_timeout, observer)
}

fn staged(resolved: &Resolved, work: &Path, wishes: &Wishes) -> Result<View> {
    let Resolved { source, config, cache, .. } = resolved;
    View::with(source, &config.manifest, cache, work, Form::Plain, &wishes.below)
}
