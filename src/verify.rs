//! The check before an artifact is published: the loader accepts the library, and it exports the module.

use std::path::Path;

use libloading::Library;

use crate::error::{Error, Result};
use crate::source::Source;

/// Opens the library and looks for `PyInit_<module>`.
pub fn verify(library: &Path, source: &Source) -> Result<()> {
    let refused = |what: String| Error::config(format!("{}: {what}", source.path.display())).kernel(&source.path);
    #[allow(unsafe_code)]
    // SAFETY: opening a library runs its constructors. This one is about to be imported by the same user in this very
    // process, so they would run in any case; the symbol is only looked up, not called.
    let exported = unsafe {
        let library = Library::new(library).map_err(|e| {
            refused(format!("the compiled kernel cannot be loaded: {}", chain(&e)))
                .hint("a native library that it needs may be missing")
        })?;
        library.get::<unsafe extern "C" fn()>(format!("PyInit_{}\0", source.module).as_str()).is_ok()
    };
    if exported {
        return Ok(());
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
