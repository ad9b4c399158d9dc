//! rustfmt on a kernel: on the user's own file and those of its modules, in the kernel's edition.

use std::path::Path;
use std::process::Command;

use crate::compile::build::tools;
use crate::engine::{Request, Resolved, resolve};
use crate::error::{Error, Result};
use crate::kernel::source::{Source, workspace_folder};
use crate::observer::Observer;
use crate::rustc::process::{Pipe, run};
use crate::rustc::toolchain::Toolchain;

/// What rustfmt has said.
#[derive(Debug, Default)]
pub struct Formatted {
    /// Is all in order now? With `--check`, was it?
    pub success: bool,
    /// Its lines on stdout: the differences.
    pub output: Vec<String>,
    /// Its lines on stderr.
    pub errors: Vec<String>,
}

/// Formats a kernel in its place, or does whatever else these arguments have rustfmt do.
pub fn format(request: &Request, arguments: &[String], observer: &mut dyn Observer) -> Result<Formatted> {
    let Resolved { source, config, cargo, cache, .. } = resolve(request)?;
    cache.prepare()?;
    let (toolchain, _) = tools(&source, &config, &cargo, &cache, observer)?;
    let missing =
        || Error::toolchain("rustfmt is not installed").hint("rustup component add rustfmt").kernel(&source.path);
    let program = toolchain.tool("rustfmt").ok_or_else(missing)?;
    let edition = match &source.manifest {
        Some(manifest) => edition_of_crate(&source, &manifest.text),
        None => config.manifest.edition_or_usual().to_owned(),
    };
    let mut command = rustfmt(&toolchain, &program, &source.path);
    command.arg("--edition").arg(edition).args(arguments);
    let mut formatted = Formatted::default();
    let status = run(command, observer, |_, pipe, line| match pipe {
        Pipe::Out => formatted.output.push(line.to_owned()),
        Pipe::Err => formatted.errors.push(line.to_owned()),
    })?;
    formatted.success = status.success();
    Ok(formatted)
}

/// Formats generated code where it lies in the cache, if rustfmt is there and can read it.
pub fn make_readable(toolchain: &Toolchain, file: &Path, observer: &mut dyn Observer) -> Result<()> {
    let Some(program) = toolchain.tool("rustfmt") else { return Ok(()) };
    let mut command = rustfmt(toolchain, &program, file);
    command.args(["--edition", "2024", "--config", "skip_children=true"]);
    run(command, observer, |_, _, _| {}).map(drop)
}

/// rustfmt for a file. It panics where an argument is no text, so then it is started beside the file.
fn rustfmt(toolchain: &Toolchain, program: &Path, file: &Path) -> Command {
    let (folder, name) = match (file.to_str(), file.parent(), file.file_name()) {
        (None, Some(folder), Some(name)) => (folder, Path::new(name)),
        _ => (toolchain.folder(), file),
    };
    let mut command = toolchain.compiler(program, folder);
    command.arg(name);
    command
}

/// The edition that a crate's manifest names, or its workspace's.
fn edition_of_crate(source: &Source, manifest: &str) -> String {
    let edition = |text: &str, path: &[&str]| {
        let table: toml::Table = text.parse().ok()?;
        let table = toml::Value::Table(table);
        path.iter().try_fold(&table, |value, key| value.get(key))?.as_str().map(str::to_owned)
    };
    let shared = || {
        let text = std::fs::read_to_string(workspace_folder(&source.base).join("Cargo.toml")).ok()?;
        edition(&text, &["workspace", "package", "edition"])
    };
    let own = edition(manifest, &["package", "edition"]);
    own.or_else(|| manifest.contains("edition").then(shared)?).unwrap_or_else(|| "2015".to_owned())
}
