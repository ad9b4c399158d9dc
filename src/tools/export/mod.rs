//! A kernel as a project of its own that needs no rsimport: what `rsimport export` writes in Rust's languages. The part in
//! Python's is `rsimport/toolbox/_project.py`.

mod inherited;
mod files;
mod manifest;
mod root;

use std::path::{Path, PathBuf};

use crate::engine::{Request, resolve};
use crate::error::{Error, Result};
use crate::kernel::cell::Cell;
use crate::kernel::manifest::Manifest;
use crate::kernel::source::Source;
use crate::observer::Observer;
use crate::rustc::process::{Pipe, run};
use crate::rustc::start::Start;
use crate::rustc::toolchain::Toolchain;

pub use manifest::About;

/// A kernel as a project.
pub struct Exported {
    /// Texts by their place in the project.
    pub texts: Vec<(PathBuf, String)>,
    /// Places in the project of files that are copied there.
    pub copied: Vec<(PathBuf, PathBuf)>,
    /// The text of its `Cargo.toml`.
    pub manifest: String,
    /// The lock file that cargo is to start from.
    pub lock: String,
    /// The name of the extension module in the package.
    pub library: String,
    /// What the package says of itself, where it is not the module that says it.
    pub doc: Option<String>,
    /// Cargo's features to build with.
    pub features: Vec<String>,
    /// Further flags for rustc.
    pub rustflags: Vec<String>,
    /// What the manifest says of the package.
    pub about: About,
    /// What somebody should know.
    pub notes: Vec<String>,
}

/// Describes the project of a kernel; `inputs` are the files that a build has read. Nothing is written.
pub fn export(request: &Request, inputs: &[PathBuf]) -> Result<Exported> {
    let resolved = resolve(request)?;
    let (source, config) = (&resolved.source, &resolved.config);
    if let Some(cell) = Cell::of(&source.path) {
        let error = Error::config(format!("{} has no file of its own, so it cannot be exported", cell.label));
        return Err(error.hint(format!("write it to {}.rs, with `// rsimport` as its first line", source.module)));
    }
    let library = format!("_{}", source.module);
    let root = root::written_out(source, &config.manifest, &library)?;
    let mut files = files::Files::of(source);
    let place = files.root(source);
    files.add(&source.path, &root.text)?;
    files.add_inputs(inputs, source)?;
    let mut cargo = manifest::Cargo::of(source, config, root.doc.as_deref(), &place)?;
    cargo.bring_dependencies(&mut files, source)?;
    files.add_rest(source);
    let mut notes = root.notes;
    let (settings, mut rustflags) = (&config.settings, Vec::new());
    for flag in &settings.rustflags {
        if flag.contains("target-cpu") {
            notes.push(format!("the flag {flag} of the kernel is left out: a project is for every CPU"));
        } else {
            rustflags.push(flag.clone());
        }
    }
    let own = match &source.manifest {
        Some(_) => {
            let folder = crate::kernel::source::workspace_folder(&source.base);
            std::fs::read_to_string(folder.join("Cargo.lock")).ok()
        }
        None => None,
    };
    Ok(Exported {
        lock: own.unwrap_or_else(|| resolved.lock()),
        about: cargo.about(source),
        manifest: cargo.text(),
        texts: files.texts,
        copied: files.copied,
        library,
        doc: root.doc,
        features: settings.features.clone(),
        rustflags,
        notes,
    })
}

/// The files that a kernel or a crate is made of, as far as its text names them.
pub fn parts(kernel: &Path) -> Result<Vec<PathBuf>> {
    let source = Source::open(kernel, "kernel")?;
    let mut files = files::Files::of(&source);
    files.add(&source.path, &source.text)?;
    files.add_rest(&source);
    let mut found = files.found();
    found.extend(
        source.manifest.iter().flat_map(|manifest| [manifest.path.clone(), manifest.path.with_file_name("Cargo.lock")]),
    );
    found.retain(|path| path.is_file());
    Ok(found)
}

/// Has cargo finish the lock file of a project that was written to a folder: the versions in it stay.
pub fn lock(folder: &Path, request: &Request, observer: &mut dyn Observer) -> Result<()> {
    let settings = resolve(request)?.config.settings;
    let toolchain = Toolchain::find(&settings, Start::of(folder, None))?;
    let mut said = Vec::new();
    // What the kernel was built from is on the disk already.
    for offline in [true, false] {
        if settings.offline && !offline {
            break;
        }
        said.clear();
        let mut command = toolchain.cargo("update");
        command.args(["--workspace", "--quiet", "--manifest-path"]).arg(folder.join("Cargo.toml"));
        command.args(offline.then_some("--offline"));
        let status = run(command, observer, |_, pipe, line| {
            if matches!(pipe, Pipe::Err) {
                said.push(line.to_owned());
            }
        })?;
        if status.success() {
            return Ok(());
        }
    }
    Err(Error::toolchain(format!("cargo cannot lock the project's versions:\n{}", said.join("\n"))))
}

/// The manifest as far as only PyO3 counts.
fn pyo3_of(source: &Source, manifest: &Manifest) -> (String, Option<(u64, u64)>) {
    manifest.pyo3(source.manifest.as_ref().map(|manifest| manifest.text.as_str()))
}
