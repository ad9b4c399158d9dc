//! A program that was made of a kernel, as of its tests, kept until something that it was made of has changed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cache::layout::Cache;
use crate::digest::Digest;
use crate::error::Diagnostic;
use crate::freshness::inputs::Input;

/// The folder in a kernel's own one with its programs, each named by its content.
pub const PROGRAMS: &str = "programs";

/// The program, and what was read for it besides the kernel's own text, which is in the key.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Its name in the folder of programs.
    pub program: String,
    /// What the compiler said of the kernel.
    pub diagnostics: Vec<Diagnostic>,
    /// What was read.
    pub inputs: Vec<Input>,
}

impl Kept {
    /// The name of a program with this content.
    pub fn name(content: &[u8]) -> String {
        Digest::of(content)[..16].to_owned()
    }

    /// What was kept of a kernel under a key, if it still holds.
    pub fn find(cache: &Cache, work: &Path, key: &str, base: &Path) -> Option<(Kept, PathBuf)> {
        let kept: Kept = cache.kept(&place(work)?, key)?;
        let program = work.join(PROGRAMS).join(&kept.program);
        let is_whole = std::fs::read(&program).is_ok_and(|content| Kept::name(&content) == kept.program);
        (is_whole && kept.inputs.iter().all(|input| input.holds(base))).then_some((kept, program))
    }

    /// Keeps it.
    pub fn keep(&self, cache: &Cache, work: &Path, key: &str) {
        if let Some(place) = place(work) {
            cache.keep(&place, key, self);
        }
    }
}

fn place(work: &Path) -> Option<String> {
    Some(format!("work/{}", work.file_name()?.to_str()?))
}
