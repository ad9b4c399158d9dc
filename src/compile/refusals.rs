//! What went wrong where the engine was to expand PyO3's macros, and what is remembered of it.

use std::path::Path;

use crate::cache::layout::Cache;
use crate::compile::plan::Plan;
use crate::error::{Diagnostic, Error, Kind};
use crate::expander::stand_in::REFUSAL;
use crate::rustc::diagnostics::is_of_others;
use crate::rustc::exhausted::is_exhausted;

/// Whose macros were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those of one kernel.
    Kernel,
    /// PyO3's own, so that no kernel with the same dependencies can be built so.
    All,
}

/// May an error be one of the expander's? What rustc says of the user's own code is none: he would wait for PyO3's macros
/// to be compiled whenever he makes a mistake, only to read the same again.
pub fn refusal(error: &Error) -> Option<Whose> {
    let mut errors = error.diagnostics.iter().filter(|found| found.level == "error").peekable();
    let others = |found: &Diagnostic| found.file.as_deref().is_none_or(is_of_others);
    match error.kind {
        Kind::Compile => {
            errors.peek()?;
            if errors.clone().any(|found| found.message.contains(REFUSAL)) {
                return Some(if errors.any(others) { Whose::All } else { Whose::Kernel });
            }
            errors.all(others).then_some(Whose::All)
        }
        // Of versions that do not go together cargo is to speak without the one that was given it.
        Kind::Config => Some(Whose::All),
        Kind::Toolchain => (!is_exhausted(error)).then_some(Whose::All),
        Kind::Cache | Kind::Interrupted => None,
    }
}

/// Remembers that a plan does not work; `work` is the kernel's folder in the cache.
pub fn refuse(cache: &Cache, work: &Path, plan: &Plan, whose: Whose) {
    let (bucket, name) = note(work, plan, whose);
    cache.keep(bucket, &name, &plan.recipe);
}

/// Is that remembered?
pub fn is_refused(cache: &Cache, work: &Path, plan: &Plan) -> bool {
    [Whose::Kernel, Whose::All].iter().any(|whose| {
        let (bucket, name) = note(work, plan, *whose);
        cache.kept::<String>(bucket, &name).is_some_and(|recipe| recipe == plan.recipe)
    })
}

fn note(work: &Path, plan: &Plan, whose: Whose) -> (&'static str, String) {
    match whose {
        Whose::Kernel => ("work", format!("{}/macros", work.file_name().unwrap_or_default().to_string_lossy())),
        Whose::All => ("targets", format!("{}-macros", plan.dependency_set)),
    }
}
