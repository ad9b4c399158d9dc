//! Compiling dependencies ahead of the kernels that need them.

use crate::cache::layout::Cache;
use crate::compile::build::NOT_CACHED;
use crate::config::abi::Python;
use crate::config::layers::{Config, Overrides};
use crate::digest::Digest;
use crate::engine::{Request, build};
use crate::error::{Error, Result};
use crate::kernel::cell::dependency_line;
use crate::observer::Observer;

/// Compiles dependencies ahead, by building a small kernel with each of them and one with none. A specification is
/// `name`, `name=version` or `name = { ... }`, as in a manifest.
pub fn warm(deps: &[String], abi: &str, python: &Python, given: &Overrides, observer: &mut dyn Observer) -> Result<()> {
    let folder = std::env::current_dir().unwrap_or_default();
    let settings = Config::of_folder(&folder, given)?;
    let cache = Cache::open(&settings)?;
    cache.prepare()?;
    let mut sets = vec![String::new()];
    for dep in deps {
        sets.push(dependency_line(dep)?);
    }
    if deps.len() > 1 {
        sets.push(sets[1..].join("\n//! "));
    }
    for lines in sets {
        let text = format!(
            "// rsimport\n//! ```cargo\n//! [dependencies]\n//! {lines}\n//! ```\nuse pyo3::prelude::*;\n#[pyfunction]\nfn warm() {{}}\n"
        );
        let place = cache.work(&format!("warm-{}", &Digest::of(text.as_bytes())[..16]));
        let path = place.join("warm.rs");
        cache.write(&path, text.as_bytes())?;
        let made = path.display().to_string();
        let request =
            Request { path, module: "warm".to_owned(), abi: abi.to_owned(), given: given.clone(), ahead: false };
        build(&request, python, observer).map_err(|error| {
            let message = without(&made, &error.message);
            Error { message, ..error }
        })?;
    }
    Ok(())
}

/// A message without the kernel that nobody has written.
fn without(file: &str, message: &str) -> String {
    let rest = message.strip_prefix(file).and_then(|rest| rest.split_once(": "));
    rest.map_or(message, |(_, rest)| rest).replace(&format!(" ({file})"), "").replace(NOT_CACHED, "")
}
