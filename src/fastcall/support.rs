#[allow(unsafe_code, unused, nonstandard_style, clippy::all, clippy::pedantic)]
mod __rsimport_fastcall {
    use ::pyo3::ffi::{self, METH_FASTCALL, METH_KEYWORDS, PyMethodDef, PyMethodDefPointer, PyObject};
    use ::pyo3::panic::PanicException;
    use ::pyo3::prelude::*;
    use ::pyo3::sync::PyOnceLock;
    use ::pyo3::types::PyCFunction;
    use ::std::any::Any;
    use ::std::ffi::CString;
    use ::std::panic::{AssertUnwindSafe, catch_unwind};
    use ::std::ptr::null_mut;

    /// The function that PyO3 made.
    pub type Own = PyOnceLock<Py<PyCFunction>>;
    /// The function that stands in front of it.
    pub type Fast = unsafe extern "C" fn(
        *mut PyObject,
        *const *mut PyObject,
        ffi::Py_ssize_t,
        *mut PyObject,
    ) -> *mut PyObject;

    /// Adds a function to the module under the name and with the documentation of PyO3's own.
    pub fn put(m: &Bound<'_, PyModule>, function: Bound<'_, PyCFunction>, own: &Own, fast: Fast) -> PyResult<()> {
        let text = |name: &str| function.getattr(name)?.extract::<Option<String>>();
        let name = text("__name__")?.unwrap_or_default();
        let doc = text("__doc__")?.unwrap_or_default();
        let doc = match text("__text_signature__")? {
            Some(signature) => format!("{name}{signature}\n--\n\n{doc}"),
            None => doc,
        };
        let definition = PyMethodDef {
            ml_name: CString::new(name)?.into_raw(),
            ml_meth: PyMethodDefPointer { PyCFunctionFastWithKeywords: fast },
            ml_flags: METH_FASTCALL | METH_KEYWORDS,
            ml_doc: CString::new(doc)?.into_raw(),
        };
        // SAFETY: the definition and its texts are never freed; a module and its name are objects.
        let made = unsafe {
            let definition = Box::leak(Box::new(definition));
            let made = ffi::PyCFunction_NewEx(definition, m.as_ptr(), m.name()?.as_ptr());
            Bound::from_owned_ptr_or_err(m.py(), made)?
        };
        let _ = own.set(m.py(), function.unbind());
        m.add_function(made.cast_into::<PyCFunction>()?)
    }

    /// Calls PyO3's function with the same arguments.
    #[cold]
    pub unsafe fn hand_on(
        own: &Own,
        arguments: *const *mut PyObject,
        count: ffi::Py_ssize_t,
        keywords: *mut PyObject,
    ) -> *mut PyObject {
        // SAFETY: Python has called with these arguments, and it does so only from attached threads.
        unsafe {
            let own = own.get(Python::assume_attached()).expect("it is kept before it is in the module");
            ffi::PyObject_Vectorcall(own.as_ptr(), arguments, count as usize, keywords)
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
            (Some(text), _) => text.clone(),
            (_, Some(text)) => text.to_string(),
            _ => "panic from Rust code".to_string(),
        };
        failed(PanicException::new_err((text,)))
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
    floats!(f32 f64);

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
    ints!(PyLong_FromLongLong i64: i8 i16 i32 i64 isize);
    ints!(PyLong_FromUnsignedLongLong u64: u8 u16 u32 u64 usize);

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
