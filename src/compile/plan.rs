//! The plan of a build: pure data, from which cargo's manifest, arguments and environment are made.

use std::path::Path;

use serde::Serialize;
use toml::{Table, Value};

use crate::compile::macros::Macros;
use crate::config::abi::{Platform, Python};
use crate::config::environment::{Environment, variable};
use crate::config::layers::Config;
use crate::config::settings::Settings;
use crate::digest::Digest;
use crate::freshness::cargo_config::{CargoConfig, Profiles, relevant, rustflags_key};
use crate::freshness::machine::glibc;
use crate::kernel::crates::PYO3;
use crate::kernel::manifest::has_origin;
use crate::kernel::source::Source;
use crate::paths::followed;
use crate::rustc::toolchain::Identity;

/// The name of a generated package that its manifest gives none; the library in it has the kernel's name.
const PACKAGE: &str = "rsimport-kernel";
/// Names that cargo or rustc keep for themselves.
const RESERVED: [&str; 8] = ["alloc", "build", "core", "deps", "incremental", "proc_macro", "std", "test"];

/// How a mark begins; see [`Plan::anew`].
pub const MARK: &str = "rsimport_mark_";

/// What is to be built, and with what.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The crate's name, as rustc gets it.
    pub crate_name: String,
    /// The generated manifest without its library path; `None` for a crate, which has its own.
    manifest: Option<Manifest>,
    /// Arguments for cargo, before `--`.
    pub arguments: Vec<String>,
    /// Flags for the rustc that compiles the kernel itself.
    pub link_flags: &'static [&'static str],
    /// Environment for cargo and all that it starts.
    pub environment: Vec<(&'static str, String)>,
    /// How PyO3's macros are expanded by the engine, where they are.
    pub macros: Option<Macros>,
    /// Cargo's profile.
    pub profile: String,
    /// Names the compiled dependencies: kernels with the same value share a target folder.
    pub dependency_set: String,
    /// Names the recorded compiler call: kernels with the same value differ in nothing but their own code.
    pub recipe: String,
}

/// A manifest as cargo reads it; what it holds is serialised, never pasted together.
#[derive(Debug, Clone, Serialize)]
struct Manifest {
    package: Table,
    lib: Lib,
    // An empty table makes the package a workspace of its own, wherever the cache lies.
    workspace: Table,
    #[serde(flatten)]
    user: Table,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Lib {
    name: String,
    path: String,
    crate_type: [&'static str; 1],
}

impl Plan {
    /// Plans the build of a kernel.
    #[allow(clippy::too_many_arguments)]
    pub fn of(
        source: &Source,
        config: &Config,
        cargo: &CargoConfig,
        cpu: &str,
        python: &Python,
        rustc: &Identity,
        macros: Option<Macros>,
    ) -> Plan {
        let settings = &config.settings;
        let crate_name = match &source.manifest {
            Some(manifest) => library_name(&manifest.text),
            None => crate_name(&source.module),
        };
        let mut manifest = source.manifest.is_none().then(|| Manifest::of(source, config, &crate_name));
        if macros.is_some()
            && let Some(Value::Table(dependencies)) =
                manifest.as_mut().and_then(|manifest| manifest.user.get_mut("dependencies"))
        {
            Macros::pin(dependencies);
        }
        let (mut environment, mut arguments) = flags(settings, cargo, rustc.host());
        let rustflags = format!("{environment:?}{arguments:?}");
        environment.extend([
            ("PYO3_BUILD_EXTENSION_MODULE", "1".to_owned()),
            // Incremental compilation is asked for where it pays, so cargo's own choice (none under CI) must not decide.
            ("CARGO_INCREMENTAL", "0".to_owned()),
        ]);
        // As variables they would be seen by `option_env!`, and by build scripts.
        for config in ["term.color='never'", "term.progress.when='always'", "term.progress.width=120"] {
            arguments.extend(["--config".to_owned(), config.to_owned()]);
        }
        arguments.extend(
            ["--lib", "--crate-type=cdylib", "--message-format=json-diagnostic-rendered-ansi"].map(str::to_owned),
        );
        arguments.push(format!("--profile={}", config.profile.of_cargo));
        if !settings.features.is_empty() {
            arguments.push(format!("--features={}", settings.features.join(",")));
        }
        let flags = format!("{environment:?}{arguments:?}");
        // These say how cargo may get at the dependencies, not what is compiled.
        if settings.offline {
            arguments.push("--offline".to_owned());
        }
        // A single file has no Cargo.lock of its own that could be out of date.
        if settings.locked && source.manifest.is_some() {
            arguments.push("--locked".to_owned());
        }
        // Nothing is shared between builds with different flags, so they need not wait for each other either.
        // Build scripts and procedural macros run on the machine that compiled them, with its C library.
        let (config_of_pyo3, glibc) = (python.pyo3_config(), format!("{:?}", glibc()));
        let name = macros.as_ref().map(Macros::name);
        let mut parts = vec![rustc.version.as_str(), &config_of_pyo3, &rustflags, cpu, &glibc];
        parts.extend(name.as_deref());
        let dependency_set = digest_of(&parts);
        let own = match &manifest {
            Some(manifest) => manifest.text("", "kernel"),
            None => format!("{} {}", source.base.display(), source.module),
        };
        // The environment beats `[env]`, and the recorded call has what cargo made of both.
        let named = cargo.variables().chain(["RUSTC", "CARGO_BUILD_RUSTC"]);
        let shadowed = named.map(|name| format!("{:?}", variable(name))).collect::<String>();
        let shadowed = shadowed + cargo.rustc().unwrap_or_default();
        let (all, environment_now) = (Profiles::default(), Environment::now());
        let (wrapper, configured) = (cargo.wrapper(&environment_now), cargo.digest(&all, false));
        let environment_now = relevant(&environment_now, &all);
        let parts = [&dependency_set, &flags, &own, &configured, &environment_now, &shadowed, &wrapper];
        let recipe = digest_of(&parts.map(String::as_str));
        Plan {
            crate_name,
            manifest,
            arguments,
            link_flags: Platform::HERE.link_flags(),
            environment,
            macros,
            profile: config.profile.of_cargo.clone(),
            dependency_set: dependency_set[..16].to_owned(),
            recipe,
        }
    }

    /// The arguments that every subcommand takes which compiles: without those that say what is compiled, and how.
    pub fn common(&self) -> impl Iterator<Item = &String> {
        let own = ["--lib", "--crate-type=", "--message-format=", "--profile="];
        self.arguments.iter().filter(move |argument| !own.iter().any(|prefix| argument.starts_with(prefix)))
    }

    /// The same plan, with which cargo takes the kernel for changed, whatever the dates of its files are: levels of lints
    /// decide whether it is checked again, and of one that is rustdoc's and not known the compiler says nothing.
    pub fn anew(mut self, mark: &str) -> Plan {
        if let Some(manifest) = &mut self.manifest {
            let lints = manifest.user.entry("lints").or_insert_with(|| Table::new().into());
            let lints = lints.as_table_mut().map(|lints| lints.entry("rustdoc").or_insert_with(|| Table::new().into()));
            if let Some(Value::Table(lints)) = lints {
                lints.insert(format!("{MARK}{mark}"), "allow".into());
            }
        }
        self
    }

    /// Names what is remembered of the packages in the dependency set, of which each profile has a library of its own.
    pub fn sources(&self) -> String {
        format!("{}-{}", self.dependency_set, self.profile)
    }

    /// The text of the generated `Cargo.toml` for a library at this path; `None` for a crate.
    pub fn manifest_text(&self, library: &Path) -> Option<String> {
        Some(self.manifest.as_ref()?.text(&library.to_string_lossy(), &self.crate_name))
    }
}

impl Manifest {
    fn of(source: &Source, config: &Config, crate_name: &str) -> Manifest {
        let mut user = config.manifest.table.clone();
        let mut package = match user.remove("package") {
            Some(Value::Table(package)) => package,
            _ => Table::new(),
        };
        package.entry("name").or_insert_with(|| PACKAGE.into());
        package.entry("version").or_insert_with(|| "0.0.0".into());
        package.entry("edition").or_insert_with(|| config.manifest.edition_or_usual().into());
        for part in ["dependencies", "patch", "target"] {
            if let Some(Value::Table(table)) = user.get_mut(part) {
                absolute_paths(table, &source.base);
            }
        }
        let dependencies = user.entry("dependencies").or_insert_with(|| Table::new().into());
        let mut ours = false;
        if let Value::Table(dependencies) = dependencies {
            let renamed = |spec: &Value| spec.get("package").and_then(Value::as_str) == Some("pyo3");
            // Who only asks for features means the PyO3 that kernels have.
            if let Some(Value::Table(spec)) = dependencies.get_mut("pyo3")
                && !has_origin(&Value::Table(spec.clone()))
            {
                spec.insert("version".into(), PYO3.into());
                ours = true;
            }
            if !dependencies.contains_key("pyo3") && !dependencies.values().any(renamed) {
                dependencies.insert("pyo3".into(), PYO3.into());
                ours = true;
            }
        }
        if ours && !user.contains_key("patch") {
            user.entry("build-dependencies").or_insert_with(|| as_numpy_has_it().into());
        }
        let lib = Lib { name: crate_name.to_owned(), path: String::new(), crate_type: ["cdylib"] };
        Manifest { package, lib, workspace: Table::new(), user }
    }

    fn text(&self, library: &str, crate_name: &str) -> String {
        let mut manifest = self.clone();
        manifest.lib.path = library.to_owned();
        manifest.lib.name = crate_name.to_owned();
        toml::to_string(&manifest).expect("a manifest that was parsed from TOML can be written as TOML")
    }
}

/// What the build script of rust-numpy asks PyO3's own build scripts to be compiled with. A kernel without NumPy has no
/// build script that would use it, but shares PyO3 with those that have NumPy, so that nobody waits for a second PyO3.
fn as_numpy_has_it() -> Table {
    let mut spec = Table::new();
    spec.insert("version".into(), PYO3.into());
    spec.insert("features".into(), vec!["resolve-config"].into());
    Table::from_iter([("pyo3-build-config".to_owned(), Value::Table(spec))])
}

/// Relative paths of dependencies start from the kernel's folder, but the manifest lies in the cache.
fn absolute_paths(table: &mut Table, base: &Path) {
    for (key, value) in table.iter_mut() {
        match value {
            Value::String(path) if key == "path" => *path = followed(&base.join(&*path)).to_string_lossy().into_owned(),
            Value::Table(inner) => absolute_paths(inner, base),
            _ => {}
        }
    }
}

fn digest_of(parts: &[&str]) -> String {
    parts.iter().fold(Digest::default(), |digest, part| digest.with(part.as_bytes())).hex()
}

/// The flags for every rustc of the build, as cargo takes them without losing those that the user has set elsewhere.
/// Cargo reads one of four places only: a variable, even an empty one; else all keys for the platform that apply; else
/// `build.rustflags`. Ours are added in every place where there are flags already, so that they hold whichever it reads.
fn flags(settings: &Settings, cargo: &CargoConfig, host: &str) -> (Vec<(&'static str, String)>, Vec<String>) {
    let mut own = settings.rustflags.clone();
    if settings.target_cpu != "generic" {
        own.insert(0, format!("-Ctarget-cpu={}", settings.target_cpu));
    }
    let set = |name: &str| Some(variable(name)?.to_string_lossy().into_owned());
    let words = |flags: String| flags.split_whitespace().collect::<Vec<_>>().join("\x1f");
    if let Some(theirs) = set("CARGO_ENCODED_RUSTFLAGS").or_else(|| set("RUSTFLAGS").map(words)) {
        own.extend(Some(theirs).filter(|theirs| !theirs.is_empty()));
        return (vec![("CARGO_ENCODED_RUSTFLAGS", own.join("\x1f"))], Vec::new());
    }
    if own.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let mut places = cargo.rustflags();
    let nothing = || Value::Array(Vec::new());
    places.entry("build.rustflags".to_owned()).or_insert_with(nothing);
    let target = set("CARGO_BUILD_TARGET").or_else(|| cargo.target().map(str::to_owned));
    let target = target.as_deref().unwrap_or(host);
    if set(&format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace(['-', '.'], "_"))).is_some() {
        places.entry(rustflags_key(target)).or_insert_with(nothing);
    }
    let joined = |theirs: Value| match theirs {
        // Lists are put together by cargo; a text would be replaced by a text and clash with a list.
        Value::String(theirs) => Value::from(format!("{theirs} {}", own.join(" "))),
        _ => Value::from(own.clone()),
    };
    let arguments = places.into_iter().map(|(key, theirs)| format!("{key}={}", joined(theirs)));
    (Vec::new(), arguments.flat_map(|argument| ["--config".to_owned(), argument]).collect())
}

/// What a crate's manifest calls its library.
fn library_name(manifest: &str) -> String {
    let table: Table = manifest.parse().unwrap_or_default();
    let name = |part: &str| table.get(part)?.get("name")?.as_str().map(|name| name.replace('-', "_"));
    name("lib").or_else(|| name("package")).unwrap_or_default()
}

/// The module's name where rustc takes it as a crate's name.
pub(crate) fn crate_name(module: &str) -> String {
    let keyword = syn::parse_str::<syn::Ident>(module).is_err();
    if keyword || RESERVED.contains(&module) || module.starts_with('_') {
        format!("kernel_{}", module.trim_start_matches('_'))
    } else {
        module.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ancestors::Ancestors;
    use crate::config::layers::Overrides;

    fn manifest(block: &str) -> String {
        let text =
            block.lines().fold("//! ```cargo\n".to_owned(), |text, line| format!("{text}//! {line}\n")) + "//! ```\n";
        let source = Source { path: "/k/a.rs".into(), base: "/k".into(), module: "a".into(), text, manifest: None };
        let config = Config::of(&source, &Overrides::new(), &Environment::default(), &Ancestors::default()).unwrap();
        Manifest::of(&source, &config, "a").text("/k/a.rs", "a")
    }

    #[test]
    fn the_manifest_has_pyo3_once_and_absolute_paths() {
        let check = |block: &str, part: &str| {
            let text = manifest(block);
            assert!(text.contains(part), "{part}\n{text}");
            assert_eq!(text.matches("pyo3").count() - text.matches("pyo3-build-config").count(), 1, "{text}");
            text.parse::<Table>().unwrap();
        };
        check("", &format!("pyo3 = \"{PYO3}\""));
        check("[dependencies]\npyo3 = \"0.26\"", "pyo3 = \"0.26\"");
        check("[dependencies]\np = { package = \"pyo3\", version = \"0.26\" }", "0.26");
        check("[dependencies]\npyo3 = { features = [\"hashbrown\"] }", &format!("version = \"{PYO3}\""));
        check("[dependencies]\npyo3 = \"0.22\"", "edition = \"2021\"");
        check("[package]\nedition = \"2021\"", "edition = \"2021\"");
        check("[profile.release]\npanic = \"unwind\"", "[profile.release]");
        check("", "[build-dependencies.pyo3-build-config]");
        assert!(!manifest("[dependencies]\npyo3 = \"0.26\"").contains("build-dependencies"));
    }

    #[test]
    fn a_mark_is_a_level_of_a_lint_beside_those_that_the_kernel_sets() {
        let text = "//! ```cargo\n//! [lints.rustdoc]\n//! all = 'warn'\n//! ```\n".to_owned();
        let source = Source { path: "/k/a.rs".into(), base: "/k".into(), module: "a".into(), text, manifest: None };
        let config = Config::of(&source, &Overrides::new(), &Environment::default(), &Ancestors::default()).unwrap();
        let of_rustc =
            ["--config", "build.rustflags=[]", "--lib", "--crate-type=cdylib", "--profile=release", "--offline"];
        let plan = Plan {
            crate_name: "a".into(),
            manifest: Some(Manifest::of(&source, &config, "a")),
            arguments: of_rustc.map(str::to_owned).into(),
            link_flags: &[],
            macros: None,
            environment: Vec::new(),
            profile: "release".into(),
            dependency_set: String::new(),
            recipe: String::new(),
        };
        let text = plan.clone().anew("1f").manifest_text(Path::new("/k/a.rs")).unwrap();
        let lints = text.parse::<Table>().unwrap()["lints"]["rustdoc"].clone();
        assert_eq!(lints, Value::Table("all = 'warn'\nrsimport_mark_1f = 'allow'".parse().unwrap()));
        assert_eq!(plan.common().collect::<Vec<_>>(), ["--config", "build.rustflags=[]", "--offline"]);
    }

    #[test]
    fn a_path_starts_from_the_kernels_folder() {
        let mut table: Table = "d = { path = '../d' }\n[e]\npath = '/e'".parse().unwrap();
        absolute_paths(&mut table, Path::new("/k"));
        assert_eq!(table, "d = { path = '/d' }\n[e]\npath = '/e'".parse().unwrap());
    }

    #[test]
    fn a_crates_library_has_the_name_that_cargo_gives_it() {
        assert_eq!(library_name("[package]\nname = 'my-crate'"), "my_crate");
        assert_eq!(library_name("[package]\nname = 'my-crate'\n[lib]\nname = 'x'"), "x");
    }

    #[test]
    fn a_crate_name_is_one_that_rustc_takes() {
        for (module, name) in
            [("a", "a"), ("fn", "kernel_fn"), ("test", "kernel_test"), ("_x", "kernel_x"), ("match", "kernel_match")]
        {
            assert_eq!(crate_name(module), name);
        }
    }
}
