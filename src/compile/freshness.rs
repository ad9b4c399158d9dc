//! What a build has read besides the kernel's own text, and what therefore decides whether it is still right.

use std::path::{Path, PathBuf};

use crate::cache::inputs::Input;
use crate::compile::job::{Built, Job};
use crate::kernel::source::{Source, workspace_folder};
use crate::rustc::cargo_messages::CargoOutput;
use crate::rustc::dep_info::DepInfo;

/// The inputs of a build besides the source: what rustc has read, and what cargo has.
pub fn inputs(built: &Built, source: &Source) -> Vec<Input> {
    let mut inputs = built.foreign.clone();
    for file in built.files.iter().filter(|file| **file != source.path) {
        let input = Input::file(file, &source.base);
        if !inputs.contains(&input) {
            inputs.push(input);
        }
    }
    inputs.extend(variables(&built.variables));
    if built.variables.iter().any(|(name, _)| name == "CARGO_MANIFEST_DIR") {
        inputs.push(Input::OwnFolder { path: source.base.clone() });
    }
    inputs
}

/// What cargo looked at that is not the kernel's own source: path dependencies, build scripts, manifests, lock file.
pub fn foreign_inputs(output: &CargoOutput, own: &[PathBuf], built: &Path, job: &Job<'_>) -> Vec<Input> {
    let base = &job.source.base;
    let everything = DepInfo::read(&built.with_extension("d")).files;
    let mut files: Vec<PathBuf> =
        everything.iter().map(|file| job.view.real(file)).filter(|file| !own.contains(file)).collect();
    let mut inputs = Vec::new();
    for package in &output.local {
        let folder = job.view.real(&package.folder);
        let printed =
            package.output.as_ref().and_then(|output| std::fs::read_to_string(output).ok()).unwrap_or_default();
        files.extend([folder.join("Cargo.toml"), folder.join("build.rs")]);
        // Without `rerun-if-changed` cargo runs the script again after any change in the package.
        if package.scripted && !printed.contains("rerun-if-changed") {
            inputs.push(Input::folder(&folder, base));
        }
        for name in printed.lines().filter_map(|line| Some(line.split_once("rerun-if-env-changed=")?.1.trim())) {
            inputs.push(Input::Variable { name: name.to_owned(), value: std::env::var(name).ok() });
        }
        for library in &package.libraries {
            let stem = library.file_stem().unwrap_or_default().to_string_lossy();
            let name = format!("{}.d", stem.strip_prefix("lib").unwrap_or(&stem));
            inputs.extend(variables(&DepInfo::read(&library.with_file_name(name)).variables));
        }
    }
    if job.source.manifest.is_some() {
        let workspace = workspace_folder(base);
        files.extend([workspace.join("Cargo.toml"), workspace.join("Cargo.lock")]);
    }
    files.retain(|file| !file.starts_with(job.work));
    files.sort();
    files.dedup();
    inputs.extend(files.iter().map(|file| Input::file(file, base)));
    inputs
}

/// The variables that come from the user's environment; cargo sets the others itself, for this build.
fn variables(read: &[(String, Option<String>)]) -> Vec<Input> {
    let users = |name: &str, value: &Option<String>| {
        !name.starts_with("CARGO") && name != "OUT_DIR" && std::env::var(name).ok() == *value
    };
    let read = read.iter().filter(|(name, value)| users(name, value));
    read.map(|(name, value)| Input::Variable { name: name.clone(), value: value.clone() }).collect()
}
