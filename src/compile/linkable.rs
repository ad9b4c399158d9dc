//! Is there a linker? Without one nothing can be built, but cargo would find that out after it has compiled for half a
//! minute.

use crate::compile::plan::Plan;
use crate::compile::task::Task;
use crate::config::environment::Environment;
use crate::error::Result;
use crate::freshness::cargo_config::{Profiles, relevant};
use crate::observer::Observer;
use crate::rustc::collected::Collected;
use crate::rustc::diagnostics::{compile_error, from_rustc, misses_linker};
use crate::rustc::process::run;
use crate::rustc::toolchain::{Identity, Toolchain, has_cc};

/// Fails where rustc finds no linker. It is only asked where that is likely, and cargo is not told of another one.
pub fn check(
    task: &Task<'_>,
    toolchain: &Toolchain,
    rustc: &Identity,
    plan: &Plan,
    observer: &mut dyn Observer,
) -> Result<()> {
    let Task { source, cargo, staging, .. } = task;
    let flags = [&plan.arguments, &plan.environment.iter().map(|(_, value)| value.clone()).collect()];
    let chosen = cargo.mentions("linker")
        || relevant(&Environment::now(), &Profiles::default()).to_lowercase().contains("linker")
        || flags.into_iter().flatten().any(|flag| flag.contains("linker"));
    if chosen || has_cc() {
        return Ok(());
    }
    // stdin is empty, and so is the crate that is compiled from it.
    let mut command = toolchain.compiler(&rustc.rustc, &source.base);
    command.args(["--crate-name=empty", "--crate-type=cdylib", "--error-format=json", "-"]);
    command.arg("--out-dir").arg(staging.path().join("empty"));
    let mut said = Collected::default();
    run(command, observer, |_, _, line| {
        if let Some(found) = from_rustc(line, &source.base) {
            said.add(found);
        }
    })?;
    let said = said.all();
    if said.iter().any(misses_linker) { Err(compile_error(source, said)) } else { Ok(()) }
}
