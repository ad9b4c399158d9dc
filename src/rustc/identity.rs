//! Which rustc a folder gets, as rustc itself says.

use std::path::PathBuf;

use crate::error::{Error, Kind, Result};
use crate::limits::{Limit, failed};
use crate::rustc::group::output;
use crate::rustc::shortage::shortage;
use crate::rustc::toolchain::{Identity, Toolchain, executable};
use crate::similar::similar;

impl Toolchain {
    /// Asks rustc who it is.
    pub fn identify(&self) -> Result<Identity> {
        let ask = |argument: &[&str]| -> Result<String> {
            let mut command = self.compiler(&self.rustc, &self.start.folder);
            command.args(argument);
            let output = output(command);
            let program = self.rustc.display();
            let output = output.map_err(|e| {
                let error = failed(Kind::Toolchain, format_args!("{program} cannot be started"), &e);
                if Limit::of(&e).is_some() { error } else { error.hint("`rsimport doctor` says what is missing") }
            })?;
            if !output.status.success() {
                let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                if let Some(limit) = shortage(&text) {
                    let what = format!("{program} does not work: {}", limit.reason());
                    return Err(Error::toolchain(what).hint(limit.hint()));
                }
                // Where RUST_BACKTRACE is set, rustup tells where in itself it was.
                let text = text.split("Stack backtrace:").next().unwrap_or(&text).trim_end();
                return Err(Error::toolchain(format!("{program} does not work: {text}")).hint(toolchain_hint(text)));
            }
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let version = ask(&["-vV"])?;
        let sysroot = PathBuf::from(ask(&["--print", "sysroot"])?.trim());
        let rustc = executable(&sysroot.join("bin/rustc")).unwrap_or_else(|| self.rustc.clone());
        Ok(Identity::of(version, rustc))
    }
}

/// What to do where rustup has no such toolchain.
fn toolchain_hint(text: &str) -> String {
    let named = text.split_once("toolchain '").and_then(|(_, rest)| rest.split_once('\''));
    let meant = named.and_then(|(name, _)| similar(name, ["stable", "beta", "nightly"]));
    let meant = meant.map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
    format!(
        "{meant}`rustup show` tells which toolchain this folder uses; `rustup toolchain install stable` installs one"
    )
}
