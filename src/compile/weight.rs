//! How much work a kernel is for the compiler where it is optimised in one piece. One that is little is optimised at once
//! when it is edited; of one that is more, incremental data spare most.
//!
//! It is not seen in the text: ten lines that sort in parallel are more than a thousand of arithmetic. So it is what was
//! measured last, of the whole kernel when it was first built, and of the user's half since then, in processor time: a
//! kernel is not heavier because a machine is busy.

use crate::compile::task::Task;

/// What the half of a user's may take, in seconds. An edit that is compiled fast takes 0.13 to 0.3.
const LIGHT: f64 = 0.25;
/// What the other half takes.
const GLUE: f64 = 0.2;

/// Is the user's half of the kernel known to be little work?
pub fn is_light(task: &Task<'_>) -> bool {
    task.cache.kept::<f64>("work", &name(task)).is_some_and(|seconds| seconds < LIGHT)
}

/// Keeps what it took to compile the user's half of the kernel, or with `whole` all of it.
pub fn keep(task: &Task<'_>, seconds: f64, whole: bool) {
    let half = if whole { seconds - GLUE } else { seconds };
    task.cache.keep("work", &name(task), &half.max(0.0));
}

/// The tiers have folders of their own.
fn name(task: &Task<'_>) -> String {
    let folder = task.work.file_name().unwrap_or_default().to_string_lossy();
    format!("{}-optimized/weight", folder.trim_end_matches("-optimized"))
}
