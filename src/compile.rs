//! Compiling a kernel into a staging folder: with the recorded compiler call where there is one that holds, else with cargo.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::abi::{Platform, Python};
use crate::cache::{Cache, Staging};
use crate::cargo::{Built, Job, build as cargo_build};
use crate::cargo_config::CargoConfig;
use crate::config::Config;
use crate::depinfo::DepInfo;
use crate::diagnostics::{compile_error, disk_full, from_rustc};
use crate::digest::Digest;
use crate::error::{Diagnostic, Error, Kind, Result};
use crate::exports::{Export, exports};
use crate::ground::Ground;
use crate::inputs::Input;
use crate::linker;
use crate::lock::Lock;
use crate::plan::Plan;
use crate::process::{Pipe, Stage, Watch, run};
use crate::recipe::{Call, Recipe};
use crate::runtime::Runtime;
use crate::source::Source;
use crate::stage::readable;
use crate::tier::Tier;
use crate::toolchain::{Identity, Toolchain};
use crate::view::View;

/// Errors of rustc that blame the compiled dependencies, not the kernel's code.
const STALE_LIBRARY: [&str; 6] = ["E0460", "E0461", "E0462", "E0463", "E0514", "E0786"];

/// So many builds of a kernel are made of the plain text where the compiler takes that and refuses the pieces.
const REFUSED: u32 = 20;

/// What is to be compiled.
pub struct Task<'a> {
    /// The kernel.
    pub source: &'a Source,
    /// Its settings and manifest.
    pub config: &'a Config,
    /// What cargo is configured to do.
    pub cargo: &'a CargoConfig,
    /// The Python that it is for.
    pub python: &'a Python,
    /// The cache.
    pub cache: &'a Cache,
    /// The kernel's folder in the cache.
    pub work: &'a Path,
    /// How much it is optimised.
    pub tier: Tier,
    /// Names the variant of the kernel (profile, flags, ABI): each has incremental data of its own.
    pub variant: &'a str,
    /// Where the library goes.
    pub staging: &'a Staging,
    /// Is the kernel's folder locked? Where the file system has no locks it is not.
    pub locked: bool,
}

/// Compiles the kernel. The caller holds the lock of the kernel's folder.
pub fn compile(task: &Task<'_>, watch: &mut dyn Watch) -> Result<Built> {
    let built = compile_text(task, watch).map(|built| Built { exports: exported(task, &built.files), ..built });
    built.map_err(|error| {
        // What a compiler cannot write to the cache is no fault of the kernel.
        let full = disk_full(&error.message) || error.diagnostics.iter().any(|said| disk_full(&said.ansi));
        if full { task.cache.unwritable(&ErrorKind::StorageFull.into()).kernel(&task.source.path) } else { error }
    })
}

/// Read here, before anybody looks whether a file was saved meanwhile, so that such a save is noticed.
fn exported(task: &Task<'_>, files: &[PathBuf]) -> Vec<Export> {
    let Task { source, config, .. } = task;
    let others = files.iter().filter(|file| **file != source.path);
    let others = others.filter_map(|file| Some((file, std::fs::read_to_string(file).ok()?)));
    let others = others.flat_map(|(file, text)| exports(file, &text));
    exports(&source.path, &readable(source, &config.manifest)).into_iter().chain(others).collect()
}

/// Compiles the kernel in pieces where that is faster. As soon as the compiler says anything, it is asked again about the
/// text as the user wrote it: in a message about pieces there could be lines that he does not know.
fn compile_text(task: &Task<'_>, watch: &mut dyn Watch) -> Result<Built> {
    let Task { source, config, cache, work, .. } = task;
    let name = format!("{}/plain", work.file_name().unwrap_or_default().to_string_lossy());
    let wanted = task.tier.is_in_pieces();
    let mut plain = if wanted { cache.kept::<u32>("work", &name).unwrap_or(0) } else { 0 };
    let mut view = View::of(source, &config.manifest, cache, work, wanted && plain == 0)?;
    if view.in_pieces {
        match run_compiler(task, &view, watch) {
            Ok(built) if built.diagnostics.is_empty() => return Ok(built),
            Err(error) if error.kind != Kind::Compile => return Err(error),
            _ => {}
        }
        plain = REFUSED;
        view = View::of(source, &config.manifest, cache, work, false)?;
    }
    let built = run_compiler(task, &view, watch)?;
    if plain > 0 {
        // An edit rarely takes a warning away, so the pieces rest until there is none.
        let rest = if built.diagnostics.is_empty() { plain - 1 } else { 1 };
        cache.keep("work", &name, &rest);
    }
    Ok(built)
}

fn run_compiler(task: &Task<'_>, view: &View, watch: &mut dyn Watch) -> Result<Built> {
    let Task { source, config, cache, work, .. } = task;
    let toolchain = Toolchain::find(&config.settings)?;
    let rustc = rustc_identity(&toolchain, cache, &source.base)?;
    let plan = Plan::of(source, config, task.cargo, task.python, &rustc);
    let mut ground = Ground::enter(cache, work, task.staging, task.locked && task.tier.is_incremental())?;
    let mut stale = Vec::new();
    if let Some(recipe) = cache.kept::<Recipe>("recipes", &plan.recipe) {
        if recipe.holds() {
            watch.progress(Stage::Kernel, 0, 1, &source.name());
            let flags = own_flags(task, &plan, view, &ground);
            for (tried, link) in Link::of(task, &toolchain, &rustc, &recipe, &flags).ways().into_iter().enumerate() {
                let all = [flags.clone(), link.arguments()].concat();
                let Some(result) = replay(task, &toolchain, &recipe, &plan, view, &ground, &all, watch)? else {
                    continue;
                };
                if tried > 0 {
                    link.keep(cache, &rustc);
                }
                ground.leave(cache);
                let result = result.map(|built| Built { runtime: link.runtime, ..built });
                return result.map_err(|error| view.restored(error));
            }
            ground = ground.renewed(cache, work)?;
        }
        if !recipe.changed_inputs().is_empty() {
            stale.clone_from(&recipe.packages);
        }
        cache.forget("recipes", &plan.recipe);
    }
    let job = Job {
        source,
        manifest: &config.manifest,
        plan: &plan,
        view,
        work,
        output: &ground.output(),
        own_flags: &own_flags(task, &plan, view, &ground),
        pyo3_config: &write_pyo3_config(cache, task.python)?,
        stale: &stale,
    };
    // Cargo lets only one build into a target folder; holding a lock of our own over it as well keeps the library from
    // being overwritten by a kernel of the same name before it is copied.
    let timeout = config.settings.lock_timeout;
    let _lock = Lock::acquire(&cache.lock(&plan.dependency_set), "the shared dependencies", timeout, watch)?;
    let built = cargo_build(&toolchain, cache, task.staging, &job, watch);
    // rustc that complains about the code has ended by itself; of anything else one cannot be sure.
    let complained = |error: &Error| error.diagnostics.iter().any(|diagnostic| diagnostic.file.is_some());
    if built.as_ref().map_or_else(complained, |_| true) {
        ground.leave(cache);
    }
    let mut built = built.map_err(|error| view.restored(error))?;
    view.restore(&mut built.diagnostics);
    if let Some(recipe) = built.recipe.take() {
        cache.keep("recipes", &plan.recipe, &recipe);
    }
    Ok(built)
}

/// The flags for the kernel's own rustc.
fn own_flags(task: &Task<'_>, plan: &Plan, view: &View, ground: &Ground) -> Vec<String> {
    let form = if view.in_pieces { "-pieces" } else { "" };
    let incremental = ground.incremental(&format!("{}{form}", &task.variant[..12]));
    let incremental = incremental.map(|folder| format!("-Cincremental={}", folder.display()));
    let flags = task.tier.flags(view.in_pieces).iter().chain(plan.link_flags).map(|flag| (*flag).to_owned());
    incremental.into_iter().chain(flags).chain(view.remap_flags()).collect()
}

/// How a compiler that is called without cargo links: by its own linker where there are flags for it, which `cc` is asked
/// for once, and edits with the standard library as a shared one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Link {
    flags: Vec<String>,
    runtime: Option<Runtime>,
}

impl Link {
    fn of(task: &Task<'_>, toolchain: &Toolchain, rustc: &Identity, recipe: &Recipe, own_flags: &[String]) -> Link {
        if !linker::fits(recipe.arguments()) || !linker::fits(own_flags) {
            return Link::default();
        }
        let link = Link::known(task, toolchain, rustc, recipe);
        Link { runtime: link.runtime.filter(|_| task.tier == Tier::Fast), ..link }
    }

    /// What the cache has, or what is found out now.
    fn known(task: &Task<'_>, toolchain: &Toolchain, rustc: &Identity, recipe: &Recipe) -> Link {
        let Some(name) = linker::name(rustc) else { return Link::default() };
        let cache = task.cache;
        let kept = cache.kept::<Link>("toolchains", &name);
        if let Some(link) = kept.clone().filter(|link| link.runtime.as_ref().is_none_or(|it| it.check(cache).is_ok())) {
            return link;
        }
        let flags = kept.map_or_else(|| linker::flags(toolchain, rustc, recipe.folder()), |link| link.flags);
        let libraries = linker::libraries(&rustc.rustc).filter(|_| !flags.is_empty());
        let runtime = libraries.and_then(|libraries| Runtime::provide(cache, task.staging, &libraries));
        let link = Link { flags, runtime };
        link.keep(cache, rustc);
        link
    }

    /// This way and the ones that are left where it fails, the plainest last.
    fn ways(self) -> Vec<Link> {
        let mut ways = vec![self.clone(), Link { runtime: None, ..self }, Link::default()];
        ways.dedup();
        ways
    }

    fn arguments(&self) -> Vec<String> {
        let shared = self.runtime.iter().flat_map(|_| Runtime::flags()).map(str::to_owned);
        self.flags.iter().cloned().chain(shared).collect()
    }

    fn keep(&self, cache: &Cache, rustc: &Identity) {
        if let Some(name) = linker::name(rustc) {
            cache.keep("toolchains", &name, self);
        }
    }
}

/// Repeats the recorded call. `None` where it failed for a reason that is not the kernel's code.
#[allow(clippy::too_many_arguments)]
fn replay(
    task: &Task<'_>,
    toolchain: &Toolchain,
    recipe: &Recipe,
    plan: &Plan,
    view: &View,
    ground: &Ground,
    own_flags: &[String],
    watch: &mut dyn Watch,
) -> Result<Option<Result<Built>>> {
    let base = &task.source.base;
    let output = &ground.output();
    let kernel_folder = task.source.manifest.is_none().then_some(base.as_path());
    let mut command = toolchain.compiler(recipe.rustc(), recipe.folder());
    let call = Call { crate_name: &plan.crate_name, root: view.root(), kernel_folder, output, own_flags };
    recipe.fill(&mut command, &call);
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    let status = run(command, watch, |_, pipe, line| {
        if pipe == Pipe::Err {
            diagnostics.extend(from_rustc(line, recipe.folder()));
        }
    });
    let status = match status {
        Err(error) if error.kind == Kind::Interrupted => return Err(error),
        Err(_) => return Ok(None),
        Ok(status) => status,
    };
    view.restore(&mut diagnostics);
    if !status.success() {
        let errors = || diagnostics.iter().filter(|diagnostic| diagnostic.level == "error");
        let blames = |d: &Diagnostic| d.code.as_deref().is_some_and(|code| STALE_LIBRARY.contains(&code));
        if errors().any(blames) || !errors().any(|diagnostic| diagnostic.file.is_some()) {
            return Ok(None);
        }
        return Ok(Some(Err(compile_error(task.source, diagnostics))));
    }
    let library = output.join(Platform::HERE.library_name(&plan.crate_name));
    if !library.is_file() {
        return Ok(None);
    }
    let staged = task.staging.path().join("library");
    task.cache.move_file(&library, &staged)?;
    let dep_info = DepInfo::read(&output.join(format!("{}.d", plan.crate_name)));
    let files = view.files(&dep_info, recipe.folder());
    let foreign = recipe.inputs.iter().map(|input| match input {
        Input::File { path, .. } => Input::file(path, base),
        Input::Folder { path, .. } => Input::folder(path, base),
        other => other.clone(),
    });
    let foreign = foreign.collect();
    Ok(Some(Ok(Built {
        library: staged,
        diagnostics,
        files,
        variables: dep_info.variables,
        foreign,
        recipe: None,
        runtime: None,
        exports: Vec::new(),
    })))
}

/// Which rustc the folder gets, asked once and remembered while that file stays what it is.
fn rustc_identity(toolchain: &Toolchain, cache: &Cache, folder: &Path) -> Result<Identity> {
    let selection = toolchain.selection(folder);
    if let Some(identity) = cache.kept::<Identity>("toolchains", &selection).filter(Identity::holds) {
        return Ok(identity);
    }
    let identity = toolchain.identify(folder)?;
    cache.keep("toolchains", &selection, &identity);
    Ok(identity)
}

fn write_pyo3_config(cache: &Cache, python: &Python) -> Result<PathBuf> {
    let text = python.pyo3_config();
    let path = cache.layout().join("python").join(format!("{}.txt", &Digest::of(text.as_bytes())[..16]));
    cache.write(&path, text.as_bytes())?;
    Ok(path)
}
