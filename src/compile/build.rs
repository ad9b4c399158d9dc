//! Compiling a kernel into a staging folder: with the recorded compiler call where there is one that holds, else with cargo.

use std::io::ErrorKind;
use std::path::PathBuf;

use crate::cache::gc::note_use;
use crate::cache::layout::Cache;
use crate::cache::lock::Lock;
use crate::cache::parcel;
use crate::compile::cargo::build as cargo_build;
use crate::compile::glue::Keeper;
use crate::compile::instructions;
use crate::compile::job::{Built, Job};
use crate::compile::linkable;
use crate::compile::macros::Macros;
use crate::compile::plan::Plan;
use crate::compile::recipe::Recipe;
use crate::compile::refusals::{is_refused, refusal, refuse};
use crate::compile::replay::Replay;
use crate::compile::scratch::Scratch;
use crate::compile::task::Task;
use crate::compile::weight;
use crate::config::abi::Python;
use crate::config::ancestors::Ignored;
use crate::config::layers::Config;
use crate::config::tier::Tier;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::expander::server::{SOCKET, Server};
use crate::freshness::cargo_config::CargoConfig;
use crate::kernel::exports::{Export, exports};
use crate::kernel::source::Source;
use crate::kernel::syntax;
use crate::observer::{Observer, Phase};
use crate::rustc::diagnostics::disk_full;
use crate::rustc::start::{Start, check_workspace};
use crate::rustc::toolchain::{Identity, NO_CARGO, Toolchain};
use crate::stage::copies::{Form, readable};
use crate::stage::glue::Glue;
use crate::stage::view::View;

/// So many builds of a kernel are made of the plain text where the compiler takes that and refuses the pieces.
const REFUSED: u32 = 20;

/// Compiles the kernel. The caller holds the lock of the kernel's folder.
pub fn compile(task: &Task<'_>, observer: &mut dyn Observer) -> Result<Built> {
    let built = compile_text(task, observer).map(|built| Built { exports: exported(task, &built.files), ..built });
    syntax::forget();
    built.map_err(|error| {
        // What a compiler cannot write to the cache is no fault of the kernel.
        let full = disk_full(&error.message)
            || error.diagnostics.iter().any(|said| said.file.is_none() && disk_full(&said.ansi));
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

/// Compiles the kernel in two halves or in pieces where that is faster. As soon as the compiler says anything, it is asked
/// again about the text as the user wrote it: in a message about anything else there could be lines that he does not know.
fn compile_text(task: &Task<'_>, observer: &mut dyn Observer) -> Result<Built> {
    let Task { source, config, cache, work, .. } = task;
    let name = format!("{}/plain", work.file_name().unwrap_or_default().to_string_lossy());
    let wanted = task.tier.is_in_pieces();
    let mut plain = if wanted { cache.kept::<u32>("work", &name).unwrap_or(0) } else { 0 };
    let fast = config.settings.fast_calls;
    // What is fast is for the tiers without pieces.
    let whole = if wanted || !fast { Form::Plain } else { Form::Fast };
    let form = match wanted && plain == 0 {
        true if config.settings.reuse_glue => Form::Halves { fast },
        true => Form::Pieces,
        false if task.is_provisional && config.settings.reuse_glue && task.python.calls_init() => Form::Apart { fast },
        false => whole,
    };
    let mut view = View::of(source, &config.manifest, cache, work, form)?;
    let tried = match &view.glue {
        Some(glue) if glue.is_apart => run_apart(task, &view, glue, observer)?,
        Some(glue) => run_half(task, &view, glue, observer)?,
        None if view.in_pieces => Some(run_compiler(task, &view, observer)),
        None => None,
    };
    match tried {
        Some(Ok(built)) if built.diagnostics.is_empty() => {
            return Ok(told(built, view));
        }
        Some(Err(error)) if error.kind != Kind::Compile => return Err(error),
        Some(_) if wanted => plain = REFUSED,
        Some(_) => {}
        None => {}
    }
    if view.glue.is_some() || view.in_pieces {
        view = View::of(source, &config.manifest, cache, work, whole)?;
    }
    let mut built = run_compiler(task, &view, observer);
    if view.is_fast && built.as_ref().is_err_and(|error| is_generated(source, error)) {
        // Some name in the kernel is not what it seems to be; PyO3's own functions see what the compiler sees.
        view = View::of(source, &config.manifest, cache, work, Form::Plain)?;
        built = run_compiler(task, &view, observer);
    }
    let built = built?;
    if task.tier == Tier::Optimized {
        built.seconds.iter().for_each(|seconds| weight::keep(task, *seconds, true));
    }
    if plain > 0 {
        // An edit rarely takes a warning away, so halves and pieces rest until there is none.
        let rest = if built.diagnostics.is_empty() { plain - 1 } else { 1 };
        cache.keep("work", &name, &rest);
    }
    Ok(told(built, view))
}

/// Adds what was told before the compiler was asked.
fn told(mut built: Built, view: View) -> Built {
    built.diagnostics.extend(view.warnings);
    built
}

/// Behind the words that cargo is missing, for whoever has asked for a kernel.
pub const NOT_CACHED: &str = ", and this kernel is not in the cache yet";

/// Does the compiler complain of nothing but lines that the user did not write?
fn is_generated(source: &Source, error: &Error) -> bool {
    let last = source.text.lines().count();
    let errors: Vec<_> = error.diagnostics.iter().filter(|found| found.level == "error").collect();
    error.kind == Kind::Compile && !errors.is_empty() && errors.iter().all(|found| found.line > Some(last))
}

/// How a kernel is compiled: with which tools, by which plan, and who expands PyO3's macros where the plan has that done.
struct Way {
    toolchain: Toolchain,
    rustc: Identity,
    plan: Plan,
    expander: Option<Server>,
}

impl Way {
    /// The one with macros that are expanded here, where that can be and was not refused; else cargo's own.
    fn of(task: &Task<'_>, observer: &mut dyn Observer) -> Result<Way> {
        let Task { source, config, cache, work, .. } = task;
        let (toolchain, rustc) = tools(source, config, task.cargo, cache, observer).map_err(|mut error| {
            // Of a tool nobody wants to hear that; an import would have done without cargo.
            if error.message == NO_CARGO {
                error.message.push_str(NOT_CACHED);
            }
            error
        })?;
        let plan = |macros| Way::plan(task, &toolchain, &rustc, macros);
        let quick = Macros::of(source, config, task.cargo, task.python, &rustc).map(Some).map(&plan);
        let quick = quick.filter(|quick| !is_refused(cache, work, quick));
        // That of an earlier attempt of the same build.
        cache.remove_file(&task.staging.path().join(SOCKET));
        let quick = quick.and_then(|quick| Some((quick, Some(Server::start(task.staging.path())?))));
        let (plan, expander) = quick.unwrap_or_else(|| (plan(None), None));
        note_use(cache, &plan.dependency_set);
        Ok(Way { toolchain, rustc, plan, expander })
    }

    /// The plan. A kernel that came with its versions has a recorded call of its own: others may have newer ones. So has what
    /// a script recorded that stands in cargo's place, and may set variables.
    fn plan(task: &Task<'_>, toolchain: &Toolchain, rustc: &Identity, macros: Option<Macros>) -> Plan {
        let Task { source, config, cache, .. } = task;
        let mut plan = Plan::of(source, config, task.cargo, task.cpu, task.python, rustc, macros);
        let mut further = |what: &[u8]| plan.recipe = Digest::default().with(plan.recipe.as_bytes()).with(what).hex();
        if let Some(lock) = parcel::lock_of(cache, &source.base) {
            further(lock.as_bytes());
        }
        if let Some(script) = toolchain.script() {
            further(script.as_os_str().as_encoded_bytes());
        }
        plan
    }

    /// Cargo's own, with the same tools.
    fn plain(self, task: &Task<'_>) -> Way {
        let plan = Way::plan(task, &self.toolchain, &self.rustc, None);
        note_use(task.cache, &plan.dependency_set);
        Way { plan, expander: None, ..self }
    }

    /// The call that was recorded for the plan, if it can be repeated.
    fn recipe(&self, task: &Task<'_>) -> Option<Recipe> {
        let recipe = task.cache.kept::<Recipe>("recipes", &self.plan.recipe);
        recipe.filter(|recipe| !task.config.settings.force_rebuild && recipe.holds(task.cache.root()))
    }

    /// The glue of a kernel, to be compiled as the recorded call compiles the kernel.
    fn glue<'a>(&'a self, task: &'a Task<'a>, recipe: &'a Recipe, text: &'a str) -> Keeper<'a> {
        let Way { toolchain, plan, expander, .. } = self;
        Keeper { task, toolchain, plan, recipe, text, expander: expander.as_ref() }
    }
}

/// Makes the glue of a kernel whose next edit would be compiled with it. Returns whether it is there.
pub fn prepare(task: &Task<'_>, observer: &mut dyn Observer) -> Result<bool> {
    let Task { source, config, cache, work, .. } = task;
    if !config.settings.reuse_glue || !task.tier.is_in_pieces() || !weight::is_light(task) {
        return Ok(false);
    }
    let view = View::of(source, &config.manifest, cache, work, Form::Halves { fast: config.settings.fast_calls })?;
    syntax::forget();
    let Some(half) = &view.glue else { return Ok(false) };
    let way = Way::of(task, observer)?;
    let Some(recipe) = &way.recipe(task) else { return Ok(false) };
    Ok(way.glue(task, recipe, &half.text).made(observer)?.is_some())
}

/// Compiles what the user wrote, for the other half of the kernel. `None` where that cannot be had, and an error that is
/// not to be shown where the compiler makes no glue.
fn run_half(task: &Task<'_>, view: &View, half: &Glue, observer: &mut dyn Observer) -> Result<Option<Result<Built>>> {
    let Task { source, cache, work, tier, .. } = task;
    let way = &Way::of(task, observer)?;
    let Some(recipe) = &way.recipe(task) else { return Ok(None) };
    observer.progress(Phase::Kernel, 0, 1, &source.name());
    let Some(library) = way.glue(task, recipe, &half.text).made(observer)? else {
        return Ok(Some(Err(Error::new(Kind::Compile, "the glue does not compile".to_owned()))));
    };
    let at_once = weight::is_light(task);
    // Where there are no incremental data they need not be where they were.
    let scratch = Scratch::enter(cache, work, task.staging, task.locked && !at_once)?;
    let Way { toolchain, rustc, plan, expander } = way;
    let flags = &task.half_flags(plan, view, &scratch, &library, at_once);
    let call = Replay { task, toolchain, rustc, plan, recipe, view, flags, expander: expander.as_ref(), apart: None };
    let built = call.run(&scratch, observer)?;
    scratch.leave(cache);
    if at_once && let Some(Ok(Built { seconds: Some(seconds), .. })) = &built {
        weight::keep(task, *seconds, false);
    }
    // What is reached by a detour is optimised without it in the background, and so is what was compiled fast.
    let tier = if half.has_classes || !at_once { *tier } else { Tier::Optimized };
    Ok(built.map(|built| built.map(|built| Built { tier, ..built })))
}

/// Compiles both halves of a new kernel at the same time: the user's as it will stay, and the glue hardly optimised, so that
/// such a build passes for a fast one. `None` where that cannot be.
fn run_apart(task: &Task<'_>, view: &View, half: &Glue, observer: &mut dyn Observer) -> Result<Option<Result<Built>>> {
    let Task { source, cache, work, .. } = task;
    let way = &Way::of(task, observer)?;
    let Some(recipe) = &way.recipe(task) else { return Ok(None) };
    let Way { toolchain, rustc, plan, expander } = way;
    let flags = &task.apart_flags(plan, view);
    let call = Replay { task, toolchain, rustc, plan, recipe, view, flags, expander: expander.as_ref(), apart: None };
    if !call.links_itself() {
        return Ok(None);
    }
    observer.progress(Phase::Kernel, 0, 1, &source.name());
    let Some(apart) = &way.glue(task, recipe, &half.text).begun()? else { return Ok(None) };
    let scratch = Scratch::enter(cache, work, task.staging, false)?;
    let call = Replay { apart: Some(apart), ..call };
    let built = call.run(&scratch, observer)?;
    if let Some(Ok(Built { seconds: Some(seconds), .. })) = &built {
        weight::keep(task, *seconds, true);
    }
    Ok(built.map(|built| built.map(|built| Built { tier: Tier::Fast, ..built })))
}

/// Compiles with PyO3's macros expanded here where that can be, and with PyO3's own where it cannot or went wrong.
fn run_compiler(task: &Task<'_>, view: &View, observer: &mut dyn Observer) -> Result<Built> {
    let way = Way::of(task, observer)?;
    let result = run_way(task, view, &way, observer);
    // What is said of pieces says nothing of the text, which is compiled next.
    let tells = way.expander.is_some() && !view.in_pieces;
    let refused = result.as_ref().err().filter(|_| tells).and_then(refusal);
    let Some(whose) = refused else { return result };
    let quick = way.plan.clone();
    let built = run_way(task, view, &way.plain(task), observer)?;
    refuse(task.cache, task.work, &quick, whose);
    Ok(built)
}

fn run_way(task: &Task<'_>, view: &View, way: &Way, observer: &mut dyn Observer) -> Result<Built> {
    let Task { source, config, cache, work, .. } = task;
    let Way { toolchain, rustc, plan, expander } = way;
    let expander = expander.as_ref();
    let forced = config.settings.force_rebuild;
    let mut scratch = Scratch::enter(cache, work, task.staging, task.locked && task.tier.is_incremental())?;
    if let Some(recipe) = &way.recipe(task) {
        observer.progress(Phase::Kernel, 0, 1, &source.name());
        let flags = &task.own_flags(plan, view, &scratch);
        let call = Replay { task, toolchain, rustc, plan, recipe, view, flags, expander, apart: None };
        if let Some(result) = call.run(&scratch, observer)? {
            scratch.leave(cache);
            return result.map_err(|error| view.restored(error));
        }
        scratch = scratch.renewed(cache, work)?;
    }
    cache.forget("recipes", &plan.recipe);
    linkable::check(task, toolchain, rustc, plan, observer)?;
    let job = Job {
        source,
        manifest: &config.manifest,
        plan,
        view,
        work,
        output: &scratch.output(),
        own_flags: &task.own_flags(plan, view, &scratch),
        tier: task.tier,
        pyo3_config: &write_pyo3_config(cache, task.python)?,
        expander,
        forced,
    };
    // Cargo lets only one build into a target folder; holding a lock of our own over it as well keeps the library from
    // being overwritten by a kernel of the same name before it is copied.
    let timeout = config.settings.lock_timeout;
    let _lock = Lock::acquire(&cache.lock(&plan.dependency_set), "the shared dependencies", timeout, observer)?;
    let built = cargo_build(toolchain, cache, task.staging, &job, observer);
    if toolchain.start.top.is_some() {
        // A cargo that looks above that folder all the same may have found what has come meanwhile.
        check_workspace(source)?;
    }
    // rustc that complains about the code has ended by itself; of anything else one cannot be sure.
    let complained = |error: &Error| error.diagnostics.iter().any(|diagnostic| diagnostic.file.is_some());
    if built.as_ref().map_or_else(complained, |_| true) {
        scratch.leave(cache);
    }
    let mut built = built.map_err(|error| view.restored(error))?;
    view.restore(&mut built.diagnostics);
    view.restore(&mut built.notes);
    if let Some(recipe) = built.recipe.take() {
        built.cpu = instructions::usable(toolchain, rustc, cache, &recipe);
        cache.keep("recipes", &plan.recipe, &recipe);
    }
    Ok(built)
}

/// The tools for a kernel, and which rustc it is.
pub fn tools(
    source: &Source,
    config: &Config,
    cargo: &CargoConfig,
    cache: &Cache,
    observer: &mut dyn Observer,
) -> Result<(Toolchain, Identity)> {
    let top = check_workspace(source)?;
    let start = Start { top, ..Start::of(&source.base, Some(&source.path)) };
    let toolchain = Toolchain::find(&config.settings, start)?.configured(cargo.rustc());
    Ignored::tell(&toolchain.start.ignored, observer);
    let rustc = rustc_identity(&toolchain, cache)?;
    // An own manifest, or an older edition with an older PyO3, may well do with an older compiler.
    if source.manifest.is_none() && !(config.manifest.names_pyo3() && config.manifest.edition().is_some()) {
        rustc.check_age().map_err(|error| error.kernel(&source.path))?;
    }
    Ok((toolchain, rustc))
}

/// Which rustc the folder gets, asked once and remembered while that file stays what it is.
fn rustc_identity(toolchain: &Toolchain, cache: &Cache) -> Result<Identity> {
    let selection = toolchain.selection();
    if let Some(identity) = cache.kept::<Identity>("toolchains", &selection).filter(Identity::holds) {
        return Ok(identity);
    }
    let identity = toolchain.identify()?;
    cache.keep("toolchains", &selection, &identity);
    Ok(identity)
}

/// Writes what PyO3's build script reads instead of asking an interpreter.
pub fn write_pyo3_config(cache: &Cache, python: &Python) -> Result<PathBuf> {
    let text = python.pyo3_config();
    let path = cache.layout().join("python").join(format!("{}.txt", &Digest::of(text.as_bytes())[..16]));
    cache.write(&path, text.as_bytes())?;
    Ok(path)
}
