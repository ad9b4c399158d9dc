//! The glue of a kernel, compiled: a library beside the dependencies that it was compiled with, named by all that decides
//! about it, so that every kernel with the same signatures has the same one.
//!
//! It is written elsewhere and appears at its place in one step, together with its checksum. One whose checksum does not
//! fit is made again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::compile::apart::Apart;
use crate::compile::plan::Plan;
use crate::compile::recipe::{Call, Recipe};
use crate::compile::task::Task;
use crate::digest::{Digest, checksum};
use crate::error::{Kind, Result};
use crate::expander::server::{Server, VARIABLE};
use crate::observer::Observer;
use crate::rustc::exhausted;
use crate::rustc::process::run;
use crate::rustc::toolchain::Toolchain;
use crate::stage::glue::CRATE;

/// Raised whenever glue of an older engine must not be used any more.
const FORMAT: &str = "2";
/// What was unused for so long goes when another one is made.
const FORGOTTEN: Duration = Duration::from_secs(7 * 24 * 3600);
/// The date of the last use is renewed at most that often.
const PRECISION: Duration = Duration::from_secs(3600);

/// The glue of a kernel, for the recorded call with which the kernel is compiled.
pub struct Keeper<'a> {
    /// The kernel.
    pub task: &'a Task<'a>,
    /// Where its compiler is.
    pub toolchain: &'a Toolchain,
    /// What cargo would be told.
    pub plan: &'a Plan,
    /// The recorded call.
    pub recipe: &'a Recipe,
    /// The text of the glue.
    pub text: &'a str,
    /// Who expands PyO3's macros, where the plan has that done.
    pub expander: Option<&'a Server>,
}

impl Keeper<'_> {
    /// The library, if it is there and whole.
    pub fn found(&self) -> Option<PathBuf> {
        let folder = self.folder();
        let library = library(&folder);
        let is_whole = fs::read_to_string(folder.join("checksum")).is_ok_and(|known| sum(&library) == Some(known));
        let age = || fs::metadata(&folder).ok()?.modified().ok()?.elapsed().ok();
        if is_whole && age().is_some_and(|age| age > PRECISION) {
            self.task.cache.renew_date(&folder);
        }
        is_whole.then_some(library)
    }

    /// The library, made where it is not there; `None` where the compiler does not make it.
    pub fn made(&self, observer: &mut dyn Observer) -> Result<Option<PathBuf>> {
        let Keeper { task, toolchain, recipe, .. } = self;
        if let Some(library) = self.found() {
            return Ok(Some(library));
        }
        let cache = task.cache;
        let made = task.staging.path().join("glue");
        let root = made.join("glue.rs");
        cache.empty(&made)?;
        cache.write(&root, self.text.as_bytes())?;
        let mut command = toolchain.compiler(recipe.rustc(), recipe.folder());
        // What is told apart by nothing else would have the same symbols in every kernel.
        let own_flags = [
            "-Ccodegen-units=1".to_owned(),
            format!("-Cmetadata={}", self.key()),
            format!("--remap-path-prefix={}=", made.display()),
        ];
        let call = Call { crate_name: CRATE, root: &root, kernel_folder: None, output: &made, own_flags: &own_flags };
        recipe.fill_library(&mut command, &call);
        command.envs(self.expander.map(|expander| (VARIABLE, expander.folder())));
        let status = match run(command, observer, |_, _, _| {}) {
            Err(error) if error.kind == Kind::Toolchain => return Ok(None),
            status => status.map_err(|error| error.kernel(&task.source.path))?,
        };
        if let Some(error) = exhausted::by_signal(status, &task.source.path) {
            return Err(error);
        }
        let Some(sum) = sum(&library(&made)).filter(|_| status.success()) else { return Ok(None) };
        cache.write(&made.join("checksum"), sum.as_bytes())?;
        let folder = self.folder();
        if folder.exists() {
            let _ = cache.remove(&folder);
        }
        // Another process may have made the same one meanwhile.
        let revealed = cache.reveal(&made, &folder);
        let found = self.found();
        if found.is_none() {
            revealed?;
        }
        self.forget_others(&folder);
        Ok(found)
    }

    /// Starts to compile it for this build alone, hardly optimised; `None` where that cannot be.
    pub fn begun(&self) -> Result<Option<Apart>> {
        let Keeper { task, toolchain, recipe, .. } = self;
        let folder = task.staging.path().join("apart");
        let (root, object) = (folder.join("glue.rs"), folder.join("glue.o"));
        task.cache.empty(&folder)?;
        task.cache.write(&root, self.text.as_bytes())?;
        let mut command = toolchain.compiler(recipe.rustc(), recipe.folder());
        let own_flags = ["-Ccodegen-units=1".to_owned(), format!("--remap-path-prefix={}=", folder.display())];
        let call = Call { crate_name: CRATE, root: &root, kernel_folder: None, output: &folder, own_flags: &own_flags };
        recipe.fill_object(&mut command, &call, &object);
        command.envs(self.expander.map(|expander| (VARIABLE, expander.folder())));
        Ok(Apart::begin(command, object))
    }

    fn key(&self) -> String {
        let parts = [FORMAT, self.text, &self.plan.recipe, &self.recipe.digest()];
        parts.into_iter().fold(Digest::default(), |digest, part| digest.with(part.as_bytes())).hex()
    }

    fn folder(&self) -> PathBuf {
        self.task.cache.target(&self.plan.dependency_set).join("glue").join(self.key())
    }

    fn forget_others(&self, folder: &Path) {
        let others = folder.parent().map(fs::read_dir).into_iter().flatten().flatten().flatten();
        let is_old = |entry: &fs::DirEntry| {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            modified.is_ok_and(|used| used.elapsed().is_ok_and(|age| age > FORGOTTEN))
        };
        for other in others.filter(is_old) {
            let _ = self.task.cache.remove(&other.path());
        }
    }
}

fn library(folder: &Path) -> PathBuf {
    folder.join(format!("lib{CRATE}.rlib"))
}

fn sum(library: &Path) -> Option<String> {
    checksum(library).ok().map(|(size, sum)| format!("{size} {sum}"))
}
