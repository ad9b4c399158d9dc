//! The processes of one run of a compiler, which end together: when the run is given up, and when the process that asked
//! for it is gone, however it went. Whoever is killed can end nobody, so somebody else has to see that he is gone.

#[cfg(unix)]
mod guard;
#[cfg(windows)]
mod job;

#[cfg(unix)]
pub use guard::Group;
#[cfg(windows)]
pub use job::Group;

use std::io;
use std::process::{Command, Output, Stdio};

/// Runs a command that says little, to its end.
pub fn output(mut command: Command) -> io::Result<Output> {
    let mut group = Group::new();
    group.admit(&mut command);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    group.joined(&child);
    let output = child.wait_with_output();
    group.let_go();
    output
}
