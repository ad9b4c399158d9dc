//! Whether the engine expands PyO3's macros in a build, and what cargo is told then.
//!
//! Where everything is as this release knows it, a crate without dependencies stands in the place of `pyo3-macros`, and what
//! PyO3's build scripts would find out is told to cargo, so that they are not compiled. Everywhere else cargo gets what it
//! always got.

use std::path::Path;

use semver::{Version, VersionReq};
use toml::{Table, Value};

use crate::config::abi::Python;
use crate::config::environment::variables;
use crate::config::layers::Config;
use crate::expander::stand_in;
use crate::freshness::cargo_config::{CargoConfig, Profiles};
use crate::kernel::crates::PYO3;
use crate::kernel::source::Source;
use crate::rustc::toolchain::Identity;

/// The folder of the stand-in in a generated package.
pub const FOLDER: &str = "rsimport-macros";
/// Features of PyO3 that change what its macros make or what its build scripts say, by what their names begin with.
const OTHER: [&str; 3] = ["abi3", "experimental-", "nightly"];
/// The versions of CPython that PyO3's build scripts take without a word, by the number behind `3.`.
const PYTHONS: std::ops::RangeInclusive<u32> = 9..=15;
/// Variables for PyO3's build scripts that change nothing here.
const HARMLESS: [&str; 4] = ["PYO3_BUILD_EXTENSION_MODULE", "PYO3_CARGO_FILE", "PYO3_CONFIG_FILE", "PYO3_PYTHON"];

/// In fewer units than cargo's sixteen PyO3 is less work, which is less time where few can be compiled at once.
const FEW_UNITS: &str = "profile.release.package.pyo3.codegen-units=2";

/// How the stand-in is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Macros {
    /// What cargo is told besides where the stand-in is.
    configs: Vec<String>,
}

impl Macros {
    /// The stand-in, if everything about this build is known.
    pub fn of(
        source: &Source,
        config: &Config,
        cargo: &CargoConfig,
        python: &Python,
        rustc: &Identity,
    ) -> Option<Macros> {
        let (table, settings) = (&config.manifest.table, &config.settings);
        let known = cfg!(target_os = "linux") && settings.fast_macros && source.manifest.is_none();
        // A folder that `cargo vendor` has made may hold an edited PyO3.
        let theirs = cargo.has_packages_of_its_own() || cargo.mentions("pyo3");
        let features = settings.features.iter().any(|feature| is_other(feature));
        let variable =
            |name: &str| name == "CARGO_BUILD_TARGET" || name.starts_with("PYO3_") && !HARMLESS.contains(&name);
        let told = variables().iter().any(|(name, _)| name.to_str().is_some_and(variable));
        let minor = rustc.minor().filter(|minor| *minor >= 85)?;
        if !known || theirs || features || told || cargo.target().is_some() || !is_known(table) {
            return None;
        }
        let mut configs = scripts(python, rustc.host(), minor).unwrap_or_default();
        // Whoever says anything about a profile may mean PyO3 as well.
        let in_profile = |name: &str| name.starts_with("CARGO_PROFILE_");
        let in_variable = variables().iter().any(|(name, _)| name.to_str().is_some_and(in_profile));
        let profiles = Profiles::of(&config.profile.of_cargo, table, cargo);
        let is_told = in_variable || cargo.has_profile(&profiles) || table.contains_key("profile");
        let online = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
        if !is_told && are_few(&online) {
            configs.push(FEW_UNITS.to_owned());
        }
        Some(Macros { configs })
    }

    /// Names it for those who share what was compiled with it.
    pub fn name(&self) -> String {
        format!("{} {:?}", stand_in::version(), self.configs)
    }

    /// What cargo is told, as `--config` takes it.
    pub fn configs(&self, package: &Path) -> impl Iterator<Item = String> + use<> {
        let folder = Value::from(package.join(FOLDER).to_string_lossy().into_owned());
        [format!("patch.crates-io.pyo3-macros.path={folder}")].into_iter().chain(self.configs.clone())
    }

    /// Has a manifest ask for the PyO3 to which the stand-in belongs.
    pub fn pin(dependencies: &mut Table) {
        let exactly = Value::from(format!("={PYO3}"));
        match dependencies.get_mut("pyo3") {
            Some(Value::Table(spec)) => drop(spec.insert("version".to_owned(), exactly)),
            _ => drop(dependencies.insert("pyo3".to_owned(), exactly)),
        }
    }
}

/// Are these no more than two processors? How many of a machine's a process may use does not matter: all processes on it
/// are to share what is compiled.
fn are_few(online: &str) -> bool {
    matches!(online.trim(), "0" | "0-1")
}

fn is_other(feature: &str) -> bool {
    let feature = feature.rsplit('/').next().unwrap_or(feature);
    OTHER.iter().any(|other| feature.starts_with(other))
}

/// Does a manifest ask for the PyO3 that is known, with nothing that makes its macros others?
fn is_known(table: &Table) -> bool {
    let part = |name: &str| table.get(name).and_then(Value::as_table);
    if ["patch", "replace"].iter().any(|name| table.contains_key(*name)) {
        return false;
    }
    // Wherever else PyO3 is named, it may be another one.
    let elsewhere = part("target").is_some_and(|target| target.to_string().contains("pyo3"))
        || part("features").is_some_and(|features| features.to_string().contains("pyo3"))
        || part("build-dependencies").is_some_and(|table| table.contains_key("pyo3"));
    let dependencies = part("dependencies").cloned().unwrap_or_default();
    let renamed = dependencies
        .values()
        .any(|spec| spec.get("package").and_then(Value::as_str).is_some_and(|package| package.starts_with("pyo3")));
    let fits = |version: &str| {
        let version = VersionReq::parse(version).ok();
        version.zip(Version::parse(PYO3).ok()).is_some_and(|(wanted, ours)| wanted.matches(&ours))
    };
    let pyo3 = match dependencies.get("pyo3") {
        None => true,
        Some(Value::String(version)) => fits(version),
        Some(Value::Table(spec)) => spec.iter().all(|(key, value)| match (key.as_str(), value) {
            ("version", Value::String(version)) => fits(version),
            ("features", Value::Array(features)) => {
                features.iter().all(|feature| feature.as_str().is_some_and(|feature| !is_other(feature)))
            }
            _ => false,
        }),
        Some(_) => false,
    };
    !elsewhere && !renamed && pyo3
}

/// What PyO3's build scripts would print for an ordinary CPython; nothing where they have to be asked.
fn scripts(python: &Python, host: &str, minor: u32) -> Option<Vec<String>> {
    let version: u32 = python.version.strip_prefix("3.")?.parse().ok()?;
    if python.implementation != "CPython" || !python.build_flags.is_empty() || !PYTHONS.contains(&version) {
        return None;
    }
    let mut cfgs: Vec<String> = (*PYTHONS.start()..=version).map(|minor| format!("Py_3_{minor}")).collect();
    let since = [(86, "from_bytes_with_nul_error"), (95, "cfg_select")];
    cfgs.extend(since.iter().filter(|(first, _)| minor >= *first).map(|(_, name)| (*name).to_owned()));
    // Build scripts of crates that use PyO3 ask for what was configured.
    let said = python.pyo3_config().bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut configs = Vec::new();
    for (links, further) in [("python", None), ("pyo3-python", Some("wip_feature_std".to_owned()))] {
        let cfgs: Vec<String> = cfgs.iter().cloned().chain(further).collect();
        configs.push(format!("target.{host}.{links}.rustc-cfg={}", Value::from(cfgs)));
        configs.push(format!("target.{host}.{links}.pyo3_config={}", Value::from(said.clone())));
    }
    Some(configs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pyo3_that_is_known_has_a_stand_in() {
        for (block, known) in [
            ("", true),
            ("[dependencies]\nnumpy = '0.30'", true),
            ("[dependencies]\npyo3 = '0.30'", true),
            ("[dependencies]\npyo3 = { version = '0.30.1', features = ['hashbrown', 'num-complex'] }", true),
            ("[dependencies]\npyo3 = { features = ['multiple-pymethods'] }", true),
            ("[dependencies]\npyo3 = '0.29'", false),
            ("[dependencies]\npyo3 = '=0.30.0'", false),
            ("[dependencies]\npyo3 = { version = '0.30', features = ['abi3-py310'] }", false),
            ("[dependencies]\npyo3 = { version = '0.30', features = ['experimental-async'] }", false),
            ("[dependencies]\npyo3 = { version = '0.30', default-features = false }", false),
            ("[dependencies]\npyo3 = { path = '/p' }", false),
            ("[dependencies]\np = { package = 'pyo3', version = '0.30' }", false),
            ("[patch.crates-io]\nx = { path = '/x' }", false),
            ("[features]\nslim = ['pyo3/abi3']", false),
            ("[target.'cfg(unix)'.dependencies]\npyo3 = '0.30'", false),
        ] {
            assert_eq!(is_known(&block.parse().unwrap()), known, "{block}");
        }
    }

    #[test]
    fn only_a_small_machine_has_few_processors() {
        for (online, few) in [("0\n", true), ("0-1\n", true), ("0-15\n", false), ("0,2-5\n", false), ("", false)] {
            assert_eq!(are_few(online), few, "{online}");
        }
    }

    #[test]
    fn only_an_ordinary_python_is_known_without_build_scripts() {
        let python = |version: &str, flags: &str| Python {
            implementation: "CPython".into(),
            version: version.into(),
            shared: true,
            lib_name: None,
            lib_dir: None,
            pointer_width: 64,
            build_flags: flags.into(),
            python_framework_prefix: None,
        };
        let told = scripts(&python("3.10", ""), "x", 86).unwrap();
        assert_eq!(told[0], "target.x.python.rustc-cfg=[\"Py_3_9\", \"Py_3_10\", \"from_bytes_with_nul_error\"]");
        assert!(told[2].starts_with("target.x.pyo3-python.rustc-cfg=") && told[2].contains("wip_feature_std"));
        for (version, flags) in [("3.14", "Py_GIL_DISABLED"), ("3.12", "Py_DEBUG"), ("3.17", "")] {
            assert_eq!(scripts(&python(version, flags), "x", 86), None);
        }
    }
}
