//! What is asked of cargo for a kernel that is a package, and what that has come to.

use std::path::{Path, PathBuf};

use cargo_metadata::{Artifact, BuildScript};

use crate::error::{Diagnostic, Error, Result};
use crate::freshness::inputs::Input;

/// How the package is to differ from the one that is built for an import.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Features of PyO3 that the kernel does not ask for itself.
    pub pyo3_features: Vec<String>,
    /// Text below the user's last line in the crate root.
    pub below: String,
    /// Are PyO3's own macros wanted, as by an editor, which expands them itself?
    pub own_macros: bool,
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
    pub library: Option<PathBuf>,
    /// A copy of the program that was made of the kernel.
    pub program: Option<PathBuf>,
    /// What was read for it.
    pub inputs: Vec<Input>,
    /// The lines of stdout as they came: cargo's JSON messages, which name staged paths.
    pub output: Vec<String>,
    /// What cargo wrote to stderr, without its progress.
    pub text: String,
}

impl Run {
    /// The program where cargo has put it.
    pub fn executable(&self) -> Option<&Path> {
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
