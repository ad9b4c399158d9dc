//! A kernel as a package of cargo's, on which any of its verbs can be run: `check`, `clippy`, `rustc`, `doc`, `metadata`.
//!
//! It is the package that a build has, staged once more in a folder of its own, with the same set of dependencies: what
//! was compiled of them for the kernel is not compiled again. Nothing is written into the user's folders, and what the
//! tools say is told of the user's own files.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use cargo_metadata::Message;

use crate::cache::gc::note_use;
use crate::cache::layout::now;
use crate::cache::lock::Lock;
use crate::compile::build::{tools, write_pyo3_config};
use crate::compile::job::Job;
use crate::compile::macros::Macros;
use crate::compile::package::Package;
use crate::compile::plan::{MARK, Plan};
use crate::compile::refusals::{is_refused, refusal, refuse};
use crate::config::abi::Python;
use crate::config::tier::Tier;
use crate::digest::{CLOCK_LAG, Digest};
use crate::engine::{Request, Resolved, resolve};
use crate::error::{Diagnostic, Error, Result};
use crate::expander::server::Server;
use crate::freshness::inputs::Input;
use crate::freshness::packages::{self, Place};
use crate::history::identity;
use crate::kernel::source::Source;
use crate::kernel::syntax;
use crate::observer::Observer;
use crate::rustc::cargo_messages::CargoOutput;
use crate::rustc::dep_info::DepInfo;
use crate::rustc::diagnostics::{is_users, name_folder};
use crate::rustc::process::{Pipe, run};
use crate::rustc::toolchain::Toolchain;
use crate::stage::copies::Form;
use crate::stage::view::View;
use crate::tools::kept::{Kept, PROGRAMS};
use crate::tools::messages::Messages;
use crate::tools::run::{Call, Run, Wishes};
use crate::tools::tested::{Test, tests};

/// What stdout may have of text before the rest of it is left out.
const MOST_OUTPUT: usize = 256 << 20;
/// The verbs that compile, and so have a profile, a target folder and messages.
const COMPILING: [&str; 9] = ["bench", "build", "check", "clippy", "doc", "fix", "rustc", "rustdoc", "test"];
/// So many programs of a kernel are kept besides the last one.
const FURTHER: usize = 3;
/// How clippy's driver wants its arguments put together.
const CLIPPY_SEPARATOR: &str = "__CLIPPY_HACKERY__";

/// A kernel as a package.
pub struct Project {
    resolved: Resolved,
    wishes: Wishes,
    toolchain: Toolchain,
    /// With PyO3's macros expanded by the engine, where that can be.
    quick: Option<Plan>,
    /// Did that go wrong?
    refused: AtomicBool,
    plain: Plan,
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
        resolved.tell_of_the_ignored(observer);
        cache.prepare()?;
        let (toolchain, rustc) = tools(source, config, cargo, cache, observer)?;
        let work = cache.work(&name(&resolved));
        let mark = format!("{:x}", now().as_nanos());
        let plan =
            |macros| Plan::of(source, config, cargo, fingerprint.value("CPU"), python, &rustc, macros).anew(&mark);
        let macros = Macros::of(source, config, cargo, python, &rustc);
        let macros = macros.filter(|_| !wishes.own_macros && wishes.pyo3_features.is_empty());
        let (quick, plain) = (macros.map(Some).map(&plan), plan(None));
        let refused = quick.as_ref().is_some_and(|quick| is_refused(cache, &work, quick));
        // The real compiler lies in `bin` of its sysroot.
        let sysroot = rustc.rustc.ancestors().nth(2).unwrap_or(&rustc.rustc).to_path_buf();
        let pyo3_config = write_pyo3_config(cache, python)?;
        let lock = lock(&resolved, observer)?;
        let view = staged(&resolved, &work, &wishes)?;
        let refused = AtomicBool::new(refused);
        let project = Project { resolved, wishes, toolchain, quick, refused, plain, view, work, pyo3_config, sysroot };
        project.with_package("rustc-recorder", None, |_| Ok(()))?;
        drop(lock);
        syntax::forget();
        Ok(project)
    }

    fn plan(&self) -> &Plan {
        self.quick.as_ref().filter(|_| !self.refused.load(Ordering::Relaxed)).unwrap_or(&self.plain)
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
        self.resolved.cache.target(&self.plan().dependency_set)
    }

    /// A folder in the cache for what tools make of the kernel, besides its package.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// The crate's name, as rustc gets it.
    pub fn crate_name(&self) -> &str {
        &self.plan().crate_name
    }

    /// Cargo's profile of the kernel.
    pub fn profile(&self) -> &str {
        &self.plan().profile
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
        self.with_job(None, |job| job.compiler_folder())
    }

    /// Runs a verb that makes a program of the kernel, unless there is the one of an earlier run and nothing has changed
    /// since. cargo is told each time that the kernel has changed, so that it would compile.
    pub fn program(&self, call: &Call, observer: &mut dyn Observer) -> Result<Run> {
        let Resolved { source, config, cache, fingerprint, .. } = &self.resolved;
        let asked = format!("{call:?} {:?} {:?}", self.wishes, self.plan().dependency_set);
        let key = Digest::default().with(fingerprint.key().as_bytes()).with(asked.as_bytes()).hex();
        if !config.settings.force_rebuild
            && let Some((kept, program)) = Kept::find(cache, &self.work, &key, &source.base)
        {
            let Kept { diagnostics, inputs, .. } = kept;
            return Ok(Run { success: true, diagnostics, program: Some(program), inputs, ..Run::default() });
        }
        let began = SystemTime::now() - CLOCK_LAG;
        let run = self.run(call, observer)?;
        let is_certain = || {
            let touched = run.inputs.iter().any(|input| input.touched_since(&source.base, began));
            let text = |source: &Source| (source.text.clone(), source.manifest.as_ref().map(|file| file.text.clone()));
            !touched && source.reread().is_ok_and(|now| text(&now) == text(source))
        };
        if let Some(name) = run.program.as_deref().and_then(Path::file_name).filter(|_| is_certain()) {
            let program = name.to_string_lossy().into_owned();
            let kept = Kept { program, diagnostics: run.diagnostics.clone(), inputs: run.inputs.clone() };
            kept.keep(cache, &self.work, &key);
        }
        Ok(run)
    }

    /// Runs a verb of cargo's. What the user's code is to blame for is a [`Run::failure`]; everything else an error.
    pub fn run(&self, call: &Call, observer: &mut dyn Observer) -> Result<Run> {
        let cache = &self.resolved.cache;
        let Some(quick) = self.quick.as_ref().filter(|_| !self.refused.load(Ordering::Relaxed)) else {
            return self.run_plan(call, None, observer);
        };
        let staging = cache.staging()?;
        let expander = Server::start(staging.path());
        if let Some(expander) = &expander {
            let result = self.run_plan(call, Some(expander), observer);
            let failure = result.as_ref().map_or_else(Some, |run| run.failure.as_ref());
            let Some(whose) = failure.and_then(refusal) else { return result };
            self.refused.store(true, Ordering::Relaxed);
            let plain = self.run_plan(call, None, observer)?;
            if plain.success {
                refuse(cache, &self.work, quick, whose);
            }
            return Ok(plain);
        }
        self.refused.store(true, Ordering::Relaxed);
        self.run_plan(call, None, observer)
    }

    fn run_plan(&self, call: &Call, expander: Option<&Server>, observer: &mut dyn Observer) -> Result<Run> {
        let Resolved { source, config, cache, .. } = &self.resolved;
        let _own = lock(&self.resolved, observer)?;
        // Another run may have staged the kernel with other wishes meanwhile.
        staged(&self.resolved, &self.work, &self.wishes)?;
        syntax::forget();
        let timeout = config.settings.lock_timeout;
        note_use(cache, &self.plan().dependency_set);
        let set = cache.lock(&self.plan().dependency_set);
        let _set = Lock::acquire(&set, "the shared dependencies", timeout, observer)?;
        let is_clippy = call.verb == "clippy";
        let driver = if is_clippy { Some(self.clippy()?) } else { None };
        // What clippy has checked is not what rustc has checked.
        let recorder = if is_clippy { "clippy-recorder" } else { "rustc-recorder" };
        self.with_package(recorder, expander, |package| {
            let mut attempt = self.attempt(package, call, driver.as_deref(), observer)?;
            if !attempt.1.success && package.mend(&attempt.0)? {
                attempt = self.attempt(package, call, driver.as_deref(), observer)?;
            }
            let (mut output, mut run) = attempt;
            if let Some(program) = run.executable().filter(|_| run.success) {
                run.inputs = self.inputs(&output, program);
            }
            run.text = output.text();
            run.library = output.library.clone();
            let mut own: Vec<Diagnostic> = Vec::new();
            if run.success {
                own = output.own();
                package.keep_versions()?;
            } else {
                own.extend(output.said_of_kernel().cloned());
                let mut failure = package.failure(output);
                // What rustc says of its own options was written here, as for `expand`.
                failure.diagnostics.retain(|said| said.level == "error" || said.file.is_some());
                run.failure = Some(self.view.restored(failure));
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

    /// What was read for a program, besides the kernel's own text.
    fn inputs(&self, output: &CargoOutput, program: &Path) -> Vec<Input> {
        let Resolved { source, cache, .. } = &self.resolved;
        let dep_info = DepInfo::read(&program.with_extension("d"));
        let files = self.view.files(&dep_info, &self.compiler_folder());
        let real = |path: &Path| self.view.real(path);
        let place = Place { source, folder: self.compiler_folder(), cache: cache.layout(), real: &real };
        let foreign = packages::inputs(&place, &place.sources(&output.packages), &files);
        packages::all(&foreign, &files, &dep_info.variables, source, &cache.layout())
    }

    /// A copy of a program, which the next run leaves alone: by its content, so that the same one is one file.
    fn kept(&self, program: &Path) -> Result<PathBuf> {
        let cache = &self.resolved.cache;
        let content = std::fs::read(program).map_err(|e| cache.unwritable(&e))?;
        let folder = self.work.join(PROGRAMS);
        let place = folder.join(Kept::name(&content));
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
        others.iter().rev().skip(FURTHER).for_each(|(_, old)| cache.remove_file(old));
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
            command.arg(format!("--profile={}", call.profile.as_deref().unwrap_or(&self.plan().profile)));
        } else {
            command.arg("--manifest-path").arg(&package.manifest);
        }
        command.args(self.plan().common());
        if !self.wishes.pyo3_features.is_empty() {
            let pyo3 = self.pyo3();
            let features = self.wishes.pyo3_features.iter().map(|feature| format!("{pyo3}/{feature}"));
            command.arg(format!("--features={}", features.collect::<Vec<_>>().join(",")));
        }
        command.args(&call.arguments);
        command.envs(package.environment()).envs(call.environment.iter().cloned());
        if self.base().to_str().is_none() {
            // What is recorded has it as text, by which clippy would not find it.
            command.env("RSIMPORT_KERNEL_DIR", self.base());
        }
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

    fn with_job<T>(&self, expander: Option<&Server>, work: impl FnOnce(&Job<'_>) -> T) -> T {
        let Resolved { source, config, .. } = &self.resolved;
        work(&Job {
            source,
            manifest: &config.manifest,
            plan: self.plan(),
            view: &self.view,
            work: &self.work,
            output: &self.work,
            own_flags: &[],
            tier: Tier::Profile,
            pyo3_config: &self.pyo3_config,
            expander,
            forced: false,
        })
    }

    fn with_package<T>(
        &self,
        recorder: &str,
        expander: Option<&Server>,
        work: impl FnOnce(&mut Package<'_>) -> Result<T>,
    ) -> Result<T> {
        self.with_job(expander, |job| {
            work(&mut Package::written(&self.toolchain, &self.resolved.cache, job, recorder)?)
        })
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
