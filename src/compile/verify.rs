//! The check before an artifact is published: the loader accepts the library, and it exports the module. What else it
//! exports is found out on this occasion.

use std::path::Path;

use libloading::Library;

use crate::error::{Error, Result};
use crate::kernel::exports::{Export, settled};
use crate::kernel::source::Source;

/// Opens the library, looks for `PyInit_<module>`, and returns those of the functions named in the source that are in it.
pub fn verify(library: &Path, source: &Source, named: Vec<Export>) -> Result<Vec<Export>> {
    let refused = |what: String| Error::config(format!("{}: {what}", source.path.display())).kernel(&source.path);
    #[allow(unsafe_code)]
    // SAFETY: opening a library runs its constructors. This one is about to be imported by the same user in this very
    // process, so they would run in any case; the symbols are only looked up, not called.
    let (exported, found) = unsafe {
        let library = Library::new(library).map_err(|e| {
            refused(format!("the compiled kernel cannot be loaded: {}", chain(&e)))
                .hint("a native library that it needs may be missing")
        })?;
        let has = |name: &str| library.get::<unsafe extern "C" fn()>(name).is_ok();
        let found: Vec<Export> = named.into_iter().filter(|export| has(&export.name)).collect();
        (has(&format!("PyInit_{}", source.module)), found)
    };
    if exported {
        return Ok(settled(found));
    }
    Err(refused(format!("the compiled kernel exports no module `{0}` (no symbol PyInit_{0})", source.module)).hint(
        format!(
            "it needs `#[pymodule] fn {}(...)` or `#[pymodule] mod {0}`, or none at all in a single file",
            source.module
        ),
    ))
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
