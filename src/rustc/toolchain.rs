//! Finding cargo and rustc. The one module that makes a `Command`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::config::ancestors::{cargo_home, rustup_home};
use crate::config::environment::{home, variable, variables};
use crate::config::settings::Settings;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::rustc::start::Start;

/// The environment variables that a parent build leaves behind and that would mislead a build of ours.
const FOREIGN: [&str; 8] = [
    "CARGO_MAKEFLAGS",
    "CARGO_PRIMARY_PACKAGE",
    "MAKEFLAGS",
    "MFLAGS",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_BUILD_DIR",
];

/// The oldest Rust that builds kernels: the first with edition 2024, and the one that PyO3 needs.
pub const MINIMUM: &str = "1.85";
/// What is said where there is no cargo.
pub const NO_CARGO: &str = "cargo was not found";
/// What to paste where there is no Rust, or one that is too old.
pub const INSTALL: &str = if cfg!(windows) {
    "this installs it: winget install Rustlang.Rustup"
} else {
    "this installs it: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . ~/.cargo/env"
};

/// The tools that build kernels.
#[derive(Debug, Clone)]
pub struct Toolchain {
    /// The cargo to start.
    pub cargo: PathBuf,
    /// The rustc that this cargo starts.
    pub rustc: PathBuf,
    /// Where both are started.
    pub start: Start,
    /// The name of the rustup toolchain that the settings ask for, or empty.
    name: String,
}

/// Which rustc it is. Kept between processes, since asking costs two process starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// What `rustc -vV` prints.
    pub version: String,
    /// The real compiler, behind rustup's proxy.
    pub rustc: PathBuf,
    /// Size and modification time of that file; an update changes them.
    stamp: (u64, u128),
}

impl Toolchain {
    /// Finds cargo. The first that exists is taken:
    ///
    /// 1. the file that the environment variable `CARGO` names;
    /// 2. `cargo` in a folder of `PATH`;
    /// 3. `bin/cargo` in `CARGO_HOME`;
    /// 4. `.cargo/bin/cargo` in the home folder.
    ///
    /// rustc is the one beside that cargo, or else the first in `PATH`; the environment variable `RUSTC` beats both.
    pub fn find(settings: &Settings, start: Start) -> Result<Toolchain> {
        let lookups: [fn() -> Option<PathBuf>; 4] = [
            || from_variable("CARGO"),
            || in_path("cargo"),
            || executable(&cargo_home()?.join("bin/cargo")),
            || executable(&home()?.join(".cargo/bin/cargo")),
        ];
        let cargo = lookups.iter().find_map(|lookup| lookup()).ok_or_else(|| {
            Error::toolchain(NO_CARGO)
                .hint(format!("{INSTALL}\n(if it is installed already, put the folder of cargo into PATH)"))
        })?;
        let beside = || executable(&cargo.with_file_name("rustc"));
        let rustc = from_variable("RUSTC").or_else(beside).or_else(|| in_path("rustc")).ok_or_else(|| {
            Error::toolchain(format!("rustc was not found beside {}", cargo.display()))
                .hint(format!("{INSTALL}\n(if it is installed already, put the folder of rustc into PATH)"))
        })?;
        // A variable beats what stands in folders, for rustup too.
        let named = variable("RUSTUP_TOOLCHAIN").is_some_and(|name| !name.is_empty());
        let found = if named { String::new() } else { start.toolchain.clone() };
        let name = Some(settings.toolchain.clone()).filter(|name| !name.is_empty()).unwrap_or(found);
        Ok(Toolchain { cargo, rustc, start, name })
    }

    /// The same with the rustc that cargo's configuration names: cargo starts that, unless a variable names another one.
    pub fn configured(mut self, rustc: Option<&str>) -> Toolchain {
        let named = || from_variable("CARGO_BUILD_RUSTC").or_else(|| program(OsStr::new(rustc?)));
        if from_variable("RUSTC").is_none()
            && let Some(rustc) = named()
        {
            self.rustc = rustc;
        }
        self
    }

    /// A command of cargo's.
    pub fn cargo(&self, subcommand: &str) -> Command {
        let mut command = self.command(&self.cargo, &self.start.folder);
        command.arg(subcommand);
        for config in &self.start.configs {
            command.arg("--config").arg(config);
        }
        // cargo's own tests stop it with this; it has no argument for it.
        if let Some(top) = &self.start.top {
            command.env("__CARGO_TEST_ROOT", top);
        }
        command
    }

    /// The cargo, where it is somebody's script: beside cargo itself, and beside rustup's stand-in for it, there is a rustc.
    pub fn script(&self) -> Option<&Path> {
        executable(&self.cargo.with_file_name("rustc")).is_none().then_some(&self.cargo)
    }

    /// The folder in which it is started, which it names files relative to.
    pub fn folder(&self) -> &Path {
        &self.start.folder
    }

    /// A command that starts a compiler in a folder.
    pub fn compiler(&self, rustc: &Path, folder: &Path) -> Command {
        self.command(rustc, folder)
    }

    /// A tool of Rust's that lies beside cargo or rustc, or in a folder of `PATH`.
    pub fn tool(&self, name: &str) -> Option<PathBuf> {
        let beside = |program: &Path| executable(&program.with_file_name(name));
        beside(&self.cargo).or_else(|| beside(&self.rustc)).or_else(|| in_path(name))
    }

    /// Everything that decides which rustc is started, without starting one.
    pub fn selection(&self) -> String {
        let folder = &self.start.folder;
        let mut digest = Digest::default().with(self.rustc.as_os_str().as_encoded_bytes()).with(self.name.as_bytes());
        for name in ["RUSTUP_TOOLCHAIN", "RUSTUP_HOME", "HOME"] {
            digest = digest.with(variable(name).unwrap_or_default().as_encoded_bytes());
        }
        for folder in folder.ancestors() {
            for name in ["rust-toolchain", "rust-toolchain.toml"] {
                digest = digest.with(&std::fs::read(folder.join(name)).unwrap_or_default());
            }
        }
        // rustup keeps its default and the overrides of folders there.
        if let Some(rustup) = rustup_home() {
            let settings = std::fs::read_to_string(rustup.join("settings.toml")).unwrap_or_default();
            let overrides = settings.contains("[overrides]\n\"").then(|| folder.to_string_lossy());
            digest = digest.with(settings.as_bytes()).with(overrides.unwrap_or_default().as_bytes());
        }
        digest.hex()
    }

    fn command(&self, program: &Path, folder: &Path) -> Command {
        #[allow(clippy::disallowed_methods)]
        let mut command = Command::new(program);
        command.current_dir(folder).env_clear().envs(variables());
        for variable in FOREIGN {
            command.env_remove(variable);
        }
        if !self.name.is_empty() {
            command.env("RUSTUP_TOOLCHAIN", &self.name);
        }
        // With cargo found by its own path, its subcommands and rustc have to be found too, and no other rustc before.
        if let Some(path) = self.path() {
            command.env("PATH", path);
        }
        command
    }

    /// The search path with which cargo finds this rustc, where that is not the one that there is.
    fn path(&self) -> Option<OsString> {
        let path = variable("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let (cargos, rustcs) = (self.cargo.parent()?.to_path_buf(), self.rustc.parent()?.to_path_buf());
        // Of one that a variable or the configuration names cargo knows.
        let beside = executable(&self.cargo.with_file_name("rustc")).is_some_and(|beside| beside == self.rustc);
        let other = (beside && in_path("rustc").is_some_and(|first| first != self.rustc)).then_some(rustcs);
        let missing = (!folders.contains(&cargos)).then_some(cargos);
        if other.is_none() && missing.is_none() {
            return None;
        }
        std::env::join_paths(other.into_iter().chain(folders).chain(missing)).ok()
    }
}

impl Identity {
    /// What a compiler says of itself, and where it is.
    pub fn of(version: String, rustc: PathBuf) -> Identity {
        let stamp = stamp(&rustc);
        Identity { version, rustc, stamp }
    }

    /// Fails for a compiler that is too old for kernels. The versions of a distribution often are.
    pub fn check_age(&self) -> Result<()> {
        let version = self.version.lines().next().unwrap_or_default().split(' ').nth(1).unwrap_or_default();
        let number = |version: &str| -> Option<(u32, u32)> {
            let mut parts = version.split('.').map(|part| part.parse().ok());
            Some((parts.next()??, parts.next()??))
        };
        if number(version).is_none_or(|found| Some(found) >= number(MINIMUM)) {
            return Ok(());
        }
        let rustup = self.rustc.components().any(|part| part.as_os_str() == "toolchains");
        Err(Error::toolchain(format!(
            "rustc {version} ({}) is too old: kernels need Rust {MINIMUM} or newer",
            self.rustc.display()
        ))
        .hint(if rustup { "this installs the newest: rustup update stable" } else { INSTALL }))
    }

    /// The number behind `1.` in its version.
    pub fn minor(&self) -> Option<u32> {
        self.version.strip_prefix("rustc 1.")?.split('.').next()?.parse().ok()
    }

    /// The platform that it compiles for unless it is told another one.
    pub fn host(&self) -> &str {
        self.version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default()
    }

    /// Is the compiler still the file that was asked?
    pub fn holds(&self) -> bool {
        stamp(&self.rustc) == self.stamp && self.stamp.0 > 0
    }
}

/// A command that has a shell run a script that needs nothing of the user's surroundings.
#[cfg(unix)]
pub fn shell(script: &str) -> Command {
    #[allow(clippy::disallowed_methods)]
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).env_clear().current_dir("/");
    command
}

/// The linker that rustc calls by default, for `doctor`.
pub fn find_linker() -> Option<PathBuf> {
    let names: &[&str] = if cfg!(windows) { &["link", "lld-link"] } else { &["cc", "gcc", "clang"] };
    names.iter().find_map(|name| in_path(name))
}

/// Is there what rustc calls as a linker unless it is told otherwise? On Windows it has ways of its own to find one.
pub fn has_cc() -> bool {
    cfg!(windows) || in_path("cc").is_some()
}

fn stamp(path: &Path) -> (u64, u128) {
    let Ok(metadata) = std::fs::metadata(path) else { return (0, 0) };
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    (metadata.len(), modified.unwrap_or_default().as_nanos())
}

fn from_variable(name: &str) -> Option<PathBuf> {
    program(&variable(name).filter(|value| !value.is_empty())?)
}

/// A program that is named by its path, or by nothing but its name.
fn program(name: &OsStr) -> Option<PathBuf> {
    let path = Path::new(name);
    if path.components().count() == 1 { in_path(&name.to_string_lossy()) } else { executable(path) }
}

fn in_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&variable("PATH")?).find_map(|folder| executable(&folder.join(name)))
}

/// The path if a program is there, with the ending that programs have here.
pub fn executable(path: &Path) -> Option<PathBuf> {
    let suffix = std::env::consts::EXE_EXTENSION;
    let path =
        if path.extension() == Some(OsStr::new(suffix)) { path.to_path_buf() } else { path.with_extension(suffix) };
    let metadata = std::fs::metadata(&path).ok().filter(|metadata| metadata.is_file())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if metadata.permissions().mode() & 0o111 == 0 {
            return None;
        }
    }
    let _ = metadata;
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_that_is_too_old_is_refused() {
        for (version, good) in [
            ("rustc 1.63.0\nbinary: rustc", false),
            ("rustc 1.84.1 (e71f9a9a9 2025-01-27)", false),
            ("rustc 1.85.0 (4d91de4e4 2025-02-17)", true),
            ("rustc 1.95.0-nightly (abc 2026-01-01)", true),
            ("rustc 2.0.0", true),
            ("something else", true),
        ] {
            let identity = Identity { version: version.into(), rustc: "/usr/bin/rustc".into(), stamp: (0, 0) };
            assert_eq!(identity.check_age().is_ok(), good, "{version}");
        }
    }
}
