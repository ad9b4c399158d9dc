//! What cargo itself would read besides the manifest: its configuration files and environment variables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::config::ancestors::{Ancestors, cargo_file, cargo_home};
use crate::config::environment::Environment;
use crate::digest::Digest;

/// The parts of cargo's configuration that change what is compiled. The others say how (network, terminal, aliases).
const TABLES: [&str; 8] = ["build", "env", "host", "patch", "paths", "profile", "target", "unstable"];
/// What of `[build]` does not: how many compilers run, where files go, and what starts rustc as it is.
const HARMLESS_OF_BUILD: [&str; 7] =
    ["build-dir", "dep-info-basedir", "jobs", "rustc-wrapper", "rustdoc", "rustdocflags", "target-dir"];
/// What of the tables for a platform does not: how programs are started, and how documentation is made.
const HARMLESS_OF_TARGET: [&str; 2] = ["runner", "rustdocflags"];
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
/// Those among them that the engine sets or takes away itself: nothing that is compiled sees what the user has there.
const OURS: [&str; 5] = [
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_TARGET_DIR",
    "PYO3_BUILD_EXTENSION_MODULE",
    "PYO3_CARGO_FILE",
];
/// Those among them that decide about nothing unless something asks for them by name.
const HARMLESS: [&str; 5] = [
    "CARGO_BUILD_DEP_INFO_BASEDIR",
    "CARGO_BUILD_JOBS",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTDOC",
    "CARGO_BUILD_RUSTDOCFLAGS",
];
const HARMLESS_ENDS: [&str; 2] = ["_RUNNER", "_RUSTDOCFLAGS"];
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
    /// What stands before rustc by the strongest file that names something.
    wrapper: Option<String>,
}

impl CargoConfig {
    /// Reads what cargo would read when started below these folders.
    pub fn of(ancestors: &Ancestors) -> CargoConfig {
        let mut found = CargoConfig::default();
        let own = cargo_home().and_then(|home| cargo_file(&home));
        for path in ancestors.cargo.iter().chain(&own) {
            found.read(path, 0);
        }
        found.files.dedup();
        found
    }

    /// The program that cargo starts in rustc's place, or nothing. It is no input, as it is none for cargo; but a call that
    /// was recorded without it may not be repeated where it is to stand before the next one.
    pub fn wrapper(&self, environment: &Environment) -> String {
        let set = ["RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER"].into_iter().find_map(|name| environment.get(name));
        set.map(str::to_owned).or_else(|| self.wrapper.clone()).unwrap_or_default()
    }

    /// A digest of the configuration, empty where there is none that counts. Other profiles than these do not, and no
    /// flags where a variable beats them.
    pub fn digest(&self, profiles: &Profiles, flags_are_beaten: bool) -> String {
        let mut text = String::new();
        for file in &self.files {
            let mut file = file.clone();
            if let Some(Value::Table(named)) = file.get_mut("profile") {
                named.retain(|name, _| profiles.has(name));
            }
            if flags_are_beaten {
                each_of_platform(&mut file, |table| drop(table.remove("rustflags")));
            }
            prune(&mut file);
            text.push_str(&file.to_string());
        }
        if text.is_empty() { text } else { Digest::of(text.as_bytes()) }
    }

    /// Is one of these profiles changed here?
    pub fn has_profile(&self, profiles: &Profiles) -> bool {
        let named = self.files.iter().filter_map(|file| file.get("profile")?.as_table());
        named.flat_map(Table::keys).any(|name| profiles.has(name))
    }

    /// Does `[env]` give this variable to the compiler whatever the environment has?
    pub fn forces(&self, name: &str) -> bool {
        let given = self.files.iter().find_map(|file| file.get("env")?.get(name));
        given.is_some_and(|given| given.get("force").and_then(Value::as_bool) == Some(true))
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

    /// Reads a file, then what it includes: the last of that beats the others, and the file beats all of it. What cannot
    /// be read is left for cargo to complain about.
    fn read(&mut self, path: &Path, depth: usize) {
        let Some(mut table) = std::fs::read_to_string(path).ok().and_then(|text| text.parse::<Table>().ok()) else {
            return;
        };
        let included = table.remove("include");
        let wrapper = table.get("build").and_then(|build| build.get("rustc-wrapper")?.as_str());
        self.wrapper = self.wrapper.take().or_else(|| wrapper.map(str::to_owned));
        table.retain(|key, _| TABLES.contains(&key));
        let build = table.get_mut("build").and_then(Value::as_table_mut);
        build.into_iter().for_each(|build| build.retain(|key, _| !HARMLESS_OF_BUILD.contains(&key)));
        each_of_platform(&mut table, |table| table.retain(|key, _| !HARMLESS_OF_TARGET.contains(&key)));
        anchor(&mut table, path);
        prune(&mut table);
        if !table.is_empty() {
            self.files.push(table);
        }
        let included = included.as_ref().and_then(Value::as_array).into_iter().flatten().rev();
        for name in included.filter_map(|one| one.as_str().or_else(|| one.get("path")?.as_str())) {
            if depth < DEEPEST {
                self.read(&path.with_file_name("").join(PathBuf::from(name)), depth + 1);
            }
        }
    }
}

/// The key of the flags for a platform or a condition such as `cfg(unix)`.
pub fn rustflags_key(target: &str) -> String {
    format!("target.{}.rustflags", Value::from(target))
}

/// Drops what is empty.
fn prune(table: &mut Table) {
    table.retain(|_, value| {
        let Value::Table(inner) = value else { return true };
        prune(inner);
        !inner.is_empty()
    });
}

/// Does something with each table in which there may be flags for rustc.
fn each_of_platform(file: &mut Table, change: impl Fn(&mut Table)) {
    let mut change_in = |value: &mut Value| value.as_table_mut().into_iter().for_each(&change);
    file.get_mut("build").into_iter().for_each(&mut change_in);
    let targets = file.get_mut("target").and_then(Value::as_table_mut).into_iter();
    targets.flat_map(|targets| targets.iter_mut()).for_each(|(_, target)| change_in(target));
}

/// Writes down what a variable that is relative to the file comes to: in a copy of the project it is another one.
fn anchor(file: &mut Table, path: &Path) {
    let folder = path.parent().and_then(Path::parent).unwrap_or(path);
    let variables = file.get_mut("env").and_then(Value::as_table_mut).into_iter();
    for (_, given) in variables.flat_map(|variables| variables.iter_mut()) {
        if given.get("relative").and_then(Value::as_bool) == Some(true)
            && let Some(Value::String(value)) = given.get_mut("value")
        {
            *value = folder.join(&*value).to_string_lossy().into_owned();
        }
    }
}

/// The profiles that decide about a build: the one that is asked for, and those that it inherits from.
#[derive(Debug, Clone, Default)]
pub struct Profiles(Option<Vec<String>>);

impl Profiles {
    /// Follows what the manifest and the configuration say. Where neither says what it inherits from, all count.
    pub fn of(name: &str, manifest: &Table, cargo: &CargoConfig) -> Profiles {
        let mut chain = vec![name.to_owned()];
        while let Some(last) = chain.last() {
            let parent = match last.as_str() {
                "dev" | "release" => return Profiles(Some(chain)),
                "test" => Some("dev".to_owned()),
                "bench" => Some("release".to_owned()),
                last => [manifest]
                    .into_iter()
                    .chain(&cargo.files)
                    .find_map(|table| Some(table.get("profile")?.get(last)?.get("inherits")?.as_str()?.to_owned())),
            };
            match parent.filter(|parent| !chain.contains(parent)) {
                Some(parent) => chain.push(parent),
                None => break,
            }
        }
        Profiles(None)
    }

    /// Is it one of them?
    fn has(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|chain| chain.iter().any(|known| known == name))
    }

    /// Does a variable speak of none of them?
    fn leave_out(&self, variable: &str) -> bool {
        let Some(rest) = variable.strip_prefix("CARGO_PROFILE_") else { return false };
        let speaks = |name: &String| rest.starts_with(&format!("{}_", name.to_uppercase().replace('-', "_")));
        self.0.as_ref().is_some_and(|chain| !chain.iter().any(speaks))
    }
}

/// The variables of the environment that change what is compiled with these profiles, sorted, one a line.
pub fn relevant(environment: &Environment, profiles: &Profiles) -> String {
    let beaten = environment.get("CARGO_ENCODED_RUSTFLAGS").is_some();
    let mut lines: Vec<String> = environment
        .iter()
        .filter(|(name, _)| is_in_key(name) && !(beaten && *name == "RUSTFLAGS") && !profiles.leave_out(name))
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    lines.sort();
    lines.concat()
}

fn is_in_key(name: &str) -> bool {
    let is_harmless = OURS.contains(&name)
        || HARMLESS.contains(&name)
        || name.starts_with("CARGO_TARGET_") && HARMLESS_ENDS.iter().any(|end| name.ends_with(end));
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !is_harmless
}

/// Is it a variable of the user's that is an input as soon as something asks for it by name? What the key leaves out for
/// some builds is among them.
pub fn is_further(name: &str) -> bool {
    let is_cargos = |known: &&str| name == *known || known.ends_with('_') && name.starts_with(known);
    let is_always_in_key = is_in_key(name) && name != "RUSTFLAGS" && !name.starts_with("CARGO_PROFILE_");
    !is_always_in_key && !OURS.contains(&name) && !CARGOS.iter().any(is_cargos)
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
        let digest = |config: &CargoConfig, beaten| config.digest(&Profiles::default(), beaten);
        assert_ne!(digest(&flags, false), digest(&plain, false));
        assert_eq!(digest(&flags, true), digest(&plain, true));
        assert!(flags.rustflags().contains_key("target.\"cfg(unix)\".rustflags"), "{:?}", flags.rustflags());
        assert!(plain.rustflags().keys().all(|key| !key.starts_with("target")));
    }

    #[test]
    fn what_only_says_how_things_are_run_does_not_count() {
        let harmless = "[build]\njobs = 2\nrustc-wrapper = 'w'\n[target.'cfg(unix)']\nrunner = 'r'\n";
        let (harmless, nothing) = (in_folder(&[("config.toml", harmless)]), in_folder(&[("config.toml", "")]));
        assert_eq!(harmless.files, nothing.files);
        let named = |config: &CargoConfig, name: &'static str| config.wrapper(&Environment::from([(name, "v")]));
        assert_eq!([&harmless, &nothing].map(|config| named(config, "RUSTC")), ["w", ""]);
        assert_eq!(["RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER"].map(|name| named(&harmless, name)), ["v", "v"]);
    }

    #[test]
    fn only_profiles_that_the_build_has_count() {
        let config = in_folder(&[("config.toml", "[profile.mine]\ninherits = 'release'\n[profile.dev]\nlto = true\n")]);
        let of = |name: &str| Profiles::of(name, &Table::new(), &config);
        for (name, counting, others) in [
            ("mine", &["mine", "release"][..], &["dev"][..]),
            ("test", &["test", "dev"], &["mine", "release", "bench"]),
            ("bench", &["bench", "release"], &["dev"]),
            ("unknown", &["unknown", "dev", "release", "mine"], &[]),
        ] {
            counting.iter().for_each(|one| assert!(of(name).has(one), "{name}: {one}"));
            others.iter().for_each(|one| assert!(!of(name).has(one), "{name}: {one}"));
        }
        assert!(of("release").leave_out("CARGO_PROFILE_DEV_LTO") && !of("dev").leave_out("CARGO_PROFILE_DEV_LTO"));
        assert!(!of("release").leave_out("CARGO_BUILD_TARGET"));
        assert!(of("dev").0.is_some() && config.has_profile(&of("dev")) && !config.has_profile(&of("release")));
    }

    #[test]
    fn a_variable_that_is_relative_to_the_file_is_another_one_in_a_copy() {
        let text = "[env]\nW = { value = 'x', relative = true, force = true }\nV = { value = 'x' }\n";
        let (one, two) = (in_folder(&[("config.toml", text)]), in_folder(&[("config.toml", text)]));
        let value = |config: &CargoConfig, name| config.files[0]["env"][name]["value"].as_str().map(str::to_owned);
        assert_ne!(value(&one, "W"), value(&two, "W"));
        assert_eq!(value(&one, "V"), value(&two, "V"));
        assert!(one.forces("W") && !one.forces("V") && !one.forces("U"));
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
            ("CARGO_BUILD_RUSTFLAGS", false),
            ("CARGO_BUILD_JOBS", true),
            ("CARGO_TARGET_X_RUNNER", true),
            ("CARGO_TARGET_DIR", false),
            // The key has these for some builds only.
            ("RUSTFLAGS", true),
            ("CARGO_PROFILE_DEV_LTO", true),
        ] {
            assert_eq!(is_further(name), further, "{name}");
        }
    }
}
