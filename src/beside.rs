//! A library that lies beside its source, as `build --inplace` and wheels put it there: may it be loaded in place of what a
//! build would give?

use std::path::Path;

use crate::cache::entry;
use crate::cache::provenance::Provenance;
use crate::config::environment::Environment;
use crate::config::tier::Tier;
use crate::digest::{Digest, checksum};
use crate::engine::{Artifact, Request, Resolved, resolve};
use crate::error::{Error, Kind, Result};
use crate::freshness::inputs::Input;
use crate::freshness::machine::{has_glibc, native_cpu};
use crate::kernel::source::Source;

/// A library beside a kernel.
pub struct Beside {
    /// The library.
    pub artifact: Artifact,
    /// What tells it from what a build would give, as a sentence; none where nothing does.
    pub differs: Option<String>,
}

/// Looks at the library beside a kernel. Starts no process, and needs neither the cache nor a toolchain.
pub fn beside(request: &Request, library: &Path) -> Result<Beside> {
    let source = Source::open(&request.path, &request.module)?;
    let provenance = Provenance::of(library);
    let differs = match &provenance {
        None => Some("it does not say from which text it was compiled".to_owned()),
        Some(provenance) => difference(provenance, &source, request),
    };
    Ok(Beside { artifact: artifact(library, &source, provenance)?, differs })
}

/// What a library that lies outside of the cache is called where its content counts.
pub fn content(library: &Path) -> Result<String> {
    let sum = checksum(library).map_err(|e| Error::config(format!("{} cannot be read: {e}", library.display())))?;
    Ok(Digest::default().with(b"library").with(sum.1.as_bytes()).hex())
}

/// Copies the artifact of a kernel to a place outside of the cache, together with what it was compiled from.
pub fn copy_out(request: &Request, artifact: &Artifact, target: &Path) -> Result<()> {
    let resolved = resolve(request)?;
    let entry = entry::entry_of(&artifact.path).filter(|_| resolved.fingerprint.key_of(artifact.tier) == artifact.key);
    let Some(entry) = entry else {
        let what = format!("{} was changed after it was compiled", resolved.source.path.display());
        return Err(Error::config(what).hint("build it once more").kernel(&resolved.source.path));
    };
    let provenance = Provenance {
        text: text_of(&resolved.source),
        cpu: resolved.fingerprint.value("CPU").to_owned(),
        features: resolved.config.settings.features.clone(),
        entry,
    };
    provenance.copy_out(&artifact.path, target)
}

/// A library as an artifact.
pub fn artifact(library: &Path, source: &Source, provenance: Option<Provenance>) -> Result<Artifact> {
    let content = content(library)?;
    let entry = provenance.map(|provenance| provenance.entry);
    let inputs = entry.iter().flat_map(|entry| entry.inputs.iter().flat_map(|input| input.paths(&source.base)));
    Ok(Artifact {
        path: library.to_path_buf(),
        source: source.path.clone(),
        key: content.clone(),
        content,
        built: false,
        provisional: false,
        module: source.module.clone(),
        profile: entry.as_ref().map_or_else(String::new, |entry| entry.profile.clone()),
        tier: entry.as_ref().map_or(Tier::Profile, |entry| entry.tier),
        inputs: inputs.collect(),
        exporting: entry.as_ref().is_some_and(|entry| !entry.exports.is_empty()),
        metadata: entry.as_ref().map(entry::text_of).unwrap_or_default(),
    })
}

/// The digest of what the kernel's author has written down in it.
fn text_of(source: &Source) -> String {
    let manifest = source.manifest.as_ref().map_or("", |manifest| &manifest.text);
    Digest::default().with(source.text.as_bytes()).with(manifest.as_bytes()).hex()
}

fn difference(provenance: &Provenance, source: &Source, request: &Request) -> Option<String> {
    let entry = &provenance.entry;
    if entry.module != source.module {
        return Some(format!("it is module {}", entry.module));
    }
    if provenance.text != text_of(source) {
        return Some(format!("{} is another text than the one that it was compiled from", source.name()));
    }
    if let Some(changed) = entry.inputs.iter().find(|input| !may_hold(input, &source.base)) {
        return Some(format!("{} is not what it was when it was compiled", changed.name()));
    }
    if let Some((major, minor)) = entry.glibc.filter(|needed| !has_glibc(*needed)) {
        return Some(format!("it needs glibc {major}.{minor}, which this machine does not have"));
    }
    // A name is what somebody has asked for; what follows it are instruction sets of a machine.
    if provenance.cpu.contains(' ') && !provenance.cpu.contains(native_cpu()) {
        return Some("it was compiled for another CPU".to_owned());
    }
    match resolve(request) {
        Ok(resolved) => asked_for(&resolved, provenance, request),
        Err(error) if error.kind == Kind::Cache => None,
        Err(_) => Some("the settings are wrong".to_owned()),
    }
}

/// Which build somebody asks for here and now that the library is not.
fn asked_for(resolved: &Resolved, provenance: &Provenance, request: &Request) -> Option<String> {
    let (settings, environment) = (&resolved.config.settings, Environment::now());
    if settings.force_rebuild {
        return Some("a build is forced".to_owned());
    }
    // The settings of a project do not travel with what was compiled in it.
    let is_explicit = |name: &str| {
        request.given.iter().any(|(given, _)| given == name)
            || environment.get(&format!("RSIMPORT_{}", name.to_uppercase())).is_some()
    };
    if is_explicit("profile") && settings.profile != provenance.entry.profile {
        return Some(format!("it was compiled with profile {}", provenance.entry.profile));
    }
    (is_explicit("features") && settings.features != provenance.features)
        .then(|| "it was compiled with other features".to_owned())
}

/// May an input still have the content that it had? What was not installed together with the library cannot be compiled
/// anew either, and a variable that is not set was set for whoever compiled it.
fn may_hold(input: &Input, base: &Path) -> bool {
    match input {
        Input::OwnFolder { .. } => true,
        Input::Variable { name, .. } => {
            matches!(Input::variable(name), Input::Variable { value: None, .. }) || input.holds(base)
        }
        other => other.paths(base).iter().any(|path| !path.exists()) || other.holds(base),
    }
}
