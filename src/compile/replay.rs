//! Repeating the compiler call that was recorded from cargo, for the next edit of a kernel.

use crate::compile::ahead::Ahead;
use crate::compile::apart::Apart;
use crate::compile::instructions;
use crate::compile::job::Built;
use crate::compile::plan::Plan;
use crate::compile::recipe::{Call, Recipe};
use crate::compile::scratch::Scratch;
use crate::compile::task::Task;
use crate::config::abi::Platform;
use crate::error::{Error, Kind, Result};
use crate::expander::server::{Server, VARIABLE};
use crate::observer::Observer;
use crate::rustc::cargo_notes::cargo_notes;
use crate::rustc::collected::Collected;
use crate::rustc::dep_info::DepInfo;
use crate::rustc::diagnostics::{blames_a_library, compile_error, from_rustc};
use crate::rustc::exhausted;
use crate::rustc::group::Group;
use crate::rustc::linker;
use crate::rustc::process::{Next, Outcome, Pipe, run_until, spent};
use crate::rustc::toolchain::{Identity, Toolchain};
use crate::stage::view::View;

/// A recorded call that is to be repeated for a kernel.
pub struct Replay<'a> {
    /// The kernel.
    pub task: &'a Task<'a>,
    /// Where its compiler is.
    pub toolchain: &'a Toolchain,
    /// Which one that is.
    pub rustc: &'a Identity,
    /// What cargo would be told.
    pub plan: &'a Plan,
    /// The recorded call.
    pub recipe: &'a Recipe,
    /// The files as the compiler sees them.
    pub view: &'a View,
    /// Who expands PyO3's macros, where the plan has that done.
    pub expander: Option<&'a Server>,
    /// The flags for the kernel's own rustc.
    pub flags: &'a [String],
    /// The other half, where only the linker knows of it.
    pub apart: Option<&'a Apart>,
}

impl Replay<'_> {
    /// Repeats the call, linked by the compiler's own linker where that is known to work, else by `cc`. `None` where it
    /// failed for a reason that is not the kernel's code.
    pub fn run(&self, scratch: &Scratch, observer: &mut dyn Observer) -> Result<Option<Result<Built>>> {
        let flags = self.flags;
        let link = self.link_flags(flags);
        if link.is_empty() {
            return self.compile(scratch, flags, &[], observer);
        }
        let linked = self.compile(scratch, flags, &link, observer)?;
        if linked.is_some() || self.apart.is_some() {
            return Ok(linked);
        }
        let result = self.compile(scratch, flags, &[], observer)?;
        if let (Some(Ok(_)), Some(name)) = (&result, linker::name(self.rustc)) {
            // What `cc` links and the linker alone does not is not tried again.
            self.task.cache.keep("toolchains", &name, &Vec::<String>::new());
        }
        Ok(result)
    }

    /// Is it linked by the compiler's own linker, started ahead, so that it can wait?
    pub fn links_itself(&self) -> bool {
        cfg!(target_os = "linux") && !self.link_flags(self.flags).is_empty()
    }

    /// The flags that make rustc call its own linker, for which `cc` is asked once; empty where it is not to.
    fn link_flags(&self, own_flags: &[String]) -> Vec<String> {
        let fits = linker::fits(self.recipe.arguments()) && linker::fits(own_flags);
        let Some(name) = linker::name(self.rustc).filter(|_| fits) else { return Vec::new() };
        let cache = self.task.cache;
        cache.kept::<Vec<String>>("toolchains", &name).unwrap_or_else(|| {
            let flags = linker::flags(self.toolchain, self.rustc, self.recipe.folder());
            cache.keep("toolchains", &name, &flags);
            flags
        })
    }

    fn compile(
        &self,
        scratch: &Scratch,
        flags: &[String],
        link: &[String],
        observer: &mut dyn Observer,
    ) -> Result<Option<Result<Built>>> {
        let Replay { task, toolchain, plan, recipe, view, .. } = self;
        let base = &task.source.base;
        let output = &scratch.output();
        let kernel_folder = task.source.manifest.is_none().then_some(base.as_path());
        let mut command = toolchain.compiler(recipe.rustc(), recipe.folder());
        let (group, before) = (Group::new(), spent());
        let linker = linker::program(link).map(|program| toolchain.compiler(program, recipe.folder()));
        let awaited = self.apart.map(Apart::awaited);
        let start = |linker| Ahead::start(linker, task.cache, task.staging.path(), &group, awaited.clone());
        let ahead = linker.and_then(start);
        if ahead.is_none() && !awaited.is_none_or(|awaited| *awaited.wait()) {
            return Ok(None);
        }
        let asking = ahead.iter().map(Ahead::flag).chain(self.apart.map(Apart::flag));
        let own_flags = &flags.iter().chain(link).cloned().chain(asking).collect::<Vec<_>>();
        let call = Call { crate_name: &plan.crate_name, root: view.root(), kernel_folder, output, own_flags };
        recipe.fill(&mut command, &call);
        command.envs(self.expander.map(|expander| (VARIABLE, expander.folder())));
        ahead.iter().for_each(|ahead| ahead.tell(&mut command));
        let mut collected = Collected::default();
        let mut silent = true;
        let outcome = run_until(group, command, observer, |_, pipe, line| {
            if pipe == Pipe::Err
                && let Some(found) = from_rustc(line, view.names_folder(recipe.folder()))
            {
                if let Some(apart) = self.apart {
                    apart.stop();
                    return Next::Stop;
                }
                silent = false;
                collected.add(found);
            }
            // Behind messages there may be more of them.
            if silent && pipe == Pipe::Err && linker::has_linked(line) { Next::Leave } else { Next::Listen }
        });
        let (succeeded, taken) = match outcome {
            // What cannot be started may be another one by now, which cargo knows.
            Err(error) if error.kind == Kind::Toolchain => return Ok(None),
            outcome => match outcome.map_err(|error| error.kernel(&task.source.path))? {
                Outcome::Enough(taken) => (true, taken),
                // Of a half that will be compiled again nobody wants to know more.
                Outcome::Stopped => return Ok(Some(Err(Error::new(Kind::Compile, "one half does not pass")))),
                Outcome::Ended(status) => match exhausted::by_signal(status, &task.source.path) {
                    Some(error) => return Err(error),
                    None => (status.success(), Some(0.0)),
                },
            },
        };
        let mut diagnostics = collected.all();
        view.restore(&mut diagnostics);
        let errors = || diagnostics.iter().filter(|diagnostic| diagnostic.level == "error");
        if !succeeded || errors().next().is_some() {
            if errors().any(blames_a_library) || !errors().any(|diagnostic| diagnostic.file.is_some()) {
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
        let foreign = recipe.inputs.iter().map(|input| input.renewed(base)).collect();
        let notes = cargo_notes(task.source, &task.config.manifest, &recipe.text);
        let variables = dep_info.variables;
        Ok(Some(Ok(Built {
            library: staged,
            diagnostics,
            files,
            variables,
            foreign,
            notes,
            recipe: None,
            cpu: instructions::usable(toolchain, self.rustc, task.cache, recipe),
            exports: Vec::new(),
            tier: task.tier,
            seconds: before.and_then(|before| Some(spent()? - before + taken?)),
        })))
    }
}
