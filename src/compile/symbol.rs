//! Where a function of a loaded library is, and what its signature is kept as.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use libloading::Library;

use crate::error::{Error, Result};

/// The address of a symbol in a library, which stays mapped until the process ends.
pub fn address(library: &Path, name: &str) -> Result<NonNull<std::ffi::c_void>> {
    let missing = || Error::config(format!("{} exports nothing by the name `{name}`", library.display()));
    let symbol = CString::new(name).map_err(|_| missing())?;
    let absent = || Error::config(format!("{} is not loaded in this process", library.display()));
    let library = loaded(library).ok_or_else(absent)?;
    #[allow(unsafe_code)]
    // SAFETY: the symbol is looked up as the address of anything, and nothing is read there or called.
    let found = unsafe {
        library.get::<*mut std::ffi::c_void>(symbol.as_bytes_with_nul()).map(|symbol| symbol.try_as_raw_ptr())
    };
    // One more who has it open keeps it mapped for whoever has the address.
    std::mem::forget(library);
    found.ok().flatten().and_then(NonNull::new).ok_or_else(missing)
}

/// The very image that this process has imported, even if its file is gone meanwhile.
#[cfg(unix)]
fn loaded(library: &Path) -> Option<Library> {
    use libloading::os::unix;

    #[allow(unsafe_code)]
    // SAFETY: with RTLD_NOLOAD nothing is loaded that is not there, so no constructor runs.
    let found = unsafe { unix::Library::open(Some(library), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
    found.ok().map(Library::from)
}

#[cfg(windows)]
fn loaded(library: &Path) -> Option<Library> {
    libloading::os::windows::Library::open_already_loaded(library).ok().map(Library::from)
}

/// A signature that lives as long as the process, for capsules, which do not copy their names; each is kept once.
pub fn interned(signature: CString) -> &'static CStr {
    static KEPT: Mutex<BTreeSet<&'static CStr>> = Mutex::new(BTreeSet::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.get(&*signature) {
        return known;
    }
    let signature = Box::leak(signature.into_boxed_c_str());
    kept.insert(signature);
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_library_and_what_no_library_has_are_errors() {
        let check = |library: &str, name: &str| assert!(address(Path::new(library), name).is_err(), "{library} {name}");
        check("/nowhere/lib.so", "f");
        check("/dev/null", "f");
        check("/nowhere/lib.so", "a\0b");
    }

    #[test]
    fn a_signature_is_kept_once() {
        let (one, other) = (interned(c"double (double)".to_owned()), interned(c"double (double)".to_owned()));
        assert!(std::ptr::eq(one, other));
    }
}
