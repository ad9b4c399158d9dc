//! What cargo itself would read besides the manifest: its configuration files and environment variables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::config::ancestors::{Ancestors, cargo_file, cargo_home};
use crate::config::environment::Environment;
use crate::digest::Digest;

/// The parts of cargo's configuration that change what is compiled. The others say how (network, terminal, aliases).
const TABLES: [&str; 8] = ["build", "env", "host", "patch", "paths", "profile", "target", "unstable"];
/// Files include files; a circle of them ends here.
const DEEPEST: usize = 8;

/// The environment variables that change what is compiled, by prefix: those of cargo and rustc, and those that the build
/// scripts of PyO3 and the crates below it ask for, which all kernels have.
const PREFIXES: [&str; 11] = [
    "CARGO_BUILD_",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_HOST_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "CARGO_UNSTABLE_",
    "LIBC_",
    "PYO3_",
    "RUSTC_BOOTSTRAP",
    "RUSTFLAGS",
    "RUST_LIBC_",
];
/// Those among them that do not: where files go, and what this engine sets itself.
const HARMLESS: [&str; 6] = [
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_BUILD_JOBS",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_TARGET_DIR",
    "PYO3_BUILD_EXTENSION_MODULE",
    "PYO3_CARGO_FILE",
];
/// The variables that cargo sets for rustc whatever the user's environment has: names, and beginnings of names.
const CARGOS: [&str; 9] = [
    "CARGO",
    "CARGO_BIN_",
    "CARGO_CRATE_NAME",
    "CARGO_MAKEFLAGS",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_RUSTC_CURRENT_DIR",
    "OUT_DIR",
];

/// The part of cargo's configuration that holds in a folder and changes what is compiled.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CargoConfig {
    /// The relevant tables, the strongest file first.
    files: Vec<Table>,
}

impl CargoConfig {
    /// Reads what cargo would read when started below these folders.
    pub fn of(ancestors: &Ancestors) -> CargoConfig {
        let mut files = Vec::new();
        let own = cargo_home().and_then(|home| cargo_file(&home));
        for path in ancestors.cargo.iter().chain(&own) {
            read(path, 0, &mut files);
        }
        files.dedup();
        CargoConfig { files }
    }

    /// A digest of the configuration, empty where there is none.
    pub fn digest(&self) -> String {
        match self.files.is_empty() {
            true => String::new(),
            false => Digest::of(self.files.iter().map(Table::to_string).collect::<String>().as_bytes()),
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

    /// The keys under which flags for rustc are given, as `--config` takes them, with the strongest value of each.
    pub fn rustflags(&self) -> BTreeMap<String, Value> {
        let mut found = BTreeMap::new();
        for file in &self.files {
            let targets = file.get("target").and_then(Value::as_table).into_iter().flatten();
            let targets = targets.map(|(name, table)| (rustflags_key(name), table));
            let build = file.get("build").map(|table| ("build.rustflags".to_owned(), table));
            for (key, table) in targets.chain(build) {
                if let Some(flags) = table.get("rustflags") {
                    found.entry(key).or_insert_with(|| flags.clone());
                }
            }
        }
        found
    }

    /// The platform to compile for, where one is named.
    pub fn target(&self) -> Option<&str> {
        self.files.iter().find_map(|file| file.get("build")?.get("target")?.as_str())
    }

    /// The variables that `[env]` gives to the compiler unless the environment has them.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.files.iter().filter_map(|file| file.get("env")?.as_table()).flat_map(Table::keys).map(String::as_str)
    }

    /// Does it ask for the CPU at hand?
    pub fn is_native(&self) -> bool {
        self.rustflags().values().any(|flags| flags.to_string().contains("target-cpu=native"))
    }
}

/// The key of the flags for a platform or a condition such as `cfg(unix)`.
pub fn rustflags_key(target: &str) -> String {
    format!("target.{}.rustflags", Value::from(target))
}

/// Reads a file, then what it includes: the last of that beats the others, and the file beats all of it. What cannot
/// be read is left for cargo to complain about.
fn read(path: &Path, depth: usize, files: &mut Vec<Table>) {
    let Some(mut table) = std::fs::read_to_string(path).ok().and_then(|text| text.parse::<Table>().ok()) else {
        return;
    };
    let included = table.remove("include");
    table.retain(|key, _| TABLES.contains(&key));
    if !table.is_empty() {
        files.push(table);
    }
    let included = included.as_ref().and_then(Value::as_array).into_iter().flatten().rev();
    for name in included.filter_map(|one| one.as_str().or_else(|| one.get("path")?.as_str())) {
        if depth < DEEPEST {
            read(&path.with_file_name("").join(PathBuf::from(name)), depth + 1, files);
        }
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

/// Is it a variable of the user's that the key does not have yet?
pub fn is_further(name: &str) -> bool {
    let is_cargos = |known: &&str| name == *known || known.ends_with('_') && name.starts_with(known);
    !PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !CARGOS.iter().any(is_cargos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_folder(files: &[(&str, &str)]) -> CargoConfig {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::create_dir(folder.path().join(".cargo")).unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(".cargo").join(name), text).unwrap();
        }
        CargoConfig::of(&Ancestors::of(&below, None))
    }

    #[test]
    fn only_tables_that_change_what_is_compiled_count() {
        let plain = in_folder(&[("config.toml", "[net]\nretry = 1\n")]);
        assert_eq!(in_folder(&[("config.toml", "[net]\nretry = 2\n")]), plain);
        let flags = in_folder(&[("config.toml", "[target.'cfg(unix)']\nrustflags = ['-Cdebuginfo=1']\n")]);
        assert_ne!(flags.digest(), plain.digest());
        assert!(flags.rustflags().contains_key("target.\"cfg(unix)\".rustflags"), "{:?}", flags.rustflags());
        assert!(plain.rustflags().keys().all(|key| !key.starts_with("target")));
    }

    #[test]
    fn files_are_found_and_ordered_as_cargo_does() {
        let which = |files: &[(&str, &str)]| {
            let config = in_folder(files);
            let found = config.files.iter().find_map(|file| file.get("env")?.get("W")?.as_str().map(str::to_owned));
            found.unwrap_or_default()
        };
        let env = |value: &str| format!("[env]\nW = '{value}'\n");
        let (one, two) = (env("one"), env("two"));
        assert_eq!(which(&[("config", &one), ("config.toml", &two)]), "one");
        let including = "include = ['x.toml', { path = 'y.toml', optional = true }]\n";
        assert_eq!(which(&[("config.toml", including), ("x.toml", &one)]), "one");
        assert_eq!(which(&[("config.toml", including), ("x.toml", &one), ("y.toml", &two)]), "two");
        assert_eq!(which(&[("config.toml", &(including.to_owned() + &env("own"))), ("x.toml", &one)]), "own");
        assert_eq!(which(&[("config.toml", "include = ['config.toml']\n[env]\nW = 'own'\n")]), "own");
    }

    #[test]
    fn a_variable_is_further_unless_the_key_or_cargo_has_it() {
        for (name, further) in [
            ("CFLAGS", true),
            ("CARGO_SAYS", true),
            ("CARGO", false),
            ("CARGO_PKG_NAME", false),
            ("OUT_DIR", false),
            ("OUT_DIRECTORY", true),
            ("PYO3_PRINT_CONFIG", false),
            ("RUSTFLAGS", false),
        ] {
            assert_eq!(is_further(name), further, "{name}");
        }
    }
}
