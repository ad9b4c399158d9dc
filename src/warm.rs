//! Compiling dependencies ahead of the kernels that need them.

use crate::abi::Python;
use crate::cache::Cache;
use crate::config::{Config, Given};
use crate::digest::Digest;
use crate::engine::{Request, build};
use crate::error::{Error, Result};
use crate::process::Watch;

/// Compiles dependencies ahead, by building a small kernel with each of them and one with none. A specification is
/// `name`, `name=version` or `name = { ... }`, as in a manifest.
pub fn warm(deps: &[String], abi: &str, python: &Python, given: &Given, watch: &mut dyn Watch) -> Result<()> {
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
        let request = Request { path, module: "warm".to_owned(), abi: abi.to_owned(), given: given.clone() };
        build(&request, python, watch)?;
    }
    Ok(())
}

/// A specification from the command line as a line of `[dependencies]`.
fn dependency_line(spec: &str) -> Result<String> {
    let (name, version) = spec.split_once(['=', '@']).unwrap_or((spec, "*"));
    let (name, version) = (name.trim(), version.trim());
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let value = if version.starts_with(['{', '"', '\'']) { version.to_owned() } else { format!("{version:?}") };
    let line = format!("{name} = {value}");
    if plain && !spec.contains('\n') && line.parse::<toml::Table>().is_ok() {
        return Ok(line);
    }
    Err(Error::config(format!("{spec:?} is not a dependency"))
        .hint("write it as numpy, numpy=0.30 or 'rand = { version = \"0.9\", features = [\"small_rng\"] }'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_is_written_as_people_type_it() {
        let check = |spec: &str, line: Option<&str>| assert_eq!(dependency_line(spec).ok().as_deref(), line, "{spec}");
        check("numpy=0.30", Some("numpy = \"0.30\""));
        check("numpy@0.30", Some("numpy = \"0.30\""));
        check("numpy", Some("numpy = \"*\""));
        check("rand = { version = \"0.9\" }", Some("rand = { version = \"0.9\" }"));
        check("rand = {", None);
        check("no name=1", None);
        check("x=1\n[profile.dev]", None);
    }
}
