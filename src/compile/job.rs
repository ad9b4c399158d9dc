//! A run of the compiler: what it has to know, and what comes of it.

use std::path::{Path, PathBuf};

use crate::compile::plan::Plan;
use crate::compile::recipe::Recipe;
use crate::config::tier::Tier;
use crate::error::Diagnostic;
use crate::expander::server::Server;
use crate::freshness::inputs::Input;
use crate::kernel::exports::Export;
use crate::kernel::manifest::Manifest;
use crate::kernel::source::{Source, workspace_folder};
use crate::stage::view::View;

/// Everything that a run of cargo needs to know.
pub struct Job<'a> {
    /// The kernel.
    pub source: &'a Source,
    /// Its manifest block.
    pub manifest: &'a Manifest,
    /// What to build.
    pub plan: &'a Plan,
    /// The files as the compiler sees them.
    pub view: &'a View,
    /// The kernel's folder in the cache.
    pub work: &'a Path,
    /// Where rustc puts the library; the same for every build of a kernel.
    pub output: &'a Path,
    /// Flags for the kernel's own rustc.
    pub own_flags: &'a [String],
    /// How much these optimise it.
    pub tier: Tier,
    /// The configuration that PyO3's build script reads.
    pub pyo3_config: &'a Path,
    /// Who expands PyO3's macros, where the plan has that done.
    pub expander: Option<&'a Server>,
    /// Is everything to be compiled again that may have changed unnoticed?
    pub forced: bool,
}

/// What a compiler made, be it started by cargo or directly.
pub struct Built {
    /// The library, in the staging folder.
    pub library: PathBuf,
    /// What rustc said about the user's code.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that rustc has read for the kernel itself.
    pub files: Vec<PathBuf>,
    /// The environment variables that it has read, with their values.
    pub variables: Vec<(String, Option<String>)>,
    /// What cargo has looked at besides; what a later build needs for doing without cargo.
    pub foreign: Vec<Input>,
    /// What cargo said about manifests and its configuration.
    pub notes: Vec<Diagnostic>,
    /// The recorded call, where recording works.
    pub recipe: Option<Recipe>,
    /// The instruction sets that rustc could use; `None` where that is not known.
    pub cpu: Option<Vec<String>>,
    /// What the kernel's own files export to native callers, or would if no `cfg` left it out.
    pub exports: Vec<Export>,
    /// How much it is optimised.
    pub tier: Tier,
    /// The processor time that the compiler took for the kernel itself, where that is known.
    pub seconds: Option<f64>,
}

impl Job<'_> {
    /// The folder in which cargo starts rustc for the kernel.
    pub fn compiler_folder(&self) -> PathBuf {
        if self.source.manifest.is_some() { workspace_folder(&self.view.source.base) } else { self.package() }
    }

    /// The folder of the generated package. The copies of a kernel lie beside it, not in it: cargo names files of a
    /// package relative to it, and the user is to read his own path.
    pub fn package(&self) -> PathBuf {
        self.work.join("package")
    }
}
