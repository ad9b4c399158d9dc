//! What cargo itself would read besides the manifest: its configuration files and environment variables.

use std::path::PathBuf;

use crate::config::ancestors::{Ancestors, cargo_files};
use crate::config::environment::Environment;
use crate::digest::Digest;

/// The tables of cargo's configuration that change what is compiled. The others say how (network, terminal, aliases).
const TABLES: [&str; 7] = ["build", "env", "host", "patch", "profile", "target", "unstable"];

/// The environment variables that change what is compiled, by prefix.
const PREFIXES: [&str; 6] =
    ["CARGO_BUILD_", "CARGO_ENCODED_RUSTFLAGS", "CARGO_PROFILE_", "CARGO_TARGET_", "PYO3_", "RUSTFLAGS"];
/// Those among them that do not: where files go, and what this engine sets itself.
const HARMLESS: [&str; 6] = [
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_BUILD_JOBS",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_TARGET_DIR",
    "PYO3_BUILD_EXTENSION_MODULE",
    "PYO3_CARGO_FILE",
];

/// The part of cargo's configuration that holds in a folder and changes what is compiled.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CargoConfig {
    /// The relevant tables, nearest file first.
    files: Vec<toml::Table>,
}

impl CargoConfig {
    /// Reads what cargo would read when started below these folders.
    pub fn of(ancestors: &Ancestors) -> CargoConfig {
        let files = ancestors.cargo.iter().cloned().chain(cargo_home()).filter_map(|folder| {
            let text = cargo_files(&folder).iter().find_map(|path| std::fs::read_to_string(path).ok())?;
            let mut table: toml::Table = text.parse().ok()?;
            table.retain(|key, _| TABLES.contains(&key));
            (!table.is_empty()).then_some(table)
        });
        let mut files: Vec<_> = files.collect();
        files.dedup();
        CargoConfig { files }
    }

    /// A digest of the configuration, empty where there is none.
    pub fn digest(&self) -> String {
        match self.files.is_empty() {
            true => String::new(),
            false => Digest::of(self.files.iter().map(toml::Table::to_string).collect::<String>().as_bytes()),
        }
    }

    /// Is a cargo profile changed here?
    pub fn has_profile(&self) -> bool {
        self.files.iter().any(|file| file.contains_key("profile"))
    }

    /// Does this word occur in it, as a key or in a value?
    pub fn mentions(&self, word: &str) -> bool {
        self.files.iter().any(|file| file.to_string().contains(word))
    }

    /// Does a `target.*.rustflags` key exist? Cargo ignores `build.rustflags` then.
    pub fn has_target_rustflags(&self) -> bool {
        self.files
            .iter()
            .filter_map(|file| file.get("target")?.as_table())
            .flat_map(|targets| targets.values())
            .any(|target| target.get("rustflags").is_some())
    }
}

/// The variables of the environment that change what is compiled, sorted, one a line.
pub fn relevant(environment: &Environment) -> String {
    let mut lines: Vec<String> = environment
        .iter()
        .filter(|(name, _)| PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !HARMLESS.contains(name))
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    lines.sort();
    lines.concat()
}

/// Cargo's own folder: `CARGO_HOME`, or `.cargo` in the home folder.
pub fn cargo_home() -> Option<PathBuf> {
    std::env::var_os("CARGO_HOME")
        .filter(|home| !home.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(dirs::home_dir()?.join(".cargo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tables_that_change_what_is_compiled_count() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::create_dir(folder.path().join(".cargo")).unwrap();
        let write = |text: &str| std::fs::write(folder.path().join(".cargo/config.toml"), text).unwrap();
        write("[net]\nretry = 1\n");
        let plain = CargoConfig::of(&Ancestors::of(&below));
        write("[net]\nretry = 2\n");
        assert_eq!(CargoConfig::of(&Ancestors::of(&below)), plain);
        write("[target.x86_64-unknown-linux-gnu]\nrustflags = ['-Cdebuginfo=1']\n");
        let flags = CargoConfig::of(&Ancestors::of(&below));
        assert_ne!(flags.digest(), plain.digest());
        assert!(flags.has_target_rustflags() && !plain.has_target_rustflags());
    }
}
