//! The one error type of the engine, and the diagnostics that it carries.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A message of rustc about the user's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// `error`, `warning`, `note`, `help` ...
    pub level: String,
    /// The error code (`E0308`) or the lint's name.
    pub code: Option<String>,
    /// The headline.
    pub message: String,
    /// The user's file, absolute.
    pub file: Option<String>,
    /// 1-based line in that file.
    pub line: Option<usize>,
    /// 1-based column in that line.
    pub column: Option<usize>,
    /// rustc's own text with ANSI colours.
    pub ansi: String,
}

impl Diagnostic {
    /// rustc's own text without colours.
    pub fn rendered(&self) -> String {
        strip_ansi_escapes::strip_str(&self.ansi)
    }
}

/// Whose matter an error is; each kind is a Python exception of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The kernel's code does not compile.
    Compile,
    /// A setting, a manifest, a name or a file is not as it has to be.
    Config,
    /// cargo, rustc, the linker or the registry cannot be used.
    Toolchain,
    /// The cache folder cannot be used.
    Cache,
    /// The user pressed Ctrl-C.
    Interrupted,
}

/// What went wrong, in one sentence, and what to do about it.
#[derive(Debug, Clone)]
pub struct Error {
    /// Whose matter it is.
    pub kind: Kind,
    /// One sentence that names the file and, where there is one, the line.
    pub message: String,
    /// What the user can do about it.
    pub hint: Option<String>,
    /// The kernel that was to be built.
    pub kernel: Option<PathBuf>,
    /// What rustc said, for [`Kind::Compile`].
    pub diagnostics: Vec<Diagnostic>,
}

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of a kind with its message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), hint: None, kernel: None, diagnostics: Vec::new() }
    }

    /// A setting, manifest, name or file that is not as it has to be.
    pub fn config(message: impl Into<String>) -> Self {
        Error::new(Kind::Config, message)
    }

    /// A toolchain or registry that cannot be used.
    pub fn toolchain(message: impl Into<String>) -> Self {
        Error::new(Kind::Toolchain, message)
    }

    /// A cache folder that cannot be used.
    pub fn cache(message: impl Into<String>) -> Self {
        Error::new(Kind::Cache, message)
    }

    /// The user's Ctrl-C.
    pub fn interrupted() -> Self {
        Error::new(Kind::Interrupted, "interrupted")
    }

    /// Adds what the user can do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the kernel that was to be built.
    pub fn kernel(mut self, kernel: &Path) -> Self {
        self.kernel.get_or_insert_with(|| kernel.to_path_buf());
        self
    }

    /// Adds what rustc said.
    pub fn diagnostics(mut self, diagnostics: Vec<Diagnostic>) -> Self {
        self.diagnostics = diagnostics;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
