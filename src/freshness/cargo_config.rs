//! What cargo itself would read besides the manifest: its configuration files and environment variables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::config::ancestors::{Ancestors, cargo_file, cargo_home};
use crate::config::environment::Environment;
use crate::digest::Digest;

/// The parts of cargo's configuration that change what is compiled. The others say how (network, terminal, aliases).
const TABLES: [&str; 10] =
    ["build", "env", "host", "patch", "paths", "profile", "registries", "source", "target", "unstable"];
/// What of `[build]` does not: how many compilers run, where files go, what starts rustc as it is, and what the engine
/// decides.
const HARMLESS_OF_BUILD: [&str; 9] = [
    "build-dir",
    "dep-info-basedir",
    "incremental",
    "jobs",
    "rustc-workspace-wrapper",
    "rustc-wrapper",
    "rustdoc",
    "rustdocflags",
    "target-dir",
];
/// What of the tables for a platform does not: how programs are started, and how documentation is made.
const HARMLESS_OF_TARGET: [&str; 2] = ["runner", "rustdocflags"];
/// Files include files; a circle of them ends here.
const DEEPEST: usize = 8;

/// The environment variables that change what is compiled, by prefix: those of cargo and rustc, and those that the build
/// scripts of PyO3 and the crates below it ask for, which all kernels have.
const PREFIXES: [&str; 12] = [
    "CARGO_BUILD_",
    "CARGO_ENCODED_RUSTFLAGS",
    // cargo takes these for what its configuration says in `[env]`, if it says anything of the same variables.
    "CARGO_ENV_",
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
const HARMLESS: [&str; 8] = [
    "CARGO_BUILD_DEP_INFO_BASEDIR",
    "CARGO_BUILD_INCREMENTAL",
    "CARGO_BUILD_JOBS",
    // As with `RUSTC`, another compiler builds what is edited next, and no more.
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
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
    /// The folders to which what these say may be relative.
    folders: Vec<PathBuf>,
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
        found.anchor_variables();
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
        let sources = self.files.iter().filter_map(|file| file.get("source")?.as_table()).flat_map(Table::values);
        let replacing: Vec<&str> = sources.filter_map(|source| source.get("replace-with")?.as_str()).collect();
        let mut text = String::new();
        for file in &self.files {
            let mut file = file.clone();
            if let Some(Value::Table(named)) = file.get_mut("profile") {
                named.retain(|name, _| profiles.has(name));
            }
            each_of_platform(&mut file, |table| match table.get_mut("rustflags") {
                Some(_) if flags_are_beaten => drop(table.remove("rustflags")),
                // A text says the same as the list of its words.
                Some(flags) => *flags = words(flags),
                None => {}
            });
            if let Some(Value::Table(build)) = file.get_mut("build") {
                build.remove("rustc");
            }
            if let Some(Value::Table(targets)) = file.get_mut("target") {
                targets.retain(|name, _| !is_elsewhere(name));
            }
            if let Some(Value::Table(sources)) = file.get_mut("source") {
                sources.retain(|name, source| source.get("replace-with").is_some() || replacing.contains(&name));
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
        self.is_said_of(name, "force")
    }

    /// What a file leaves out of a variable of `[env]`, weaker ones may say.
    fn is_said_of(&self, name: &str, what: &str) -> bool {
        self.files.iter().find_map(|file| file.get("env")?.get(name)?.get(what)?.as_bool()) == Some(true)
    }

    /// Writes down what the variables come to that are relative to their file: in a copy of the project it is something else.
    fn anchor_variables(&mut self) {
        let relative: Vec<String> =
            self.variables().filter(|name| self.is_said_of(name, "relative")).map(str::to_owned).collect();
        for (file, folder) in self.files.iter_mut().zip(&self.folders) {
            for name in &relative {
                if let Some(Value::String(value)) =
                    file.get_mut("env").and_then(|env| env.get_mut(name)?.get_mut("value"))
                {
                    *value = folder.join(&*value).to_string_lossy().into_owned();
                }
            }
        }
    }

    /// Does this word occur in it, as a key or in a value?
    pub fn mentions(&self, word: &str) -> bool {
        self.files.iter().any(|file| file.to_string().contains(word))
    }

    /// Do packages come from a place where somebody may have edited them under the same version?
    pub fn has_packages_of_its_own(&self) -> bool {
        let sources = self.files.iter().filter_map(|file| file.get("source")?.as_table()).flat_map(Table::values);
        let own = |source: &Value| ["directory", "git", "local-registry"].iter().any(|key| source.get(key).is_some());
        sources.into_iter().any(own)
            || self.files.iter().any(|file| ["patch", "paths"].iter().any(|key| file.contains_key(*key)))
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

    /// The rustc that is named in it: a path, or the name of a program.
    pub fn rustc(&self) -> Option<&str> {
        self.files.iter().find_map(|file| file.get("build")?.get("rustc")?.as_str())
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
        // What else there is says how one gets at a registry.
        let registries = table.get_mut("registries").and_then(Value::as_table_mut).into_iter();
        let registries = registries.flat_map(|all| all.iter_mut()).filter_map(|(_, value)| value.as_table_mut());
        registries.for_each(|registry| registry.retain(|key, _| key == "index"));
        anchor(&mut table, path);
        prune(&mut table);
        if !table.is_empty() && self.files.last() != Some(&table) {
            self.files.push(table);
            self.folders.push(folder_of(path).into());
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

/// Writes down what is relative to the file comes to: in a copy of the project it is something else.
fn anchor(file: &mut Table, path: &Path) {
    let folder = folder_of(path);
    let absolute = |value: &mut String| *value = folder.join(&*value).to_string_lossy().into_owned();
    let sources = file.get_mut("source").and_then(Value::as_table_mut).into_iter();
    for (_, source) in sources.flat_map(|sources| sources.iter_mut()) {
        for key in ["directory", "local-registry"] {
            if let Some(Value::String(value)) = source.get_mut(key) {
                absolute(value);
            }
        }
    }
    if let Some(Value::String(rustc)) = file.get_mut("build").and_then(|build| build.get_mut("rustc"))
        && rustc.contains(['/', '\\'])
    {
        absolute(rustc);
    }
}

/// What a file of cargo's speaks of is relative to the folder in which its `.cargo` is.
fn folder_of(path: &Path) -> &Path {
    path.parent().and_then(Path::parent).unwrap_or(path)
}

/// Flags as cargo takes them apart.
fn words(flags: &Value) -> Value {
    flags.as_str().map_or_else(|| flags.clone(), |flags| flags.split_whitespace().collect::<Vec<_>>().into())
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
    let encoded = |flags: &str| flags.split_whitespace().collect::<Vec<_>>().join("\u{1f}");
    let beating = environment.get("CARGO_ENCODED_RUSTFLAGS").map(str::to_owned);
    let beating = beating.or_else(|| environment.get("RUSTFLAGS").map(encoded));
    let is_beaten = |name: &str| is_for_rustflags(name) && beating.is_some();
    let mut lines: Vec<String> = environment
        .iter()
        .filter(|(name, _)| is_in_key(name) && !is_beaten(name) && !profiles.leave_out(name))
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    // Either of the two that beat the others; set but empty, all that it does is that.
    lines.extend(beating.filter(|flags| !flags.is_empty()).map(|flags| format!("CARGO_ENCODED_RUSTFLAGS={flags}\n")));
    lines.sort();
    lines.concat()
}

fn is_for_rustflags(name: &str) -> bool {
    name.ends_with("RUSTFLAGS")
}

/// Does a triple name a platform with other CPUs, whose libraries no Python here loads? The names of these two architectures
/// begin all triples of theirs.
fn is_elsewhere(triple: &str) -> bool {
    let here = std::env::consts::ARCH;
    let is_told = ["aarch64", "x86_64"].contains(&here);
    is_told && !triple.starts_with("cfg(") && !triple.to_lowercase().starts_with(here)
}

fn is_in_key(name: &str) -> bool {
    let is = |rest: &str, ends: &[&str]| ends.iter().any(|end| rest.ends_with(end));
    let of_platform =
        |rest: &str| is(rest, &HARMLESS_ENDS) || is(rest, &["_LINKER", "_RUSTFLAGS"]) && is_elsewhere(rest);
    let is_harmless =
        OURS.contains(&name) || HARMLESS.contains(&name) || name.strip_prefix("CARGO_TARGET_").is_some_and(of_platform);
    // What else is said of a registry is how one gets at it.
    let is_index = name.starts_with("CARGO_REGISTRIES_") && name.ends_with("_INDEX");
    is_index || PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !is_harmless
}

/// Is it a variable of the user's that is an input as soon as something asks for it by name? What the key leaves out for
/// some builds is among them.
pub fn is_further(name: &str) -> bool {
    let is_cargos = |known: &&str| name == *known || known.ends_with('_') && name.starts_with(known);
    let is_always_in_key = is_in_key(name) && !is_for_rustflags(name) && !name.starts_with("CARGO_PROFILE_");
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
        let named = |config: &CargoConfig, name: &str| config.wrapper(&Environment::from([(name, "v")]));
        assert_eq!([&harmless, &nothing].map(|config| named(config, "RUSTC")), ["w", ""]);
        assert_eq!(["RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER"].map(|name| named(&harmless, name)), ["v", "v"]);
    }

    #[test]
    fn variables_in_the_place_of_configuration_count() {
        let counts = |name: &&&str| !relevant(&Environment::from([(**name, "v")]), &Profiles::default()).is_empty();
        // Below a folder in which everybody may write cargo takes its files from the command line, which beats the first.
        let names =
            ["CARGO_ENV_A", "CARGO_REGISTRIES_X_INDEX", "CARGO_REGISTRIES_X_TOKEN", "CARGO_NET_RETRY", "CARGO_HOME"];
        assert_eq!(names.iter().filter(counts).collect::<Vec<_>>(), [&names[0], &names[1]]);
    }

    #[test]
    fn what_a_file_leaves_out_of_a_variable_weaker_ones_say() {
        let named = "include = ['more.toml']\n[env]\nA = { value = 'a' }\n";
        let of = |more| in_folder(&[("config.toml", named), ("more.toml", more)]);
        assert!(of("[env]\nA = { value = 'b', force = true }\n").forces("A"));
        assert!(!of("[env]\nA = { value = 'b' }\nB = { value = 'b', force = true }\n").forces("A"));
        let value = |config: &CargoConfig| config.files[0]["env"]["A"]["value"].as_str().unwrap().to_owned();
        assert_eq!(value(&of("")), "a");
        let anchored = value(&of("[env]\nA = { relative = true }\n"));
        assert!(Path::new(&anchored).is_absolute() && anchored.ends_with("a"), "{anchored}");
    }

    #[test]
    fn what_says_the_same_or_is_for_others_does_not_count() {
        let digest = |text: &str| in_folder(&[("config.toml", text)]).digest(&Profiles::default(), false);
        let listed = "[build]\nrustflags = ['--cfg', 'x']\n";
        assert_eq!(digest("[build]\nrustflags = ' --cfg  x'\nincremental = true\n"), digest(listed));
        assert_ne!(digest("[build]\nrustflags = '--cfg y'\n"), digest(listed));
        let replaced = "[source.crates-io]\nreplace-with = 'v'\n[source.v]\nregistry = 'https://v.org'\n";
        for (text, counts) in [
            ("[target.riscv64gc-unknown-linux-gnu]\nlinker = 'x'\n", false),
            ("[target.'cfg(unix)']\nlinker = 'x'\n", true),
            ("[build]\nrustc = 'other'\n", false),
            ("[source.v]\nregistry = 'https://v.org'\n", false),
            (replaced, true),
            ("[registries.r]\ntoken = 'x'\n", false),
            ("[registries.r]\nindex = 'https://r.org'\n", true),
        ] {
            assert_eq!(digest(text) != digest(""), counts, "{text}");
        }
        let own = |text: &str| in_folder(&[("config.toml", text)]).has_packages_of_its_own();
        let vendored = "[source.crates-io]\nreplace-with = 'v'\n[source.v]\ndirectory = 'v'\n";
        assert_eq!([replaced, vendored, "paths = ['x']\n", "[build]\njobs = 1\n"].map(own), [false, true, true, false]);
        assert_eq!(digest(&format!("{replaced}[source.w]\nregistry = 'https://w.org'\n")), digest(replaced));
        let vendored = "[source.crates-io]\nreplace-with = 'v'\n[source.v]\ndirectory = 'vendor'\n";
        assert_ne!(digest(vendored), digest(vendored), "in a copy it is another folder");
    }

    #[test]
    fn flags_in_the_stronger_variable_are_all_that_counts() {
        fn of<const N: usize>(pairs: [(&str, &str); N]) -> String {
            relevant(&Environment::from(pairs), &Profiles::default())
        }
        let (weak, strong) = (("RUSTFLAGS", "--cfg  x"), ("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}x"));
        assert_eq!(of([weak]), of([strong]));
        assert_eq!(of([("RUSTFLAGS", "-g"), strong, ("CARGO_BUILD_RUSTFLAGS", "-O")]), of([strong]));
        assert_eq!(of([("RUSTFLAGS", " "), ("CARGO_BUILD_RUSTFLAGS", "-O")]), of([]));
        assert_ne!(of([("CARGO_BUILD_RUSTFLAGS", "-O")]), of([]));
        assert_eq!(of([("CARGO_TARGET_RISCV64GC_UNKNOWN_LINUX_GNU_LINKER", "x")]), of([]));
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
            ("CARGO_BUILD_TARGET", false),
            ("CARGO_BUILD_JOBS", true),
            ("CARGO_TARGET_X_RUNNER", true),
            ("CARGO_TARGET_DIR", false),
            // The key has these for some builds only.
            ("RUSTFLAGS", true),
            ("CARGO_BUILD_RUSTFLAGS", true),
            ("CARGO_PROFILE_DEV_LTO", true),
        ] {
            assert_eq!(is_further(name), further, "{name}");
        }
    }
}
