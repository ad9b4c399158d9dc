//! The structs in which Arrow data changes hands, and who releases them.
//!
//! Source: the Arrow specification, "The Arrow C data interface", "The Arrow C stream interface"
//! and "The Arrow PyCapsule interface".

use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;

use pyo3::PyResult;
use pyo3::exceptions::PyValueError;

#[repr(C)]
pub struct ArrowSchema {
    pub format: *const c_char,
    pub name: *const c_char,
    pub metadata: *const c_char,
    pub flags: i64,
    pub n_children: i64,
    pub children: *mut *mut ArrowSchema,
    pub dictionary: *mut ArrowSchema,
    pub release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    private_data: *mut c_void,
}

#[repr(C)]
pub struct ArrowArray {
    pub length: i64,
    pub null_count: i64,
    pub offset: i64,
    pub n_buffers: i64,
    pub n_children: i64,
    pub buffers: *const *const c_void,
    pub children: *mut *mut ArrowArray,
    pub dictionary: *mut ArrowArray,
    pub release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    private_data: *mut c_void,
}

#[repr(C)]
pub struct ArrowArrayStream {
    pub get_schema: Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowSchema) -> c_int>,
    pub get_next: Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowArray) -> c_int>,
    pub get_last_error: Option<unsafe extern "C" fn(*mut ArrowArrayStream) -> *const c_char>,
    pub release: Option<unsafe extern "C" fn(*mut ArrowArrayStream)>,
    private_data: *mut c_void,
}

/// The structs are alike in how they are given away: the giver's copy is marked as released.
pub trait Released: Sized {
    const EMPTY: Self;
    const NAME: &str;
    fn is_released(&self) -> bool;
    fn disown(&mut self);
    fn dispose(&mut self);
}

macro_rules! released {
    ($name:ident, $text:literal { $($field:ident: $empty:expr),* }) => {
        impl Released for $name {
            const EMPTY: Self = Self { $($field: $empty,)* release: None, private_data: null_mut() };
            const NAME: &str = $text;

            fn is_released(&self) -> bool {
                self.release.is_none()
            }

            fn disown(&mut self) {
                self.release = None;
            }

            fn dispose(&mut self) {
                if let Some(release) = self.release {
                    // SAFETY: whoever filled the struct wants it to be released so, and once: the
                    // function takes itself out of the struct.
                    unsafe { release(self) }
                }
            }
        }
    };
}
released!(ArrowSchema, "schema" {
    format: null_mut(),
    name: null_mut(),
    metadata: null_mut(),
    flags: 0,
    n_children: 0,
    children: null_mut(),
    dictionary: null_mut()
});
released!(ArrowArray, "array" {
    length: 0,
    null_count: 0,
    offset: 0,
    n_buffers: 0,
    n_children: 0,
    buffers: null_mut(),
    children: null_mut(),
    dictionary: null_mut()
});
released!(ArrowArrayStream, "stream" {
    get_schema: None,
    get_next: None,
    get_last_error: None
});

/// A struct that is released when it goes.
pub struct Owned<T: Released>(pub T);

impl<T: Released> Drop for Owned<T> {
    fn drop(&mut self) {
        self.0.dispose();
    }
}

/// Moves a struct out of where its giver keeps it.
///
/// Whoever keeps a capsule may give it again, and then there is nothing in it: of a struct that is
/// released no other field means anything. Raises ValueError then.
///
/// # Safety
///
/// `from` points to a struct that is valid or released, and that nobody else uses meanwhile.
pub unsafe fn take<T: Released>(from: *mut T) -> PyResult<Owned<T>> {
    // SAFETY: the caller's promise; the copy that stays behind is marked as released.
    unsafe {
        if (*from).is_released() {
            let text = format!("the Arrow {} has been read before", T::NAME);
            return Err(PyValueError::new_err(text));
        }
        let owned = Owned(from.read());
        (*from).disown();
        Ok(owned)
    }
}
