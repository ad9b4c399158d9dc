#[allow(unsafe_code, unused, nonstandard_style, clippy::all, clippy::pedantic)]
mod __rsimport_fastcall {
    use ::pyo3::ffi::{self, METH_FASTCALL, METH_KEYWORDS, PyCFunctionObject, PyObject};
    use ::pyo3::panic::PanicException;
    use ::pyo3::types::{PyAnyMethods, PyCFunction};
    use ::pyo3::{Bound, PyErr, PyResult, Python};
    use ::std::any::Any;
    use ::std::convert::TryFrom;
    use ::std::panic::{AssertUnwindSafe, catch_unwind};
    use ::std::ptr::null_mut;
    use ::std::sync::atomic::{AtomicPtr, Ordering};

    /// What Python called before: the function of PyO3.
    pub type Own = AtomicPtr<()>;
    /// The function that stands in front of it.
    pub type Fast = ffi::PyCFunctionFastWithKeywords;

    /// Makes Python call the fast function in the place of PyO3's.
    pub fn put(function: &Bound<'_, PyCFunction>, own: &Own, fast: Fast) {
        // SAFETY: a function has this layout, and its definition is PyO3's static one, which is in an UnsafeCell. Its flags
        // say what its function is.
        unsafe {
            let definition = (*function.as_ptr().cast::<PyCFunctionObject>()).m_ml;
            let calls_alike = (*definition).ml_flags & (METH_FASTCALL | METH_KEYWORDS) == METH_FASTCALL | METH_KEYWORDS;
            if calls_alike && own.load(Ordering::Acquire).is_null() {
                own.store((*definition).ml_meth.PyCFunctionFastWithKeywords as *mut (), Ordering::Release);
                (*definition).ml_meth.PyCFunctionFastWithKeywords = fast;
            }
        }
    }

    /// Calls PyO3's function with the same arguments.
    #[cold]
    pub unsafe fn hand_on(
        own: &Own,
        slf: *mut PyObject,
        arguments: *const *mut PyObject,
        count: ffi::Py_ssize_t,
        keywords: *mut PyObject,
    ) -> *mut PyObject {
        // SAFETY: Python has called with these, and what is stored is a function of this type, before this one was called.
        unsafe {
            let own = ::std::mem::transmute::<*mut (), Fast>(own.load(Ordering::Acquire));
            own(slf, arguments, count, keywords)
        }
    }

    /// Calls the function, and makes an exception of its error or panic.
    #[inline(always)]
    pub fn run<R: Given>(function: impl FnOnce() -> R) -> *mut PyObject {
        match catch_unwind(AssertUnwindSafe(function)) {
            Ok(result) => result.object(),
            Err(payload) => panicked(&*payload),
        }
    }

    #[cold]
    fn panicked(payload: &(dyn Any + Send)) -> *mut PyObject {
        let text = match (payload.downcast_ref::<String>(), payload.downcast_ref::<&str>()) {
            (Some(text), _) => text.as_str(),
            (_, Some(text)) => text,
            _ => "panic from Rust code",
        };
        // SAFETY: Python calls functions only from attached threads; without a text there is an exception already.
        unsafe {
            let text = ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as ffi::Py_ssize_t);
            if !text.is_null() {
                let class = Python::assume_attached().get_type::<PanicException>();
                ffi::PyErr_SetObject(class.as_ptr(), text);
                ffi::Py_DECREF(text);
            }
        }
        null_mut()
    }

    #[cold]
    fn failed(error: PyErr) -> *mut PyObject {
        // SAFETY: Python calls functions only from attached threads.
        error.restore(unsafe { Python::assume_attached() });
        null_mut()
    }

    /// What is taken from an object of the very type that needs no conversion.
    pub trait Taken: Sized {
        unsafe fn of(object: *mut PyObject) -> Option<Self>;
    }

    /// What a function gives back.
    pub trait Given {
        fn object(self) -> *mut PyObject;
    }

    impl Given for () {
        #[inline(always)]
        fn object(self) -> *mut PyObject {
            // SAFETY: None is always there.
            unsafe { ffi::Py_NewRef(ffi::Py_None()) }
        }
    }

    impl<T: Given> Given for PyResult<T> {
        #[inline(always)]
        fn object(self) -> *mut PyObject {
            match self {
                Ok(result) => result.object(),
                Err(error) => failed(error),
            }
        }
    }

    macro_rules! floats {
        ($($float:ty)*) => {$(
            impl Taken for $float {
                #[inline(always)]
                unsafe fn of(object: *mut PyObject) -> Option<Self> {
                    // SAFETY: the caller has an object.
                    unsafe { (ffi::PyFloat_CheckExact(object) != 0).then(|| ffi::PyFloat_AS_DOUBLE(object) as $float) }
                }
            }

            impl Given for $float {
                #[inline(always)]
                fn object(self) -> *mut PyObject {
                    // SAFETY: whoever calls is attached to Python.
                    unsafe { ffi::PyFloat_FromDouble(self as f64) }
                }
            }
        )*};
    }
    floats!(FLOATS);

    macro_rules! ints {
        ($make:ident $wide:ty: $($int:ty)*) => {$(
            impl Taken for $int {
                #[inline(always)]
                unsafe fn of(object: *mut PyObject) -> Option<Self> {
                    // SAFETY: the caller has an object; of an int, the value is asked without an exception.
                    unsafe {
                        if ffi::PyLong_CheckExact(object) == 0 {
                            return None;
                        }
                        let mut overflow = 0;
                        let value = ffi::PyLong_AsLongLongAndOverflow(object, &mut overflow);
                        if overflow != 0 { None } else { <$int>::try_from(value).ok() }
                    }
                }
            }

            impl Given for $int {
                #[inline(always)]
                fn object(self) -> *mut PyObject {
                    // SAFETY: whoever calls is attached to Python.
                    unsafe { ffi::$make(self as $wide) }
                }
            }
        )*};
    }
    ints!(PyLong_FromLongLong i64: SIGNED);
    ints!(PyLong_FromUnsignedLongLong u64: UNSIGNED);

    impl Taken for bool {
        #[inline(always)]
        unsafe fn of(object: *mut PyObject) -> Option<Self> {
            // SAFETY: there is one object for each of them, and it is always there.
            unsafe {
                if object == ffi::Py_True() {
                    Some(true)
                } else if object == ffi::Py_False() {
                    Some(false)
                } else {
                    None
                }
            }
        }
    }

    impl Given for bool {
        #[inline(always)]
        fn object(self) -> *mut PyObject {
            // SAFETY: as above.
            unsafe { ffi::Py_NewRef(if self { ffi::Py_True() } else { ffi::Py_False() }) }
        }
    }

    impl<'a> Taken for &'a str {
        #[inline(always)]
        unsafe fn of(object: *mut PyObject) -> Option<Self> {
            // SAFETY: the caller has an object, which outlives the call; a str keeps its UTF-8.
            unsafe {
                if ffi::PyUnicode_CheckExact(object) == 0 {
                    return None;
                }
                let mut size = 0;
                let start = ffi::PyUnicode_AsUTF8AndSize(object, &mut size);
                if start.is_null() {
                    // A lone surrogate: PyO3 is to say it.
                    ffi::PyErr_Clear();
                    return None;
                }
                let bytes = ::std::slice::from_raw_parts(start.cast::<u8>(), size as usize);
                Some(::std::str::from_utf8_unchecked(bytes))
            }
        }
    }

    impl Given for String {
        #[inline(always)]
        fn object(self) -> *mut PyObject {
            // SAFETY: whoever calls is attached to Python.
            unsafe { ffi::PyUnicode_FromStringAndSize(self.as_ptr().cast(), self.len() as ffi::Py_ssize_t) }
        }
    }
}
