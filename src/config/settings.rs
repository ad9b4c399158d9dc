//! The settings, each declared once: engine, command line, environment, stubs and docs all come from this table.

use serde::Serialize;

/// The type of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueKind {
    /// Text.
    Str,
    /// A path.
    Path,
    /// true or false.
    Bool,
    /// A list of texts; in the environment split as a shell does.
    List,
    /// A list of folders; in the environment as `PATH` has them.
    Paths,
    /// Seconds.
    Float,
}

impl ValueKind {
    /// The kind's name, as Python sees it.
    pub fn name(self) -> &'static str {
        match self {
            ValueKind::Str => "str",
            ValueKind::Path => "path",
            ValueKind::Bool => "bool",
            ValueKind::List | ValueKind::Paths => "list",
            ValueKind::Float => "float",
        }
    }
}

/// A declared setting.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Its name in pyproject.toml, in a manifest block and as a Python argument.
    pub name: &'static str,
    /// The environment variable that sets it.
    pub variable: String,
    /// The type of its value.
    pub kind: ValueKind,
    /// Its value where nothing sets it.
    pub default: toml::Value,
    /// One sentence that says what it does.
    pub help: &'static str,
    /// May a kernel set it for itself in `[package.metadata.rsimport]`?
    pub in_kernel: bool,
}

/// Declares the struct of effective values and the table of settings together, so that they cannot differ.
macro_rules! settings {
    ($($(#[doc = $help:literal])+ $name:ident: $type:ty = $default:expr, $kind:ident $(, $in_kernel:ident)?;)+) => {
        /// The effective value of every setting.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        pub struct Settings { $($(#[doc = $help])+ pub $name: $type,)+ }

        impl Default for Settings {
            fn default() -> Self {
                Settings { $($name: <$type>::from($default),)+ }
            }
        }

        /// All settings, in the order in which the documentation lists them.
        pub fn table() -> Vec<Setting> {
            vec![$(Setting {
                name: stringify!($name),
                variable: format!("RSIMPORT_{}", stringify!($name).to_uppercase()),
                kind: ValueKind::$kind,
                default: toml::Value::try_from(<$type>::from($default)).expect("a default is a TOML value"),
                help: concat!($($help),+).trim_ascii(),
                in_kernel: settings!(@ $($in_kernel)?),
            },)+]
        }

        impl Settings {
            /// Sets one value whose kind was checked before.
            pub(crate) fn set(&mut self, name: &str, value: toml::Value) {
                match name {
                    $(stringify!($name) => if let Ok(value) = value.try_into::<$type>() { self.$name = value },)+
                    _ => {}
                }
            }
        }
    };
    (@ in_kernel) => { true };
    (@) => { false };
}

settings! {
    /// Profile to build with: `release`, `dev` (tells where integers wrap), `profiling` (release for profilers and debuggers), or one that the manifest defines.
    profile: String = "release", Str, in_kernel;
    /// CPU to compile for; `native` is this machine's, `generic` runs on any of its kind.
    target_cpu: String = "native", Str, in_kernel;
    /// Further flags for rustc, for the kernel and its dependencies.
    rustflags: Vec<String> = Vec::new(), List, in_kernel;
    /// Cargo features to switch on.
    features: Vec<String> = Vec::new(), List, in_kernel;
    /// Name of the rustup toolchain to build with; empty means rustup's own choice.
    toolchain: String = "", Str, in_kernel;
    /// How much to optimise: `auto` loads edits and new kernels fast and optimises them in the background, `optimized` waits, `fast` stays.
    tier: String = "auto", Str, in_kernel;
    /// Put C functions in front of PyO3's where that makes calls faster; `false` leaves every call to PyO3.
    fast_calls: bool = true, Bool, in_kernel;
    /// Let rsimport expand PyO3's macros, which halves the first build; `false` compiles PyO3's own macros for that.
    fast_macros: bool = true, Bool, in_kernel;
    /// Keep PyO3's glue of a short kernel compiled, so that an edit compiles your text alone; functions are optimised at once (Linux).
    reuse_glue: bool = true, Bool, in_kernel;
    /// Build without touching the network.
    offline: bool = false, Bool, in_kernel;
    /// Refuse to change a crate's Cargo.lock.
    locked: bool = false, Bool, in_kernel;
    /// Build even if the cache has the kernel, and compile again what may have changed unnoticed.
    force_rebuild: bool = false, Bool;
    /// Keep the `.pyi` files beside kernels current: after a build, `rsimport stubs` runs in the background.
    stubs: bool = false, Bool;
    /// Folder of the cache, for a project one inside of it; empty means the user's cache folder.
    cache_dir: String = "", Path;
    /// Size of the cache (`5G`) above which what was unused for longest goes, once a day after a build; `none` is no limit.
    cache_max_size: String = "5G", Str;
    /// Age (`90d`) after which what nobody has used goes, once a day after a build; `none` keeps everything.
    cache_max_age: String = "90d", Str;
    /// Caches of others, as `rsimport export --bundle` makes them, in which is only looked; in the environment as in `PATH`.
    shared_caches: Vec<String> = Vec::new(), Paths;
    /// What a worker takes of kernels that clusters send: `artifact`, `source` to build it, `any` of both, or `none`.
    accept: String = "any", Str;
    /// Seconds to wait for another process that builds the same kernel.
    lock_timeout: f64 = 600.0, Float;
    /// Show the progress of long builds on stderr.
    progress: bool = true, Bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declared_setting_can_be_set() {
        let mut settings = Settings::default();
        settings.set("profile", "dev".into());
        settings.set("rustflags", vec!["-Cdebuginfo=1"].into());
        settings.set("lock_timeout", 1.5.into());
        assert_eq!((settings.profile.as_str(), settings.lock_timeout), ("dev", 1.5));
        assert_eq!(settings.rustflags, ["-Cdebuginfo=1"]);
        assert_eq!(table()[0].variable, "RSIMPORT_PROFILE");
        assert_eq!(
            table()[1].help,
            "CPU to compile for; `native` is this machine's, `generic` runs on any of its kind."
        );
    }
}
