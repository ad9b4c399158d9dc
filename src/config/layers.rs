//! The effective settings of a kernel: pyproject.toml, then the kernel's own block, then the environment, then the call.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::amounts;
use crate::config::ancestors::Ancestors;
use crate::config::environment::Environment;
use crate::config::profile::Profile;
use crate::config::settings::{Setting, Settings, ValueKind, table};
use crate::error::{Error, Result};
use crate::kernel::manifest::Manifest;
use crate::kernel::source::{Source, metadata_of};
use crate::paths::{followed, quoted};
use crate::similar::similar;

/// The values that a call gives, by name.
pub type Overrides = Vec<(String, toml::Value)>;

/// Everything that was configured for one kernel.
#[derive(Debug, Clone)]
pub struct Config {
    /// The effective settings.
    pub settings: Settings,
    /// The kernel's manifest block; empty for a crate, which has a manifest of its own.
    pub manifest: Manifest,
    /// How the profile is had from cargo.
    pub profile: Profile,
}

/// The values of the setting `tier`.
const TIERS: [&str; 3] = ["auto", "fast", "optimized"];

/// Where a value was written, for messages.
enum Origin<'a> {
    File(&'a Path, Option<usize>),
    Variable(&'a str),
    Call,
}

impl Config {
    /// Reads all layers for a kernel.
    pub fn of(source: &Source, given: &Overrides, environment: &Environment, ancestors: &Ancestors) -> Result<Config> {
        let manifest = match source.manifest {
            None => Manifest::of_kernel(&source.path, &source.text)?,
            Some(_) => Manifest::default(),
        };
        let mut own = manifest.settings.clone();
        let mut own_file = source.path.as_path();
        if let Some(crate_manifest) = &source.manifest {
            own_file = &crate_manifest.path;
            let lines = Lines(&crate_manifest.text);
            own = metadata_of(&crate_manifest.text)
                .unwrap_or_default()
                .into_iter()
                .map(|(key, value)| (key.clone(), value, lines.of_key("package.metadata.rsimport", &key)))
                .collect();
        }
        let mut settings = Settings::default();
        let overridden = Overridden { environment, given };
        apply_project(&mut settings, &ancestors.projects, &overridden)?;
        for (key, value, line) in own {
            let origin = Origin::File(own_file, Some(line));
            let setting = declared(&key, &origin)?;
            if !setting.in_kernel {
                return Err(Error::config(format!("{origin}: `{key}` cannot be set by a kernel"))
                    .hint(format!("set it in pyproject.toml under [tool.rsimport], or as {}", setting.variable))
                    .kernel(&source.path));
            }
            settings.set(&key, checked(setting, value, &origin)?);
        }
        apply_environment_and_call(&mut settings, environment, given)?;
        let profile = Profile::of(&settings, source, &manifest);
        Ok(Config { settings, manifest, profile })
    }

    /// The settings that hold in a folder, without any kernel.
    pub fn of_folder(folder: &Path, given: &Overrides) -> Result<Settings> {
        let mut settings = Settings::default();
        let environment = Environment::now();
        let overridden = Overridden { environment: &environment, given };
        apply_project(&mut settings, &Ancestors::of(folder, None).projects, &overridden)?;
        apply_environment_and_call(&mut settings, &environment, given)?;
        Ok(settings)
    }
}

/// What beats a project's file.
struct Overridden<'a> {
    environment: &'a Environment,
    given: &'a Overrides,
}

impl Overridden<'_> {
    fn has(&self, setting: &Setting) -> bool {
        self.environment.get(&setting.variable).is_some_and(|text| !text.is_empty())
            || self.given.iter().any(|(key, _)| key == setting.name)
    }
}

fn apply_project(settings: &mut Settings, projects: &[PathBuf], overridden: &Overridden<'_>) -> Result<()> {
    let Some((path, text, table)) = nearest_project(projects)? else { return Ok(()) };
    let lines = Lines(&text);
    for (key, value) in table {
        let origin = Origin::File(path, Some(lines.of_key("tool.rsimport", &key)));
        let setting = declared(&key, &origin)?;
        let value = checked(setting, value, &origin)?;
        // A folder in a file is relative to that file, not to wherever Python happens to run.
        let value = match (setting.kind, value.as_str()) {
            (ValueKind::Paths, _) => {
                let what = format!("{origin}: `{}` is for the user to choose", setting.name);
                return Err(Error::config(what).hint(format!("export {}=/a/folder", setting.variable)));
            }
            (ValueKind::Path, Some(_)) if overridden.has(setting) => continue,
            (ValueKind::Path, Some(text)) if !text.is_empty() => {
                inside(path, text, setting, &origin)?.to_string_lossy().into_owned().into()
            }
            _ => value,
        };
        settings.set(&key, value);
    }
    Ok(())
}

/// A folder that a project has for itself. Whoever clones a project has not chosen what stands in its files, and a folder of
/// theirs is not to become its cache.
fn inside(project: &Path, text: &str, setting: &Setting, origin: &Origin<'_>) -> Result<PathBuf> {
    let folder = project.with_file_name("");
    let place = followed(&folder.join(text));
    let real = |path: &Path| path.ancestors().find_map(|path| std::fs::canonicalize(path).ok());
    let is_inside = place.starts_with(&folder) && place != followed(&folder);
    if is_inside && real(&place).zip(real(&folder)).is_some_and(|(place, folder)| place.starts_with(folder)) {
        return Ok(place);
    }
    // One in use would be refused next.
    let used = place.is_dir() && !place.join("CACHEDIR.TAG").is_file();
    let place = quoted(&if used { place.join("rsimport") } else { place });
    Err(Error::config(format!("{origin}: `{}` has to be a folder inside of the project, not {text:?}", setting.name))
        .hint(format!("a folder elsewhere is for its user to choose: export {}={place}", setting.variable)))
}

fn apply_environment_and_call(settings: &mut Settings, environment: &Environment, given: &Overrides) -> Result<()> {
    for setting in declared_settings() {
        let Some(text) = environment.get(&setting.variable) else { continue };
        if text.is_empty() {
            continue;
        }
        let origin = Origin::Variable(&setting.variable);
        settings.set(setting.name, checked(setting, from_text(setting, text), &origin)?);
    }
    for (key, value) in given {
        let setting = declared(key, &Origin::Call)?;
        settings.set(key, checked(setting, value.clone(), &Origin::Call)?);
    }
    Ok(())
}

/// The nearest `pyproject.toml` that has a `[tool.rsimport]` table.
fn nearest_project(projects: &[PathBuf]) -> Result<Option<(&Path, String, toml::Table)>> {
    for path in projects {
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        // Most projects do not configure rsimport, and parsing a long file would cost more than the whole lookup.
        if memchr::memmem::find(text.as_bytes(), b"rsimport").is_none() {
            continue;
        }
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
            let line = 1 + text[..e.span().map_or(0, |s| s.start).min(text.len())].matches('\n').count();
            Error::config(format!("{}:{line}: this is not TOML: {}", path.display(), e.message()))
        })?;
        let own = table.get("tool").and_then(|tool| tool.get("rsimport"));
        match own {
            None => continue,
            Some(toml::Value::Table(own)) => return Ok(Some((path, text, own.clone()))),
            Some(_) => return Err(Error::config(format!("{}: [tool.rsimport] has to be a table", path.display()))),
        }
    }
    Ok(None)
}

/// The table of settings.
pub fn declared_settings() -> &'static [Setting] {
    static TABLE: std::sync::OnceLock<Vec<Setting>> = std::sync::OnceLock::new();
    TABLE.get_or_init(table)
}

fn declared(key: &str, origin: &Origin<'_>) -> Result<&'static Setting> {
    declared_settings().iter().find(|setting| setting.name == key).ok_or_else(|| {
        let names: Vec<_> = declared_settings().iter().map(|setting| setting.name).collect();
        let hint = match similar(key, names.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`? `rsimport settings` lists all"),
            None => format!("it has: {}", names.join(", ")),
        };
        Error::config(format!("{origin}: rsimport has no setting `{key}`")).hint(hint)
    })
}

/// Checks a value's type, and the few values that would do harm further on.
fn checked(setting: &Setting, value: toml::Value, origin: &Origin<'_>) -> Result<toml::Value> {
    let fits = match (setting.kind, &value) {
        (ValueKind::Str | ValueKind::Path, toml::Value::String(_)) | (ValueKind::Bool, toml::Value::Boolean(_)) => true,
        (ValueKind::List | ValueKind::Paths, toml::Value::Array(items)) => items.iter().all(toml::Value::is_str),
        (ValueKind::Float, toml::Value::Float(number)) => number.is_finite() && *number >= 0.0,
        (ValueKind::Float, toml::Value::Integer(number)) => *number >= 0,
        _ => false,
    };
    let name = setting.name;
    if !fits {
        let wanted = match setting.kind {
            ValueKind::Str => "a text",
            ValueKind::Path => "a path",
            ValueKind::Bool => "true or false",
            ValueKind::List => "a list of texts",
            ValueKind::Paths => "a list of folders",
            ValueKind::Float => "a number of seconds",
        };
        return Err(Error::config(format!("{origin}: `{name}` has to be {wanted}, not {value}")));
    }
    let plain =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b));
    match (name, value) {
        ("profile" | "target_cpu", toml::Value::String(text)) if !plain(&text) => {
            Err(Error::config(format!("{origin}: `{name}` cannot be {text:?}")))
        }
        ("tier", toml::Value::String(text)) if !TIERS.contains(&text.as_str()) => {
            let error = Error::config(format!("{origin}: `tier` has to be auto, fast or optimized, not {text:?}"));
            Err(match similar(&text, TIERS) {
                Some(meant) => error.hint(format!("did you mean `{meant}`?")),
                None => error,
            })
        }
        ("accept", toml::Value::String(text)) if !["any", "artifact", "source", "none"].contains(&text.as_str()) => {
            Err(Error::config(format!("{origin}: `accept` has to be any, artifact, source or none, not {text:?}")))
        }
        ("cache_max_size", toml::Value::String(text)) if amounts::size(&text).is_none() => {
            Err(Error::config(format!("{origin}: `{name}` has to be a size as 500M or 5G, or none, not {text:?}")))
        }
        ("cache_max_age", toml::Value::String(text)) if amounts::age(&text).is_none() => {
            Err(Error::config(format!("{origin}: `{name}` has to be an age as 12h or 90d, or none, not {text:?}")))
        }
        (_, toml::Value::Integer(number)) => Ok(toml::Value::Float(number as f64)),
        (_, value) => Ok(value),
    }
}

/// A value as the environment gives it; what does not fit is left a text, which [`checked`] reports.
fn from_text(setting: &Setting, text: &str) -> toml::Value {
    match setting.kind {
        ValueKind::Str | ValueKind::Path => text.into(),
        ValueKind::Bool => match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => true.into(),
            "0" | "false" | "no" | "off" => false.into(),
            _ => text.into(),
        },
        ValueKind::List => shlex::split(text).map_or_else(|| text.into(), Into::into),
        ValueKind::Paths => {
            let folders = std::env::split_paths(text).filter(|folder| !folder.as_os_str().is_empty());
            folders.map(|folder| folder.to_string_lossy().into_owned()).collect::<Vec<_>>().into()
        }
        ValueKind::Float => text.parse::<f64>().map_or_else(|_| text.into(), Into::into),
    }
}

/// Finds the line of a key in a TOML text, for messages.
struct Lines<'a>(&'a str);

impl Lines<'_> {
    fn of_key(&self, table: &str, key: &str) -> usize {
        let mut inside = false;
        for (at, line) in self.0.lines().enumerate() {
            let line = line.trim();
            if let Some(header) = line.strip_prefix('[') {
                inside = header.trim_end_matches(']').trim() == table;
            } else if inside && line.trim_start_matches('"').starts_with(key) {
                return at + 1;
            }
        }
        1
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path, Some(line)) => write!(f, "{}:{line}", path.display()),
            Origin::File(path, None) => write!(f, "{}", path.display()),
            Origin::Variable(name) => write!(f, "environment variable {name}"),
            Origin::Call => f.write_str("call argument"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_folder(pyproject: &str, given: &Overrides) -> Result<Settings> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pyproject.toml"), pyproject).unwrap();
        Config::of_folder(folder.path(), given).map_err(|mut e| {
            e.message = e.message.replace(&format!("{}/", folder.path().display()), "");
            e
        })
    }

    #[test]
    fn a_later_layer_beats_an_earlier_one() {
        let settings =
            in_folder("[tool.rsimport]\nprofile = 'dev'\nlock_timeout = 3\n", &vec![("profile".into(), "fast".into())])
                .unwrap();
        assert_eq!((settings.profile.as_str(), settings.lock_timeout), ("fast", 3.0));
    }

    #[test]
    fn a_slip_of_the_finger_is_told_with_what_was_meant() {
        for (line, meant) in [
            ("profil = 'dev'", Some("did you mean `profile`? `rsimport settings` lists all")),
            ("tier = 'optimised'", Some("did you mean `optimized`?")),
            ("tier = 'slow'", None),
        ] {
            let error = in_folder(&format!("[tool.rsimport]\n{line}\n"), &Overrides::new()).unwrap_err();
            assert_eq!(error.hint.as_deref(), meant);
        }
    }

    #[test]
    fn a_fault_names_key_file_and_line() {
        let check =
            |text: &str, message: &str| assert_eq!(in_folder(text, &Overrides::new()).unwrap_err().message, message);
        check("[tool.rsimport]\n\nprofil = 'dev'\n", "pyproject.toml:3: rsimport has no setting `profil`");
        check("[tool.rsimport]\noffline = 'yes'\n", "pyproject.toml:2: `offline` has to be true or false, not \"yes\"");
        check("[tool.rsimport]\nprofile = '../x'\n", "pyproject.toml:2: `profile` cannot be \"../x\"");
        check(
            "[tool.rsimport]\ntier = 'best'\n",
            "pyproject.toml:2: `tier` has to be auto, fast or optimized, not \"best\"",
        );
        check(
            "[tool.rsimport]\ncache_max_size = '5 pounds'\n",
            "pyproject.toml:2: `cache_max_size` has to be a size as 500M or 5G, or none, not \"5 pounds\"",
        );
        check("[tool.rsimport\n", "pyproject.toml:1: this is not TOML: unclosed table, expected `]`");
    }
}
