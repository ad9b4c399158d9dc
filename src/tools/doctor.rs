//! What `rsimport doctor` looks at: everything that a build needs, and what to do where it is missing.

use std::path::Path;

use crate::cache::entries::entries;
use crate::cache::layout::Cache;
use crate::cache::owner::stranger;
use crate::config::ancestors::Ancestors;
use crate::config::environment::Environment;
use crate::config::misspelled::Misspelled;
use crate::config::settings::Settings;
use crate::error::Error;
use crate::freshness::cargo_config::CargoConfig;
use crate::paths::quoted;
use crate::rustc::start::Start;
use crate::rustc::toolchain::{Toolchain, find_linker};

/// The result of looking at one thing.
#[derive(Debug, Clone)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// Is it as it has to be?
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Looks at everything that a build in a folder needs.
pub fn checks(settings: &Settings, folder: &Path) -> Vec<Check> {
    let good = |name, detail: String| Check { name, ok: true, detail, hint: None };
    let bad = |name, error: Error| Check { name, ok: false, detail: error.message, hint: error.hint };
    let mut checks = Vec::new();
    let cargo = CargoConfig::of(&Ancestors::of(folder, None));
    match Toolchain::find(settings, Start::of(folder, None)).map(|found| found.configured(cargo.rustc())) {
        Ok(toolchain) => {
            checks.push(good("cargo", toolchain.cargo.display().to_string()));
            let identity = toolchain.identify().and_then(|identity| identity.check_age().map(|()| identity));
            checks.push(match identity {
                Ok(identity) => good(
                    "rustc",
                    format!("{} ({})", identity.version.lines().next().unwrap_or_default(), identity.rustc.display()),
                ),
                Err(error) => bad("rustc", error),
            });
        }
        Err(error) => checks.push(bad("cargo", error)),
    }
    checks.push(match find_linker() {
        Some(linker) => good("linker", linker.display().to_string()),
        None => bad(
            "linker",
            Error::toolchain("no linker was found in PATH")
                .hint("install a C compiler, for example `apt install gcc`, or on macOS `xcode-select --install`"),
        ),
    });
    for ignored in Ancestors::of(folder, None).ignored.into_iter().chain(Start::of(folder, None).ignored) {
        checks.push(bad("configuration", Error::config(ignored.to_string()).hint(ignored.hint())));
    }
    for strange in Misspelled::of(&Environment::now()) {
        // What is like no setting may be somebody else's.
        checks.push(match strange.meant {
            Some(_) => bad("settings", Error::config(strange.problem()).hint(strange.hint())),
            None => good("settings", strange.problem()),
        });
    }
    checks.push(good("Python headers", "not needed".to_owned()));
    let cache = Cache::open(settings).and_then(|cache| cache.check_writable().map(|()| cache));
    checks.push(match cache {
        Ok(cache) if stranger(cache.root()).is_some() => {
            let (root, name) = (cache.root(), stranger(cache.root()).unwrap_or_default());
            let place = quoted(&root.join("rsimport"));
            let tag = quoted(&root.join("CACHEDIR.TAG"));
            bad(
                "cache",
                Error::cache(format!(
                    "{} is tagged as a cache, which backups leave out, and holds {name}",
                    root.display()
                ))
                .hint(format!("rsimport cache clear; rm {tag}; export RSIMPORT_CACHE_DIR={place}")),
            )
        }
        Ok(cache) => good("cache", format!("{} ({} kernels)", cache.root().display(), entries(&cache).len())),
        Err(error) => bad("cache", error),
    });
    checks
}
